"""Whether a store is ready: sign-in, the app's scopes, zone, currency and registered webhooks; reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import available_timezones

from tagline.connectors.dispositions import SHIFT4SHOP
from tagline.connectors.shift4shop.resources import resource_of
from tagline.connectors.shift4shop.webhooks import standing_below
from tagline.connectors.shift4shop.wire import Wire
from tagline.domain.checkup import Check, Needs, State, webhook_check
from tagline.domain.environment import Shift4ShopConnection
from tagline.errors import Disposition


def check_up(
    name: str, wire: Wire, config: Shift4ShopConnection, needs: Needs, token: str
) -> Iterator[Check]:
    """
    The checks, one after the other.

    Args:
        name: The connection's.
        token: Last segment of the addresses that webhooks are registered with.

    Raises:
        TaglineError: The shop cannot be asked, or lets the app read nothing.
    """
    yield from _scopes(name, wire, needs)
    yield from _standards(name, wire, config)
    if needs.events:
        yield webhook_check(
            name, needs, standing_below(wire, needs.webhooks, token), "deploy: the agent registers them"
        )


def _scopes(connection: str, wire: Wire, needs: Needs) -> Iterator[Check]:
    """A missing scope answers 401, as wrong keys do; so one list that opens proves the keys."""
    paths: dict[str, str] = {}
    for model in needs.tables:
        resource = resource_of(model, connection, "checking")
        # What belongs to an order or a product is read by whoever may read that.
        paths.setdefault(resource.path.split("/{}", maxsplit=1)[0], resource.name)
    closed = []
    for path, name in paths.items():
        answer = wire.send("GET", path, query={"countonly": 1})
        if answer.status == 401:
            closed.append(name)
        elif SHIFT4SHOP.judge(answer.status).disposition is not Disposition.DONE and answer.status != 404:
            wire.need_done(answer, f"counting {name}")
    if closed and len(closed) == len(paths):
        yield Check(
            f"{connection} sign-in",
            State.FAILED,
            f"the shop refuses to read {', '.join(closed)}",
            "check store_url, private_key and token (or access_token), and the app's scopes in the developer portal",
        )
        return
    yield Check(f"{connection} sign-in", State.GOOD, "the shop knows the app")
    if closed:
        yield Check(
            f"{connection} scopes",
            State.FAILED,
            f"the app may not read {', '.join(closed)}",
            "add the scopes in the developer portal and let the merchant accept them",
        )
    else:
        yield Check(
            f"{connection} scopes",
            State.GOOD,
            f"the app may read {', '.join(paths.values())}; that it may write shows with the first write",
        )


def _standards(connection: str, wire: Wire, config: Shift4ShopConnection) -> Iterator[Check]:
    answer = wire.send("GET", "/StoreSettings")
    if answer.status in (401, 403, 404):
        yield Check(
            f"{connection} zone and currency",
            State.UNKNOWN,
            f"the shop answered {answer.status} to reading its settings",
            "compare time_zone and currency with the store's settings by hand, or give the app the scope",
        )
        return
    wire.need_done(answer, "reading the store's settings")
    told = answer.json({"connection": connection})
    settings: Any = told[0] if isinstance(told, list) and told else told
    standards = settings.get("StoreStandards") if isinstance(settings, Mapping) else None
    standards = standards if isinstance(standards, Mapping) else {}
    for subject, name, ours in (
        ("zone", "StoreTimeZone", config.time_zone),
        ("currency", "CurrencyCode", config.currency),
    ):
        theirs = standards.get(name)
        if not isinstance(theirs, str) or not theirs:
            state, found = State.UNKNOWN, f"the store's settings name no {name}"
        elif name == "StoreTimeZone" and theirs not in available_timezones():
            state, found = State.UNKNOWN, f"the store calls it {theirs!r}, the configuration {ours}"
        elif theirs == ours:
            state, found = State.GOOD, f"{ours}, as in the store's settings"
        else:
            state, found = State.FAILED, f"the store says {theirs}, the configuration {ours}"
        fix = "" if state is State.GOOD else f"set {name} of the store and the connection's value alike"
        yield Check(f"{connection} {subject}", state, found, fix)
