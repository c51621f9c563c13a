"""
Data subjects: which records the state database holds about a person, found by what stands in them.

Images are encrypted, so no index knows their values: each is decrypted and looked at. Whoever appears in one image of a record
is what that record is about, so all that is stored about the record belongs to them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from tagline.errors import TaglineError
from tagline.runtime.images import Images
from tagline.runtime.store import Store
from tagline.runtime.tables import (
    cross_references,
    dead_letters,
    effects,
    inbox,
    letter_notes,
    overrides,
    record_names,
    seen,
)

WINDOW: Final = 500
"""Images that are decrypted at a time."""
DISTINCT: Final = 6
"""Letters from which on a text is also looked for inside longer ones; a shorter one, or a number, stands in too many."""

RecordId = tuple[str, str, str]
"""Integration, flow and key of a record."""
Row = tuple[str, str, tuple[str, ...]]
"""A row of a remote: system, entity, and its id or the values of one of its keys."""


@dataclass(frozen=True)
class Subject:
    """Whom a request is about: by a value that stands in records about them, by keys of such records, or both."""

    value: str = ""
    keys: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    """Columns in which the value is looked for; empty means all of them."""

    def is_in(self, text: str) -> bool:
        """Whether a value is about them: the same but for case, or inside it where theirs is too long to stand there by chance."""
        mine, theirs = self.value.strip().casefold(), text.strip().casefold()
        if not mine or mine not in theirs:
            return False
        if mine == theirs:
            return True
        is_distinct = len(mine) >= DISTINCT and re.search(r"[^\W\d_]", mine) is not None
        return is_distinct and _standing_alone(mine).search(theirs) is not None


@lru_cache(maxsize=8)
def _standing_alone(text: str) -> re.Pattern[str]:
    # `jane@example.com` is neither in `mary-jane@example.com` nor in `jane@example.com.au`, but before a full stop.
    return re.compile(rf"(?<![\w.+@-]){re.escape(text)}(?![\w@]|[.+-]\w)")


@dataclass(frozen=True)
class Found:
    """The records about a subject."""

    records: tuple[RecordId, ...]
    matched: Mapping[str, int]
    """`entity.column` in which the value stood -> in how many rows; for a person to judge whether the right one was found."""
    unreadable: Mapping[str, int]
    """Key id -> rows that could not be decrypted, since the ring lacks that key or the row is damaged."""
    related: tuple[RecordId, ...] = ()
    """
    Other records that wrote to, or refer to, a row in which the value stood: the person's other orders, or a colleague's
    where the row is a company.
    """


def find(store: Store, subject: Subject) -> Found:
    """Every record whose images, overrides, notes, letters or names tell of the subject, or whose key was given."""
    records: set[RecordId] = set()
    matched: Counter[str] = Counter()
    unreadable: Counter[str] = Counter()
    if subject.value:
        for record, place, texts in _sealed(store, unreadable, subject):
            names = {name for name, text in texts if _is_asked(subject, name) and subject.is_in(text)}
            if names:
                records.add(record)
                matched.update(f"{place}.{name}" for name in names)
        for record, place, text in _plain(store):
            if not subject.fields and subject.is_in(text):
                records.add(record)
                matched[place] += 1
    rows = _rows(store, records, {place.partition(".")[0] for place in matched})
    related = set(_related(store, rows)) - records if rows else set()
    records |= _of_keys(store, subject.keys)
    return Found(tuple(sorted(records)), dict(matched), dict(unreadable), tuple(sorted(related - records)))


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The single values of an image's JSON as text, each with the name of its column."""
    match value:
        case {"$map": pairs}:
            for key, inner in pairs:
                yield from leaves(inner, name or str(key))
        case {"$ref": [_, _, key]}:
            for _, inner in key:
                yield from leaves(inner, name)
        case {"$decimal": text} | {"$instant": text} | {"$date": text}:
            yield name, str(text)
        case list():
            for inner in value:
                yield from leaves(inner, name)
        case None | bool():
            return
        case _:
            yield name, str(value)


def references(value: Any) -> Iterator[Row]:
    """The rows that an image's JSON refers to."""
    match value:
        case {"$ref": [system, entity, key]}:
            yield system, entity, tuple(text for _, inner in key for _, text in leaves(inner))
        case {"$map": pairs}:
            for _, inner in pairs:
                yield from references(inner)
        case list():
            for inner in value:
                yield from references(inner)


def plain(value: Any) -> Any:
    """An image's JSON without its types: decimals and instants as text, a reference as system, entity and key."""
    match value:
        case {"$map": pairs}:
            return {str(key): plain(inner) for key, inner in pairs}
        case {"$ref": [system, entity, key]}:
            return {"system": system, "entity": entity, "key": plain(key)}
        case {"$decimal": text} | {"$instant": text} | {"$date": text}:
            return text
        case list():
            return [plain(inner) for inner in value]
        case _:
            return value


def opened(images: Images, blob: bytes | None, key_id: str) -> Any:
    """The JSON of something sealed, None where nothing is there."""
    text = images.text(blob, key_id)
    return None if text is None else json.loads(text)


def _is_asked(subject: Subject, name: str) -> bool:
    return not subject.fields or name in subject.fields


def _sealed(
    store: Store, unreadable: Counter[str], subject: Subject
) -> Iterator[tuple[RecordId, str, list[tuple[str, str]]]]:
    """Record, what it stands in, and the values of everything encrypted that could hold the subject's value."""
    own = effects.c
    journal = [own.integration, own.flow, own.record, own.entity, own.key_id, own.before, own.after, own.key]
    put = overrides.c
    said = letter_notes.c
    letter = dead_letters.c
    sources: Sequence[tuple[sa.Column[Any], sa.Select[Any]]] = (
        (own.id, sa.select(own.id, *journal)),
        (
            put.id,
            sa.select(put.id, put.integration, put.flow, put.key, put.path, put.key_id, put.value),
        ),
        (
            said.id,
            sa.select(
                said.id,
                letter.integration,
                letter.flow,
                letter.key,
                sa.literal("note").label("place"),
                said.key_id,
                said.text,
            ).join(dead_letters, letter.id == said.letter),
        ),
    )
    # What is compared is never in the JSON unless this is: most images need not be parsed.
    needle = json.dumps(subject.value.strip(), ensure_ascii=False)[1:-1].casefold()
    for number, query in sources:
        for row in _windows(store, number, query):
            found: tuple[Any, ...] = tuple(row)
            integration, flow, key, place, key_id = found[1:6]
            texts: list[tuple[str, str]] = []
            for blob in found[6:]:
                if isinstance(blob, str):
                    texts += (pair for name, value in json.loads(blob) for pair in leaves(value, name))
                    continue
                try:
                    text = store.images.text(blob, key_id)
                except TaglineError:
                    unreadable[key_id] += 1
                    continue
                if text is not None and needle in text.casefold():
                    texts += leaves(json.loads(text))
            yield (integration, flow, key), place, texts


def _rows(store: Store, records: set[RecordId], entities: set[str]) -> set[Row]:
    """The rows of these entities that the records were written to, under their id and under their key."""
    rows: set[Row] = set()
    own = effects.c
    with store.database.read() as conn:
        for integration, flow, record in records:
            query = sa.select(own.system, own.entity, own.target_id, own.key).where(
                own.integration == integration,
                own.flow == flow,
                own.record == record,
                own.entity.in_(entities),
            )
            for system, entity, target, key in conn.execute(query):
                values = (text for _, value in json.loads(key) for _, text in leaves(value))
                rows |= {(system, entity, tuple(values)), (system, entity, (target or "",))}
    return {row for row in rows if any(row[2])}


def _related(store: Store, rows: set[Row]) -> Iterator[RecordId]:
    """Records of which an entry is about one of these rows, or refers to it."""
    own = effects.c
    columns = (own.integration, own.flow, own.record, own.system, own.entity, own.target_id, own.key_id)
    needles = {json.dumps(values[0], ensure_ascii=False)[1:-1] for _, _, values in rows}
    for found in _windows(store, own.id, sa.select(own.id, *columns, own.before, own.after)):
        _, integration, flow, record, system, entity, target, key_id, *blobs = tuple(found)
        is_one = (system, entity, (target,)) in rows
        for blob in () if is_one else blobs:
            try:
                text = store.images.text(blob, key_id)
            except TaglineError:
                continue
            if text is not None and any(needle in text for needle in needles):
                is_one = is_one or any(row in rows for row in references(json.loads(text)))
        if is_one:
            yield integration, flow, record


def _windows(store: Store, number: sa.Column[Any], query: sa.Select[Any]) -> Iterator[sa.Row[Any]]:
    last = 0
    while True:
        with store.database.read() as conn:
            rows = conn.execute(query.where(number > last).order_by(number).limit(WINDOW)).all()
        yield from rows
        if len(rows) < WINDOW:
            return
        last = rows[-1][0]


def _plain(store: Store) -> Iterator[tuple[RecordId, str, str]]:
    """What is stored as it is and was never meant to hold a value of a person; looked at all the same."""
    letter = dead_letters.c
    texts = [letter.message, letter.hint, letter.details]
    named = record_names.c
    with store.database.read() as conn:
        for row in conn.execute(sa.select(letter.integration, letter.flow, letter.key, *texts)):
            integration, flow, key, *found = tuple(row)
            yield from (((integration, flow, key), "dead letter", str(text)) for text in found)
        for integration, flow, key, name in conn.execute(
            sa.select(named.integration, named.flow, named.key, named.name)
        ):
            yield (integration, flow, key), "name of a record", name


def _of_keys(store: Store, keys: Sequence[str]) -> set[RecordId]:
    found: set[RecordId] = set()
    if not keys:
        return found
    with store.database.read() as conn:
        for table, name in (
            (effects, "record"),
            (inbox, "key"),
            (dead_letters, "key"),
            (cross_references, "record"),
            (overrides, "key"),
            (seen, "key"),
            (record_names, "key"),
        ):
            own = [table.c[column] for column in ("integration", "flow", name)]
            found.update(
                tuple(row) for row in conn.execute(sa.select(*own).where(own[2].in_(keys)).distinct())
            )
    return found
