"""Rows by key, by parent and by age, as values of their models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

from pydantic import ValidationError

from tagline.connectors.dataverse.session import ANNOTATIONS, Session, is_absent
from tagline.connectors.dataverse.wire import (
    ROOT,
    address,
    condition,
    fields_of,
    from_wire,
    is_addressable,
    is_guid,
    is_of_key,
    select,
)
from tagline.connectors.odata.batch import Part
from tagline.connectors.odata.versions import etag_of
from tagline.domain.exchange import Fetched, Key, Row
from tagline.domain.model import Model
from tagline.errors import RecordError

MAX_NEWEST: Final = 5000
"""Rows that `$top` may ask for."""


def read(session: Session, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> dict[Key, Row]:
    """
    Rows by key, a hundred in one request.

    A key that can be none, for example a blank one, is the key of no row and so absent; writing by it fails for that
    write alone. A row whose key no address can carry is found by a filter.

    Raises:
        RecordError: Several rows have such a key, which then is not active in the organisation (code `key-ambiguous`).
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
        get_part(
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
            keyed_row(session, model, raw, names) for page in session.pages(first, doing) for raw in page
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
        with suppress(RecordError):
            asked.append((key, _question(model, key, names)))
    for (key, _), answer in zip(asked, session.reads([part for _, part in asked]), strict=True):
        if is_absent(answer):
            continue
        told = session.object_of(answer.json(), f"reading {model.remote.entity}")
        found = told if is_addressable(model, key) else _only_row(session, model, key, told)
        if found is not None:
            yield key, found


def _question(model: type[Model], key: Key, names: Sequence[str]) -> Part:
    if is_addressable(model, key):
        return get_part(f"{ROOT}/{address(model, key)}?$select={select(model, names)}")
    compared = (*names, *(name for name, value in key if isinstance(value, str)))
    test = condition(model, key)
    return get_part(f"{ROOT}/{model.remote.collection}?$select={select(model, compared)}&$filter={test}")


def _only_row(
    session: Session, model: type[Model], key: Key, page: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    rows = session.values_of(page, f"reading {model.remote.collection}")
    found = [row for row in rows if is_of_key(row, key)]
    if len(found) > 1:
        names = "+".join(name for name, _ in key)
        raise RecordError(
            f"several rows of {model.remote.entity} have the same {names}",
            code="key-ambiguous",
            where={"connection": session.name, "entity": model.remote.entity, "field": names},
            hint="merge them, and see that the alternate key on it is active; then redrive",
        )
    return found[0] if found else None


def _row(session: Session, model: type[Model], key: Key, raw: Mapping[str, Any], names: Sequence[str]) -> Row:
    etag = etag_of(raw)
    if etag is None and raw.get("@odata.etag") is not None:
        # Without a condition that can be sent, a write would overwrite what somebody else wrote meanwhile.
        session.malformed(f"reading {model.remote.entity}: the version of a row is none")
    return Row(key, row_id(session, model, raw), etag, from_wire(model, raw, names))


def keyed_row(session: Session, model: type[Model], raw: Mapping[str, Any], names: Sequence[str]) -> Row:
    """A row that was read with its first alternate key: its own key is that one where it is filled, else the id."""
    own = model.remote.keys[0] if model.remote.keys else ()
    values = from_wire(model, raw, own)
    row = _row(session, model, (), raw, names)
    filled = bool(own) and all(values[n] is not None for n in own)
    key: Key = tuple(sorted((n, values[n]) for n in own)) if filled else ((model.remote.primary_id, row.id),)
    return Row(key, row.id, row.etag, row.values)


def get_part(url: str) -> Part:
    """A read in a batch."""
    return Part("GET", url, {"Accept": "application/json", "Prefer": ANNOTATIONS})
