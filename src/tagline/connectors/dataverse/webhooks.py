"""Webhooks of an organisation: a service endpoint for each event's address and a step that posts to it.

A step runs after its operation has committed (asynchronously), so that a slow intake never holds a write up.
Source: reference/dataverse-api.md section 18.1 and 18.2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tagline.connectors import json_values
from tagline.connectors.dataverse.events import EVENTS, UPDATE, Event
from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.wire import ROOT, is_guid
from tagline.connectors.hooks import TOKEN_HEADER, address_of, name_of
from tagline.connectors.odata.batch import Part
from tagline.errors import UsageError

CONTRACT_WEBHOOK: Final = 8
AUTH_HTTP_HEADER: Final = 5
"""The organisation sends the token in a header; it cannot be read back, so that the address carries its name."""
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


def register(session: Session, events: Sequence[str], url: str, token: str) -> list[str]:
    """
    Let each event be posted to `<url>/<event>/<name of the token>`; returns the events for which something had to be done.

    A delivery is not signed, so that its header carries the token. What stands already is used, enabled again, and
    widened to the columns of today's model. The rest is added together with its steps, or none of it.

    Args:
        session: Signed in as the application that sets an organisation up.
        events: All known.

    Raises:
        UsageError: The organisation has no such table, or cannot tell of such an operation on it (code `event-unknown`).
    """
    addresses = {event: address_of(url, event, name_of(token)) for event in events}
    filters = _filters(session, [EVENTS[event] for event in events])
    standing = {endpoint.url: endpoint for endpoint in _endpoints(session)}
    touched = [
        name
        for name, address in addresses.items()
        if address in standing and _step(session, EVENTS[name], standing[address], filters[name])
    ]
    new = [name for name, address in addresses.items() if address not in standing]
    if new:
        made = [(EVENTS[name], addresses[name], filters[name]) for name in new]
        for answer in session.together(_endpoints_with_steps(made, token)):
            session.judge(answer, DOING)
    return [name for name in events if name in {*touched, *new}]


def stale_below(session: Session, url: str, keep: Collection[str]) -> list[Endpoint]:
    """Endpoints whose address lies below `url` and is none of `keep`."""
    root = f"{url.rstrip('/')}/"
    return [e for e in _endpoints(session) if e.url.startswith(root) and e.url not in keep]


def remove(session: Session, endpoints: Iterable[Endpoint], url: str) -> list[str]:
    """Remove endpoints below `url` with their steps; returns the events they were for."""
    removed = []
    for endpoint in endpoints:
        _remove(session, endpoint)
        # The first segment is the event; the rest may be a token of an older tagline, which is told to nobody.
        removed.append(endpoint.url.removeprefix(f"{url.rstrip('/')}/").split("/")[0])
    return removed


def standing_below(session: Session, url: str, token: str) -> frozenset[str]:
    """Events for which an endpoint of that token stands, with a step that is switched on."""
    addresses = {address_of(url, event, name_of(token)): event for event in EVENTS}
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
    # Compared here and not by the filter: an address of an older tagline holds the token, which is to stand in no log.
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


def _endpoints_with_steps(made: Sequence[tuple[Event, str, tuple[str, str]]], token: str) -> Iterator[Part]:
    """The parts of a change set; each step names the endpoint before it."""
    for place, (event, address, ids) in enumerate(made):
        endpoint = {
            "name": f"tagline {event.name}",
            "url": address,
            "contract": CONTRACT_WEBHOOK,
            "authtype": AUTH_HTTP_HEADER,
            "authvalue": f'<settings><setting name="{TOKEN_HEADER}" value="{token}" /></settings>',
            "messageformat": FORMAT_JSON,
        }
        yield _post("serviceendpoints", endpoint)
        yield _post("sdkmessageprocessingsteps", _new_step(event, f"${2 * place + 1}", ids))


def _step(session: Session, event: Event, endpoint: Endpoint, ids: tuple[str, str]) -> bool:
    """Let a step post the event to the endpoint; False when one does already."""
    _, filter_id = ids
    watched = columns_watched(event) if event.message == UPDATE else ()
    for step in _steps(session, endpoint):
        if str(step.get("_sdkmessagefilterid_value", "")).lower() == filter_id.lower():
            return _amend(session, step, watched)
    body = _new_step(event, f"/serviceendpoints({endpoint.id})", ids)
    (answer,) = session.together([_post("sdkmessageprocessingsteps", body)])
    session.judge(answer, DOING)
    return True


def _new_step(event: Event, endpoint: str, ids: tuple[str, str]) -> Mapping[str, Any]:
    message_id, filter_id = ids
    body: dict[str, Any] = {
        "name": f"tagline {event.name}",
        "eventhandler_serviceendpoint@odata.bind": endpoint,
        "sdkmessageid@odata.bind": f"/sdkmessages({message_id})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({filter_id})",
        "stage": POST_OPERATION,
        "mode": ASYNCHRONOUS,
        "rank": 1,
        "supporteddeployment": SERVER_ONLY,
        "asyncautodelete": True,
    }
    if event.message == UPDATE:
        body["filteringattributes"] = ",".join(columns_watched(event))
    return body


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


def _post(collection: str, body: Mapping[str, Any]) -> Part:
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    return Part("POST", f"{ROOT}/{collection}", headers, json_values.dump(body).encode())


def _id(session: Session, row: Mapping[str, Any], name: str) -> str:
    found = row.get(name)
    if not is_guid(found):
        session.malformed(f"{DOING}: {name} is missing")
    return str(found)
