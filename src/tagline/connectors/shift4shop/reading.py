"""Records of the shop by key: from lists where several are asked for and a list pays, else one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from tagline.connectors.dispositions import SHIFT4SHOP
from tagline.connectors.shift4shop.listing import OWN_TROUBLE, WORTH, Listing
from tagline.connectors.shift4shop.models import ShopModel
from tagline.connectors.shift4shop.models.product import lifted
from tagline.connectors.shift4shop.paging import MAX_ROWS, all_rows
from tagline.connectors.shift4shop.parse import MalformedError, to_record, whole_id
from tagline.connectors.shift4shop.resources import Noticing, Resource
from tagline.connectors.shift4shop.salvage import name_of
from tagline.connectors.shift4shop.store import (
    Address,
    Store,
    address_in,
    address_of,
    address_of_record,
    address_of_row,
)
from tagline.domain.exchange import Fetched, Key, Row
from tagline.domain.model import Model
from tagline.errors import Disposition, RecordError, TaglineError, TryAgainError

Told = ShopModel | MalformedError | TaglineError | None
"""An asked record, None where there is none, or the trouble it alone is in."""


def fetch(store: Store, resource: Resource, keys: Sequence[str]) -> Fetched:
    """
    Read whole records by their own key.

    A record that the shop twice fails to hand out (500) counts as malformed when others were read. Any other failure
    fails the call, as does a shop that hands out none.
    """
    records: dict[str, Model] = {}
    malformed: dict[str, tuple[Mapping[str, str], ...]] = {}
    failed = _sort(_told(store, resource, keys, None, search=True), records, malformed)
    if failed and not records:
        raise next(iter(failed.values()))
    failed = _sort(_told(store, resource, failed, None, search=False), records, malformed)
    malformed.update({key: ({"field": "", "reason": e.message},) for key, e in failed.items()})
    return Fetched(records, malformed)


def read(store: Store, resource: Resource, keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
    """Read fields of records as targets; only the named fields need to be well-formed."""
    found: dict[Key, ShopModel] = {}
    by_alternate = [key for key in keys if _is_alternate(resource, key)]
    asked = {key: _record_key(resource, key) for key in keys if key not in by_alternate}
    told = dict(_told(store, resource, asked.values(), names, search=True))
    for key, record in asked.items():
        if (one := _need_sound(store, resource, record, told[record])) is not None:
            found[key] = one
    found.update(_looked_up(store, resource, by_alternate, names))
    return {key: to_row(resource, key, found[key], names) for key in keys if key in found}


def children(store: Store, resource: Resource, path: str, parent: str, names: Sequence[str]) -> Sequence[Row]:
    """
    Read fields of all rows of one list beneath another record.

    Args:
        path: Of the list, with `{}` for the other record's id.
        parent: That id.
    """
    owner = whole_id(parent)
    if owner is None:
        return ()
    return list(
        sound_rows(store, resource, all_rows(store, resource, path.format(owner), owner=owner), names, owner)
    )


def sound_rows(
    store: Store,
    resource: Resource,
    listed: Iterable[tuple[Address | None, Any]],
    names: Sequence[str],
    owner: str = "",
) -> Iterator[Row]:
    """
    Rows of a list as targets, by their alternate key where its columns are filled, else by id.

    Args:
        owner: Id of the record that the list stands beneath.

    Raises:
        RecordError: One cannot be understood (code `source-malformed`).
    """
    key_columns = resource.model.remote.keys[0] if resource.model.remote.keys else (resource.id_column,)
    needed = [*names, *key_columns]
    for address, row in listed:
        told = _parsed(store, resource, row, needed, owner)
        record = _need_sound(store, resource, str(address or owner), told)
        if record is not None:
            yield to_row(resource, _key_of(resource, record, key_columns), record, names)


def look_up(
    store: Store, resource: Resource, columns: Mapping[str, Any], names: Sequence[str]
) -> ShopModel | None:
    """
    The one record whose alternate key has these values; letter case matters only where several differ in nothing else.

    Raises:
        RecordError: Several have them (code `key-ambiguous`).
    """
    owner = whole_id(columns.get(resource.owner)) if resource.owner else ""
    sought = {column: value for column, value in columns.items() if column != resource.owner}
    # A blank filter counts as none: the shop would answer with everything.
    filled = {column: value for column, value in sought.items() if not _is_blank(value)}
    if owner is None or not filled:
        return None
    query = {} if resource.owner else {resource.filters[column]: value for column, value in filled.items()}
    rows = all_rows(store, resource, resource.list_path(owner), query, owner=owner)
    return _matching(store, resource, sought, names, [row for _, row in rows], owner)


def is_findable(resource: Resource, columns: Collection[str]) -> bool:
    """Whether a row can be found by an alternate key of these columns: by filters, or by reading its owner's list."""
    if resource.id_column in columns:
        return False
    return resource.owner in columns if resource.owner else all(c in resource.filters for c in columns)


def to_row(resource: Resource, key: Key, record: ShopModel, names: Sequence[str]) -> Row:
    return Row(key, str(address_of_record(resource, record)), None, {n: getattr(record, n) for n in names})


def _key_of(resource: Resource, record: ShopModel, columns: Sequence[str]) -> Key:
    """The alternate key where all of its columns are filled, else the id."""
    values = [getattr(record, column) for column in columns]
    if any(value == "" for value in values):
        return ((resource.id_column, str(address_of_record(resource, record))),)
    return tuple(sorted(zip(columns, values, strict=True)))


def _is_alternate(resource: Resource, key: Key) -> bool:
    names = [name for name, _ in key]
    return any(
        sorted(columns) == names and is_findable(resource, columns) for columns in resource.model.remote.keys
    )


def _record_key(resource: Resource, key: Key) -> str:
    """A key by columns as the text of a record's own key; one that names none is told as it stands."""
    address = address_in(resource, dict(key))
    return str(address) if address else str(dict(key).get(resource.id_column, ""))


def _looked_up(
    store: Store, resource: Resource, keys: Sequence[Key], names: Sequence[str]
) -> Iterator[tuple[Key, ShopModel]]:
    """Records by alternate key: one filtered request each, or the whole list where that is less."""
    rows: list[Any] | None = None
    if not resource.owner and len(keys) >= WORTH and _is_list_worth(store, resource, len(keys)):
        rows = [row for _, row in all_rows(store, resource, resource.path)]
    for key in keys:
        columns = dict(key)
        if rows is None:
            record = look_up(store, resource, columns, names)
        else:
            record = _matching(store, resource, columns, names, rows)
        if record is not None:
            yield key, record


def _is_list_worth(store: Store, resource: Resource, asked: int) -> bool:
    """Whether reading a list whole takes fewer requests than reading that many of its rows one by one."""
    if resource.noticing is Noticing.BY_COMPARING:
        return True  # a small table: one page, as a rule
    total = store.wire.count(resource.path, resource.name)
    return total <= MAX_ROWS // 2 and -(-total // resource.cap) + 1 < asked


def _matching(
    store: Store,
    resource: Resource,
    columns: Mapping[str, Any],
    names: Sequence[str],
    rows: Iterable[Any],
    owner: str = "",
) -> ShopModel | None:
    """The one of some rows that has these values."""
    wanted = {column: _plain(value) for column, value in columns.items()}
    alike = [
        row
        for row in map(lifted, rows)
        if isinstance(row, Mapping) and all(_plain(row.get(c)) == v for c, v in wanted.items())
    ]
    cased = {column: str(value).strip() for column, value in columns.items()}
    exact = [row for row in alike if all(str(row.get(c)).strip() == v for c, v in cased.items())]
    hits = exact or alike
    if not any(wanted.values()) or not hits:
        return None
    ids = [str(address_of_row(resource, row, owner) or "?") for row in hits]
    if len(hits) > 1:
        raise RecordError(
            f"several {resource.name} of the shop have one {' and '.join(columns)}: {', '.join(ids[:5])}",
            code="key-ambiguous",
            where={"connection": store.name},
            hint="merge or rename them in the shop, then redrive",
        )
    return _need_sound(store, resource, ids[0], _parsed(store, resource, hits[0], [*names, *columns], owner))


def _plain(value: object) -> str:
    return "" if value is None else str(value).strip().casefold()


def _is_blank(value: object) -> bool:
    return value is None or value == 0 or not str(value).strip()


def _told(
    store: Store,
    resource: Resource,
    keys: Iterable[str],
    only: Sequence[str] | None,
    *,
    search: bool,
) -> Iterator[tuple[str, Told]]:
    """
    What became of each key; trouble that cannot be one record's is raised.

    Args:
        search: Whether to look into lists first.
    """
    addresses = {key: address_of(resource, key) for key in keys}
    asked = {address for address in addresses.values() if address}
    # As targets they were read as a source just before, and what a flow asks for them stands in cassettes: the same each time.
    orders = store.orders if only is None else Listing()
    listed = _listed(store, resource, asked, orders) if search else {}
    lists: dict[str, Mapping[Address, Any]] = {}
    for key, address in addresses.items():
        if address is None:
            form = "of the form owner/id" if resource.owner else "a positive whole number"
            yield key, MalformedError({"field": resource.id_column, "reason": f"it is not {form}"})
            continue
        try:
            if address in listed:
                body = listed[address]
            elif resource.owner:
                body = _beneath(store, resource, address, lists)
            else:
                body = _body(store, resource, address.own)
            yield key, None if body is None else _asked(store, resource, address, body, only)
        except MalformedError as error:
            yield key, error
        except TaglineError as error:
            if error.code not in OWN_TROUBLE:
                raise
            yield key, error


def _listed(
    store: Store, resource: Resource, asked: Collection[Address], orders: Listing
) -> Mapping[Address, Any]:
    """Those of the asked records that lists hand out for less than single requests."""
    if resource.newest_last:
        return {Address(n): row for n, row in orders.find(store.wire, {a.own for a in asked}).items()}
    if resource.owner or len(asked) < WORTH or not _is_list_worth(store, resource, len(asked)):
        return {}
    return {a: row for a, row in all_rows(store, resource, resource.path) if a is not None and a in asked}


def _beneath(
    store: Store, resource: Resource, address: Address, lists: dict[str, Mapping[Address, Any]]
) -> Any:
    """One row of an owner's list, which is read once; None where it is not there."""
    if address.owner not in lists:
        rows = all_rows(store, resource, resource.list_path(address.owner), owner=address.owner)
        told: dict[Address, Any] = {}
        for each, row in rows:
            if each is not None:
                told[each] = _SEVERAL if each in told else row
        lists[address.owner] = told
    found = lists[address.owner].get(address)
    if found is _SEVERAL:
        raise MalformedError({"field": resource.id_column, "reason": "several rows of its owner have it"})
    return found


_SEVERAL: Final = object()
"""Stands for rows that share an address, as shipments of an order with several destinations can."""


def _asked(
    store: Store, resource: Resource, address: Address, body: Any, only: Sequence[str] | None
) -> ShopModel:
    record = _record(store, resource, body, only, address.owner)
    if address_of_record(resource, record) != address:
        # A list in place of one record, or a shop that answers with another one.
        raise MalformedError(
            {"field": resource.id_column, "reason": f"the shop answered with another {_noun(resource)}"}
        )
    return record


def _record(
    store: Store, resource: Resource, body: Any, only: Sequence[str] | None, owner: str = ""
) -> ShopModel:
    if owner and isinstance(body, Mapping):
        body = {**body, resource.owner: int(owner)}
        only = None if only is None else [*only, resource.owner]
    record = to_record(resource.model, body, store.zone, store.currency, only, least_id=resource.least_id)
    if address_of_record(resource, record) is None:
        raise MalformedError({"field": resource.id_column, "reason": "it is no id"})
    return record


def _parsed(store: Store, resource: Resource, row: Any, only: Sequence[str], owner: str = "") -> Told:
    try:
        return _record(store, resource, row, only, owner if resource.owner else "")
    except MalformedError as error:
        return error


def _body(store: Store, resource: Resource, own: str) -> Any:
    """One record as the shop sends it, None where there is none."""
    answer = store.wire.send("GET", resource.one_path(own))
    if answer.status == 404:
        return None
    where = {"connection": store.name, "record": own}
    meaning = SHIFT4SHOP.judge(answer.status)
    if meaning.disposition is Disposition.DEAD_LETTER:
        raise MalformedError({"field": "", "reason": f"the shop answered {answer.status} to its reading"})
    store.wire.need_done(answer, f"reading {_noun(resource)} {own}", where)
    try:
        body = answer.json(where)
    except TryAgainError as error:
        if name_of(answer, resource.id_column) is None:
            raise
        raise MalformedError({"field": "", "reason": error.message}) from None
    if isinstance(body, list):
        return body[0] if body else None
    return body


def _noun(resource: Resource) -> str:
    return resource.model.remote.entity.lower()


def _need_sound(store: Store, resource: Resource, record: str, told: Told) -> ShopModel | None:
    """
    Go on only with a record that could be understood.

    Raises:
        RecordError: It could not (code `source-malformed`).
    """
    if isinstance(told, MalformedError):
        raise RecordError(
            f"{_noun(resource)} {record} of the shop cannot be understood",
            code="source-malformed",
            where={"connection": store.name, "record": record},
            hint=f"correct the {_noun(resource)} in the shop, then redrive",
            details=told.faults,
        )
    if isinstance(told, TaglineError):
        raise told
    return told


def _sort(
    told: Iterable[tuple[str, Told]],
    records: dict[str, Model],
    malformed: dict[str, tuple[Mapping[str, str], ...]],
) -> dict[str, TaglineError]:
    """Put records and faults where they belong; what is left could not be read."""
    failed: dict[str, TaglineError] = {}
    for key, each in told:
        if isinstance(each, ShopModel):
            records[key] = each
        elif isinstance(each, MalformedError):
            malformed[key] = each.faults
        elif each is not None:
            failed[key] = each
    return failed
