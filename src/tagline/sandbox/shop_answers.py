"""Answers of the shop: values until they leave, then JSON or XML as the client asked. Source: 3dcart notes, sections 1 and 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from tagline.sandbox.assumptions import ERROR_VALUE
from tagline.sandbox.shop_fields import Record
from tagline.sandbox.shop_xml import to_xml
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import encode_doubles, in_bytes

HEADERS = (
    ("Cache-Control", "no-cache"),
    ("Pragma", "no-cache"),
    ("Expires", "-1"),
    ("X-AspNet-Version", "4.0.30319"),
    ("Access-Control-Allow-Origin", "*"),
)
JSON, XML = "application/json; charset=utf-8", "application/xml; charset=utf-8"
PAST_THE_END = "Offset amount exceeds the total number of records"


class BadParameterError(ValueError):
    """A query parameter cannot be read; the text is the answer's message."""


@dataclass(frozen=True)
class Answer:
    """What is answered, before it has a form."""

    status: int
    value: Any
    name: str = "Result"
    """What one element is called in XML."""
    has_records: bool = False
    """Whether `$select` and `$orderby` have something to work on."""
    is_error: bool = False
    """Whether it says what is wrong with the request as a whole."""


def result(key: str, value: object, status: int, message: str) -> Record:
    """One element of the envelope that writes and errors are answered with; all four are text."""
    return {"Key": key, "Value": str(value), "Status": str(status), "Message": message}


def updated(key: str, value: object) -> Record:
    return result(key, value, 200, "updated successfully")


def new(key: str, value: object) -> Record:
    return result(key, value, 201, "Created successfully")


def error(status: int, message: str) -> Answer:
    return Answer(status, [result("Error", ERROR_VALUE, status, message)], is_error=True)


def envelope(results: Sequence[Record], all_failed_status: int) -> Answer:
    """The answer to a write: 200 or 201 when all went well, 206 when some did."""
    failed = sum(r["Status"] not in ("200", "201") for r in results)
    if not failed:
        return Answer(int(results[0]["Status"]), list(results))
    return Answer(all_failed_status if failed == len(results) else 206, list(results))


def shop_json(value: Any, status: int = 200) -> Response:
    """A body as the shop prints it."""
    return Response(status, (("Content-Type", JSON), *HEADERS), in_bytes(encode_doubles(value)))


def rendered(answer: Answer, request: Request) -> Response:
    """The answer in the form that the request's Accept asks for; `$select` and `$orderby` see the fetched page alone."""
    value = answer.value
    if answer.has_records:
        value = _arranged(value, {name.lower(): text for name, text in request.query.items()})
    if form_of(request.headers.get("accept", "")) == "xml":
        body = to_xml(value, answer.name).encode()
        return Response(answer.status, (("Content-Type", XML), *HEADERS), body)
    return shop_json(value, answer.status)


def form_of(media_types: str) -> str:
    """`json` or `xml`, whichever is named first; JSON when all will do, empty when neither is named."""
    for media_type in media_types.lower().split(","):
        kind = media_type.partition(";")[0].strip()
        if kind in ("application/json", "text/json", "*/*", "application/*", "text/*", ""):
            return "json"
        if kind in ("application/xml", "text/xml"):
            return "xml"
    return ""


def _arranged(rows: Sequence[Record], query: Mapping[str, str]) -> Sequence[Record]:
    for term in reversed([t for t in query.get("$orderby", "").split(",") if t.strip()]):
        path, _, direction = term.strip().partition(" ")
        if direction.strip().lower() not in ("", "asc", "desc"):
            raise BadParameterError(f"$orderby cannot sort by {term.strip()}")
        order = partial(_sortable, path=path)
        rows = sorted(rows, key=order, reverse=direction.strip().lower() == "desc")
    wanted = [name.strip().lower() for name in query.get("$select", "").split(",") if name.strip()]
    if not wanted or not rows:
        return rows
    known = {name.lower() for name in rows[0]}
    if unknown := [name for name in wanted if name not in known]:
        raise BadParameterError(f"$select names {unknown[0]}, which is no property")
    return [{name: row[name] for name in row if name.lower() in wanted} for row in rows]


def _sortable(row: Record, path: str) -> tuple[bool, bool, Any]:
    """Nothing before numbers before text, so that an odd value among them does no harm."""
    value: Any = row
    for step in path.split("/"):
        found = (
            next((n for n in value if n.lower() == step.lower()), None) if isinstance(value, dict) else None
        )
        if found is None:
            raise BadParameterError(f"$orderby names {path}, which is no property")
        value = value[found]
    if isinstance(value, list | dict):
        raise BadParameterError(f"$orderby cannot sort by {path}")
    text = isinstance(value, str)
    if isinstance(value, int | Decimal):
        return True, False, value
    return value is not None, text, value.casefold() if text else 0
