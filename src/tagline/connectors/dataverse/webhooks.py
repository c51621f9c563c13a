"""Webhooks of an organisation: a service endpoint for each event's address and a step that posts to it.

A step runs after its operation has committed (asynchronously), so that a slow intake never holds a write up.
Source: reference/dataverse-api.md section 18.1 and 18.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from tagline.connectors.dataverse.events import EVENTS, UPDATE, Event
from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.wire import ROOT, is_guid
from tagline.connectors.odata.batch import Part
from tagline.errors import TaglineError, UsageError

CONTRACT_WEBHOOK: Final = 8
AUTH_WEBHOOK_KEY: Final = 4
"""The organisation adds the token to the address as `?code=…`; ours stands in its last segment already."""
FORMAT_JSON: Final = 2
POST_OPERATION: Final = 40
ASYNCHRONOUS: Final = 1
SERVER_ONLY: Final = 0
ENABLED: Final = {"statecode": 0, "statuscode": 1}

DOING: Final = "registering webhooks"


@dataclass(frozen=True)
class Endpoint:
    """A registered address."""

    id: str
    url: str


def register(session: Session, addresses: Mapping[str, str], token: str) -> list[str]:
    """
    Let each event be posted to its address; returns the events for which something had to be done.

    What stands already is used, enabled again, and widened to the columns of today's model. Where a registration fails,
    endpoints just added are taken away again.

    Args:
        addresses: By event; all known.

    Raises:
        UsageError: The organisation has no such table, or cannot tell of such an operation on it (code `event-unknown`).
    """
    filters = _filters(session, [EVENTS[event] for event in addresses])
    standing = {endpoint.url: endpoint for endpoint in _endpoints(session)}
    touched: list[str] = []
    added: list[Endpoint] = []
    try:
        for name, address in addresses.items():
            endpoint = standing.get(address)
            if endpoint is None:
                endpoint = Endpoint(_add_endpoint(session, name, address, token), address)
                added.append(endpoint)
            if _step(session, EVENTS[name], endpoint, filters[name]):
                touched.append(name)
    except TaglineError:
        for endpoint in added:
            # Its own failure hides nothing that matters: an endpoint that stays is found standing the next time.
            with suppress(TaglineError):
                _remove(session, endpoint)
        raise
    return touched


def remove_below(session: Session, url: str) -> list[str]:
    """Remove the endpoints whose address lies below `url`, with their steps; returns the events they were for."""
    root = f"{url.rstrip('/')}/"
    below = [endpoint for endpoint in _endpoints(session) if endpoint.url.startswith(root)]
    for endpoint in below:
        _remove(session, endpoint)
    # The first segment is the event; the rest is the token, which is told to nobody.
    return [endpoint.url.removeprefix(root).split("/")[0] for endpoint in below]


def standing_below(session: Session, url: str, token: str) -> frozenset[str]:
    """Events for which an endpoint stands at `<url>/<event>/<token>`, with a step that is switched on."""
    root = f"{url.rstrip('/')}/"
    addresses = {f"{root}{event}/{token}": event for event in EVENTS}
    return frozenset(
        addresses[endpoint.url]
        for endpoint in _endpoints(session)
        if endpoint.url in addresses
        and any(step.get("statecode") == ENABLED["statecode"] for step in _steps(session, endpoint))
    )


def columns_watched(event: Event) -> tuple[str, ...]:
    """Columns whose change is worth a delivery: the model's, less the id, which every change carries."""
    return tuple(n for n in event.model.model_fields if n != event.model.remote.primary_id)


def _filters(session: Session, events: Sequence[Event]) -> dict[str, tuple[str, str]]:
    """By event, the ids of its message and of the message on its table."""
    parts = [
        Part(
            "GET",
            f"{ROOT}/sdkmessagefilters?$select=sdkmessagefilterid,_sdkmessageid_value&$filter="
            f"primaryobjecttypecode%20eq%20'{event.model.remote.entity}'"
            f"%20and%20sdkmessageid/name%20eq%20'{event.message}'",
            {"Accept": "application/json"},
        )
        for event in events
    ]
    found: dict[str, tuple[str, str]] = {}
    for event, answer in zip(events, session.reads(parts), strict=True):
        rows = session.values_of(session.object_of(answer.json(), DOING), DOING)
        if not rows:
            raise UsageError(
                f"the organisation cannot tell of {event.name}",
                code="event-unknown",
                where={"connection": session.name, "event": event.name},
                hint=f"check that it has the table {event.model.remote.entity}",
            )
        found[event.name] = (
            _id(session, rows[0], "_sdkmessageid_value"),
            _id(session, rows[0], "sdkmessagefilterid"),
        )
    return found


def _endpoints(session: Session) -> Iterator[Endpoint]:
    # Compared here and not by the filter: an address holds the token, which is to stand in no log of requests.
    target = (
        f"{ROOT}/serviceendpoints?$select=serviceendpointid,url&$filter=contract%20eq%20{CONTRACT_WEBHOOK}"
    )
    for row in session.rows(target, "reading webhooks"):
        url = row.get("url")
        if isinstance(url, str):
            yield Endpoint(_id(session, row, "serviceendpointid"), url)


def _steps(session: Session, endpoint: Endpoint) -> list[Mapping[str, Any]]:
    names = "sdkmessageprocessingstepid,_sdkmessagefilterid_value,filteringattributes,statecode"
    target = (
        f"{ROOT}/sdkmessageprocessingsteps?$select={names}&$filter=_eventhandler_value%20eq%20{endpoint.id}"
    )
    return list(session.rows(target, "reading webhooks"))


def _add_endpoint(session: Session, name: str, address: str, token: str) -> str:
    return _create(
        session,
        "serviceendpoints",
        {
            "name": f"tagline {name}",
            "url": address,
            "contract": CONTRACT_WEBHOOK,
            "authtype": AUTH_WEBHOOK_KEY,
            "authvalue": token,
            "messageformat": FORMAT_JSON,
        },
    )


def _step(session: Session, event: Event, endpoint: Endpoint, ids: tuple[str, str]) -> bool:
    """Let a step post the event to the endpoint; False when one does already."""
    message_id, filter_id = ids
    watched = columns_watched(event) if event.message == UPDATE else ()
    for step in _steps(session, endpoint):
        if str(step.get("_sdkmessagefilterid_value", "")).lower() == filter_id.lower():
            return _amend(session, step, watched)
    body = {
        "name": f"tagline {event.name}",
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint.id})",
        "sdkmessageid@odata.bind": f"/sdkmessages({message_id})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({filter_id})",
        "stage": POST_OPERATION,
        "mode": ASYNCHRONOUS,
        "rank": 1,
        "supporteddeployment": SERVER_ONLY,
        "asyncautodelete": True,
    }
    if watched:
        body["filteringattributes"] = ",".join(watched)
    _create(session, "sdkmessageprocessingsteps", body)
    return True


def _amend(session: Session, step: Mapping[str, Any], watched: Sequence[str]) -> bool:
    told = step.get("filteringattributes")
    standing = [n for n in told.split(",") if n] if isinstance(told, str) else []
    changes: dict[str, Any] = {} if step.get("statecode") == 0 else dict(ENABLED)
    # A step without a filter tells of every column. One with a filter is only widened: an older release may read from it.
    if standing and not set(watched) <= set(standing):
        changes["filteringattributes"] = ",".join(dict.fromkeys((*standing, *watched)))
    if not changes:
        return False
    row = f"{ROOT}/sdkmessageprocessingsteps({_id(session, step, 'sdkmessageprocessingstepid')})"
    session.judge(session.send("PATCH", row, {"If-Match": "*"}, changes), DOING)
    return True


def _remove(session: Session, endpoint: Endpoint) -> None:
    for step in _steps(session, endpoint):
        _delete(session, "sdkmessageprocessingsteps", _id(session, step, "sdkmessageprocessingstepid"))
    _delete(session, "serviceendpoints", endpoint.id)


def _delete(session: Session, collection: str, row_id: str) -> None:
    answer = session.send("DELETE", f"{ROOT}/{collection}({row_id})")
    if answer.status != 404:
        session.judge(answer, "removing webhooks")


def _create(session: Session, collection: str, body: Mapping[str, Any]) -> str:
    answer = session.send("POST", f"{ROOT}/{collection}", body=body)
    session.judge(answer, DOING)
    made = re.search(r"\(([^()]+)\)\s*$", answer.headers.get("odata-entityid", ""))
    if made is None or not is_guid(made[1]):
        session.malformed(f"{DOING}: it does not tell the id of the {collection.removesuffix('s')} it made")
    return made[1]


def _id(session: Session, row: Mapping[str, Any], name: str) -> str:
    found = row.get(name)
    if not is_guid(found):
        session.malformed(f"{DOING}: {name} is missing")
    return str(found)
