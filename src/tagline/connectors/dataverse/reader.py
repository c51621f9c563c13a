"""Rows by key, by parent and by age, as values of their models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from pydantic import ValidationError

from tagline.connectors.dataverse.session import ANNOTATIONS, Session, is_absent
from tagline.connectors.dataverse.wire import ROOT, address, fields_of, from_wire, is_guid, select
from tagline.connectors.odata.batch import Part
from tagline.domain.exchange import Fetched, Key, Row
from tagline.domain.model import Model
from tagline.errors import RecordError

MAX_NEWEST: Final = 5000
"""Rows that `$top` may ask for."""


def read(session: Session, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> dict[Key, Row]:
    """
    Rows by key, a hundred in one request.

    A key that cannot be addressed, for example a blank one, is the key of no row and so absent; writing by it
    fails for that write alone.
    """
    return {key: _row(session, model, key, raw, names) for key, raw in _raw_rows(session, model, keys, names)}


def fetch(session: Session, model: type[Model], keys: Sequence[str]) -> Fetched:
    """Whole rows by their primary id; one that is not as the model says is malformed and spoils no other."""
    names = tuple(fields_of(model))
    asked: dict[Key, str] = {((model.remote.primary_id, key),): key for key in keys}
    records: dict[str, Model] = {}
    malformed: dict[str, tuple[Mapping[str, str], ...]] = {}
    for key, raw in _raw_rows(session, model, list(asked), names):
        try:
            records[asked[key]] = model.model_validate(from_wire(model, raw, names))
        except ValidationError as error:
            malformed[asked[key]] = tuple(
                {"field": ".".join(map(str, found["loc"])), "reason": found["msg"]}
                for found in error.errors(include_input=False, include_url=False, include_context=False)
            )
        except RecordError as error:
            malformed[asked[key]] = ({"field": error.where.get("field", ""), "reason": error.message},)
    return Fetched(records, malformed)


def read_children(
    session: Session, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
) -> dict[str, list[Row]]:
    """The rows below each parent, a hundred parents in one request; a parent that is no id has none."""
    lookup = fields_of(model)[parent].select
    own = model.remote.keys[0] if model.remote.keys else ()
    wanted = tuple(dict.fromkeys((*names, *own)))
    parents = [p for p in dict.fromkeys(parent_ids) if is_guid(p)]
    parts = [
        _get(
            f"{ROOT}/{model.remote.collection}?$select={select(model, wanted)}"
            f"&$filter={quote(f'{lookup} eq {parent_id}')}"
        )
        for parent_id in parents
    ]
    found: dict[str, list[Row]] = {parent_id: [] for parent_id in parent_ids}
    doing = f"reading {model.remote.collection}"
    for parent_id, answer in zip(parents, session.reads(parts), strict=True):
        first = session.object_of(answer.json(), doing)
        children = (
            _child(session, model, raw, own, names, wanted)
            for page in session.pages(first, doing)
            for raw in page
        )
        # A row that changes while pages are read can stand on two of them.
        found[parent_id] = list({child.id: child for child in children}.values())
    return found


def newest(session: Session, model: type[Model], count: int) -> list[str]:
    """Primary ids of the rows created last, oldest first."""
    if count < 1:
        return []
    remote = model.remote
    page = session.get(
        f"{ROOT}/{remote.collection}?$select={remote.primary_id}"
        f"&$orderby={quote(f'createdon desc,{remote.primary_id} desc', safe=',')}&$top={min(count, MAX_NEWEST)}",
        f"reading the newest {remote.collection}",
    )
    rows = session.values_of(page, f"reading the newest {remote.collection}")
    return [row_id(session, model, raw) for raw in reversed(rows)]


def row_id(session: Session, model: type[Model], raw: Mapping[str, Any]) -> str:
    """The primary id of a row that was read."""
    found = raw.get(model.remote.primary_id)
    if not is_guid(found):
        session.malformed(f"reading {model.remote.entity}: a row has no id")
    return str(found)


def _raw_rows(
    session: Session, model: type[Model], keys: Sequence[Key], names: Sequence[str]
) -> Iterator[tuple[Key, Mapping[str, Any]]]:
    asked: list[tuple[Key, Part]] = []
    for key in dict.fromkeys(keys):
        try:
            row = address(model, key)
        except RecordError:
            continue
        asked.append((key, _get(f"{ROOT}/{row}?$select={select(model, names)}")))
    for (key, _), answer in zip(asked, session.reads([part for _, part in asked]), strict=True):
        if not is_absent(answer):
            yield key, session.object_of(answer.json(), f"reading {model.remote.entity}")


def _row(session: Session, model: type[Model], key: Key, raw: Mapping[str, Any], names: Sequence[str]) -> Row:
    etag = raw.get("@odata.etag")
    return Row(
        key,
        row_id(session, model, raw),
        etag if isinstance(etag, str) else None,
        from_wire(model, raw, names),
    )


def _child(
    session: Session,
    model: type[Model],
    raw: Mapping[str, Any],
    own: Sequence[str],
    names: Sequence[str],
    wanted: Sequence[str],
) -> Row:
    values = from_wire(model, raw, wanted)
    row = _row(session, model, (), raw, names)
    filled = bool(own) and all(values[n] is not None for n in own)
    key: Key = tuple(sorted((n, values[n]) for n in own)) if filled else ((model.remote.primary_id, row.id),)
    return Row(key, row.id, row.etag, row.values)


def _get(url: str) -> Part:
    return Part("GET", url, {"Accept": "application/json", "Prefer": ANNOTATIONS})
