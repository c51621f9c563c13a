"""Rows by key, by parent and by age, as values of their models; of one company."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from tagline.connectors.finance.entities import Entity, entity_of
from tagline.connectors.finance.session import Session
from tagline.connectors.finance.wire import (
    CROSS,
    ROOT,
    address,
    condition,
    from_wire,
    key_of_id,
    of_company,
    row_id,
    select,
)
from tagline.connectors.odata.batch import Part, PartAnswer
from tagline.connectors.odata.versions import etag_of
from tagline.domain.exchange import Fetched, Key, Row
from tagline.domain.model import Model
from tagline.errors import RecordError

MAX_NEWEST: Final = 5000


def read(
    session: Session, company: str, model: type[Model], keys: Sequence[Key], names: Sequence[str]
) -> dict[Key, Row]:
    """
    Rows by key, a hundred in one request: by address where the key is the entity's own, else by a filter.

    A key that cannot be addressed, for example a blank one, is the key of no row and so absent; writing by it
    fails for that write alone.

    Raises:
        RecordError: Several rows have a key that Finance does not keep unique (code `key-ambiguous`).
    """
    entity = entity_of(model)
    asked: list[tuple[Key, Part]] = []
    for key in dict.fromkeys(keys):
        try:
            asked.append((key, _question(entity, company, key, names)))
        except RecordError:
            continue
    found: dict[Key, Row] = {}
    for (key, _), answer in zip(asked, session.reads([part for _, part in asked]), strict=True):
        raw = _only_row(session, entity, key, answer)
        if raw is not None:
            found[key] = _row(entity, key, raw, names)
    return found


def fetch(session: Session, company: str, model: type[Model], keys: Sequence[str]) -> Fetched:
    """Whole rows by their id; one that is not as the model says is malformed and spoils no other."""
    entity = entity_of(model)
    names = tuple(model.model_fields)
    records: dict[str, Model] = {}
    malformed: dict[str, tuple[Mapping[str, str], ...]] = {}
    for key, raw in rows_by_id(session, company, entity, keys, names).items():
        try:
            records[key] = model.model_validate(from_wire(entity, raw, names))
        except ValidationError as error:
            malformed[key] = tuple(
                {"field": ".".join(map(str, found["loc"])), "reason": found["msg"]}
                for found in error.errors(include_input=False, include_url=False, include_context=False)
            )
        except RecordError as error:
            malformed[key] = ({"field": error.where.get("field", ""), "reason": error.message},)
    return Fetched(records, malformed)


def rows_by_id(
    session: Session, company: str, entity: Entity, ids: Sequence[str], names: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    """Rows as they came, by their id, a hundred in one request; one that is not there, or that no address leads to, is absent."""
    asked: list[tuple[str, Part]] = []
    for key in dict.fromkeys(ids):
        try:
            asked.append((key, _at(address(entity, company, key_of_id(entity, key)), entity, names)))
        except RecordError:
            continue
    answers = session.reads([part for _, part in asked])
    doing = f"reading {entity.model.remote.entity}"
    return {
        key: session.object_of(answer.json(), doing)
        for (key, _), answer in zip(asked, answers, strict=True)
        if not session.dialect.is_absent(answer)
    }


def read_children(
    session: Session,
    company: str,
    model: type[Model],
    parent: str,
    parent_ids: Sequence[str],
    names: Sequence[str],
) -> dict[str, list[Row]]:
    """The rows that name each parent, a hundred parents in one request."""
    entity = entity_of(model)
    own = model.remote.keys[0]
    wanted = tuple(dict.fromkeys((*names, *own)))
    found: dict[str, list[Row]] = {parent_id: [] for parent_id in parent_ids}
    asked: list[tuple[str, Part]] = []
    for parent_id in found:
        try:
            test = condition(entity, company, {parent: parent_id})
        except RecordError:
            continue
        url = f"{ROOT}/{model.remote.collection}?{CROSS}&{test}&{select(entity, wanted)}"
        asked.append((parent_id, get_part(url)))
    doing = f"reading {model.remote.collection}"
    for (parent_id, _), answer in zip(asked, session.reads([part for _, part in asked]), strict=True):
        first = session.object_of(answer.json(), doing)
        rows = (keyed_row(entity, raw, names) for page in session.pages(first, doing) for raw in page)
        # A row that changes while pages are read can stand on two of them.
        found[parent_id] = list({row.id: row for row in rows}.values())
    return found


def newest(session: Session, company: str, model: type[Model], count: int) -> list[str]:
    """Ids of the rows with the greatest numbers, or dates where the entity has one; oldest first."""
    if count < 1:
        return []
    entity = entity_of(model)
    ties = "".join(f",{name} desc" for name in entity.key if name != entity.newest_first)
    query = "&".join(
        filter(
            None,
            (
                CROSS,
                of_company(entity, company),
                f"$orderby={entity.newest_first} desc{ties}".replace(" ", "%20"),
                f"$top={min(count, MAX_NEWEST)}",
                select(entity, ()),
            ),
        )
    )
    doing = f"reading the newest {model.remote.collection}"
    rows = session.rows(f"{ROOT}/{model.remote.collection}?{query}", doing)
    return [row_id(entity, raw) for raw in reversed(list(rows))]


def place_of(entity: Entity, company: str, key: Key, known_id: str | None) -> str:
    """
    The path of the row that a key and perhaps an id name.

    Raises:
        RecordError: They name none by the entity's own key (code `key-not-addressable`).
    """
    if known_id is not None:
        return address(entity, company, key_of_id(entity, known_id))
    return address(entity, company, _own_key(entity, key) or {entity.key[0]: None})


def _own_key(entity: Entity, key: Key) -> Mapping[str, Any] | None:
    """The columns of the entity's own key, where the key has them or is the id that they are told by."""
    values = dict(key)
    local = entity.model.remote.primary_id
    if set(values) == {local} and local not in entity.key:
        return key_of_id(entity, str(values[local]))
    return values if set(values) == set(entity.key) else None


def _question(entity: Entity, company: str, key: Key, names: Sequence[str]) -> Part:
    own = _own_key(entity, key)
    if own is not None:
        return _at(address(entity, company, own), entity, names)
    collection = f"{ROOT}/{entity.model.remote.collection}"
    test = condition(entity, company, dict(key))
    return get_part(f"{collection}?{CROSS}&{test}&$top=2&{select(entity, names)}")


def _only_row(session: Session, entity: Entity, key: Key, answer: PartAnswer) -> Mapping[str, Any] | None:
    if session.dialect.is_absent(answer):
        return None
    doing = f"reading {entity.model.remote.entity}"
    told = session.object_of(answer.json(), doing)
    if _own_key(entity, key) is not None:
        return told
    rows = session.values_of(told, doing)
    if len(rows) > 1:
        names = "+".join(name for name, _ in key)
        raise RecordError(
            f"several rows of {entity.model.remote.entity} have the same {names}",
            code="key-ambiguous",
            where={"connection": session.name, "entity": entity.model.remote.entity, "field": names},
            hint="give all but one another value there, then redrive",
        )
    return rows[0] if rows else None


def _row(entity: Entity, key: Key, raw: Mapping[str, Any], names: Sequence[str]) -> Row:
    return Row(key, row_id(entity, raw), etag_of(raw), from_wire(entity, raw, names))


def keyed_row(entity: Entity, raw: Mapping[str, Any], names: Sequence[str]) -> Row:
    """A row that was read with its first alternate key: its own key is that one where it is filled, else the id."""
    own = entity.model.remote.keys[0]
    values = from_wire(entity, raw, own)
    row = _row(entity, (), raw, names)
    # A number of 0 is a column that nobody filled.
    filled = all(values[n] not in (None, "", 0) for n in own)
    key = (
        tuple(sorted((n, values[n]) for n in own)) if filled else ((entity.model.remote.primary_id, row.id),)
    )
    return Row(key, row.id, row.etag, row.values)


def _at(path: str, entity: Entity, names: Sequence[str]) -> Part:
    return get_part(f"{path}?{CROSS}&{select(entity, names)}")


def get_part(url: str) -> Part:
    """A read in a batch."""
    return Part("GET", url, {"Accept": "application/json"})


def every_row(session: Session, entity: Entity, names: Sequence[str], test: str, doing: str) -> Iterator[Any]:
    """All rows that a filter lets through, in the order of their key, whatever each of them is."""
    order = f"$orderby={','.join(entity.key)}"
    query = "&".join(filter(None, (CROSS, test, order, f"$select={','.join(names)}")))
    first = session.get(f"{ROOT}/{entity.model.remote.collection}?{query}", doing)
    for page in session.linked(first, doing):
        yield from session.items_of(page, doing)
