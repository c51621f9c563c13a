"""
Writes to the shop in the fewest requests, and what became of each.

The shop has no conditional write and no key against repetition. A create looks its alternate key up first, where the API
can; whoever creates the same between that and the POST makes two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tagline.connectors.dispositions import SHIFT4SHOP
from tagline.connectors.shift4shop.reading import is_findable, look_up
from tagline.connectors.shift4shop.resources import RESOURCES, Resource
from tagline.connectors.shift4shop.results import Result, results_in_order, results_of
from tagline.connectors.shift4shop.store import Address, Store, address_of, address_of_record, to_address
from tagline.connectors.shift4shop.updates import (
    address_of_write,
    chunks_of,
    create_body,
    owner_of_create,
    refusal_of,
    update_body,
)
from tagline.domain.exchange import ROW_EXISTS, Outcome, Write, WriteKind
from tagline.errors import Disposition, TaglineError


def perform(store: Store, writes: Sequence[Write]) -> Sequence[Outcome]:
    """Make the writes: runs of one kind, model and owner share requests; what cannot be sent becomes a dead letter."""
    outcomes: dict[int, Outcome] = {}
    runs: list[tuple[object, list[int]]] = []
    for place, write in enumerate(writes):
        resource = RESOURCES.get(write.model)
        refused = refusal_of(resource, write)
        if refused is not None:
            outcomes[place] = refused
            continue
        assert resource is not None
        group = (write.kind, write.model, _owner(resource, write))
        if not runs or runs[-1][0] != group:
            runs.append((group, []))
        runs[-1][1].append(place)
    chunks = [c for _, places in runs for c in chunks_of(places, [_name(writes[p], p) for p in places])]
    told = _in_turn([[writes[place] for place in chunk] for chunk in chunks], partial(_send, store))
    outcomes.update(zip((place for chunk in chunks for place in chunk), told, strict=True))
    return [outcomes[place] for place in range(len(writes))]


def _in_turn(
    parts: Sequence[Sequence[Write]], send: Callable[[Sequence[Write]], list[Outcome]]
) -> list[Outcome]:
    """
    Send parts one after the other. Where one fails after another was done, it and those behind it alone are told of as failed.

    What was created is known then, and is not created again.
    """
    told: list[Outcome] = []
    trouble: Outcome | None = None
    for part in parts:
        if trouble is None:
            try:
                told += send(part)
                continue
            except TaglineError as error:
                if not told:
                    raise
                trouble = Outcome(
                    error.disposition,
                    code=error.code,
                    message=error.message,
                    hint=error.hint,
                    retry_after_s=error.retry_after_s,
                )
        told += [trouble] * len(part)
    return told


def _send(store: Store, writes: Sequence[Write]) -> list[Outcome]:
    """Send writes of one kind, model and owner, none of the same record."""
    resource = RESOURCES[writes[0].model]
    match writes[0].kind:
        case WriteKind.CREATE:
            return _create(store, resource, writes)
        case WriteKind.DELETE:
            return _in_turn([[write] for write in writes], lambda one: [_delete(store, resource, one[0])])
        case _:
            return _put(store, resource, writes)


def _name(write: Write, place: int) -> object:
    """What a write is about, so that no request holds two of the same."""
    resource = RESOURCES[write.model]
    return (
        _alternate(resource, write) or place if write.kind is WriteKind.CREATE else _address(resource, write)
    )


def _owner(resource: Resource, write: Write) -> str:
    if write.kind is WriteKind.CREATE:
        return owner_of_create(resource, write) or ""
    return _address(resource, write).owner


def _address(resource: Resource, write: Write) -> Address:
    """The record a write is about; `refusal_of` saw to it that there is one."""
    address = address_of_write(resource, write)
    assert address is not None
    return address


def _create(store: Store, resource: Resource, writes: Sequence[Write]) -> list[Outcome]:
    """Create those whose key nobody has."""
    standing = [_standing(store, resource, write) for write in writes]
    absent = [write for write, found in zip(writes, standing, strict=True) if found is None]
    told = iter(_post(store, resource, absent) if absent else ())
    return [found or next(told) for found in standing]


def _put(store: Store, resource: Resource, writes: Sequence[Write]) -> list[Outcome]:
    """Send updates of different records in one request, or one by one when the shop refuses them as a whole."""
    addresses = [_address(resource, w) for w in writes]
    bodies = [update_body(resource, a, w, store.zone) for a, w in zip(addresses, writes, strict=True)]
    owner, ids = addresses[0].owner, [a.own for a in addresses]
    if len(writes) == 1:
        answer = store.wire.send("PUT", resource.write_path(owner, ids[0]), body=bodies[0])
    else:
        answer = store.wire.send("PUT", resource.write_path(owner), body=bodies)
    told = results_of(answer, ids)
    if told is not None:
        return [_outcome(a, w, r) for a, w, r in zip(addresses, writes, told, strict=True)]
    meaning = SHIFT4SHOP.judge(answer.status)
    if meaning.disposition is not Disposition.DEAD_LETTER:
        store.wire.need_done(answer, f"updating {resource.name}")
    if len(writes) == 1:
        return [_outcome(addresses[0], writes[0], Result(answer.status))]
    # A PUT sets absolute values, so that sending one again changes nothing; and one bad record spoils no other.
    return _in_turn([[write] for write in writes], partial(_put, store, resource))


def _post(store: Store, resource: Resource, writes: Sequence[Write]) -> list[Outcome]:
    """
    Create records in one request, or one by one when the shop refuses them as a whole.

    A refusal (400) of several is taken as one of all of them: nothing was created then.
    """
    bodies = [create_body(resource, w, store.zone) for w in writes]
    owner = owner_of_create(resource, writes[0]) or ""
    answer = store.wire.send("POST", resource.write_path(owner), resource.create_flags or None, bodies)
    told = results_in_order(answer, len(writes))
    if told is not None:
        return [_created(resource, owner, w, r) for w, r in zip(writes, told, strict=True)]
    meaning = SHIFT4SHOP.judge(answer.status)
    if meaning.disposition is not Disposition.DEAD_LETTER:
        store.wire.need_done(answer, f"creating {resource.name}")
    if len(writes) == 1:
        return [_created(resource, owner, writes[0], Result(answer.status))]
    return _in_turn([[write] for write in writes], partial(_post, store, resource))


def _delete(store: Store, resource: Resource, write: Write) -> Outcome:
    """Delete one record; one that is not there is deleted."""
    address = _address(resource, write)
    answer = store.wire.send("DELETE", resource.write_path(address.owner, address.own))
    if answer.status == 404:
        return Outcome(Disposition.DONE, id=str(address))
    told = results_of(answer, [address.own])
    if told is None and SHIFT4SHOP.judge(answer.status).disposition is not Disposition.DEAD_LETTER:
        store.wire.need_done(answer, f"deleting {resource.name}")
    return _outcome(address, write, told[0] if told else Result(answer.status))


def _standing(store: Store, resource: Resource, write: Write) -> Outcome | None:
    """The outcome of a create whose alternate key somebody else has; None where nobody has it, or nobody can tell."""
    key = _alternate(resource, write)
    found = look_up(store, resource, dict(key), ()) if key else None
    if found is None:
        return None
    return Outcome(
        Disposition.RETRY,
        id=str(address_of_record(resource, found)),
        code=ROW_EXISTS,
        message=f"the shop has one of its {resource.name} with this {' and '.join(n for n, _ in key)}",
        hint="somebody created it first; it is read again",
    )


def _alternate(resource: Resource, write: Write) -> tuple[tuple[str, object], ...]:
    """The first alternate key that the create fills and the API can find by; empty where there is none."""
    given = {**dict(write.key), **write.fields}
    for names in resource.model.remote.keys:
        if is_findable(resource, names) and all(given.get(n) not in (None, "") for n in names):
            return tuple((n, given[n]) for n in names)
    return ()


def _created(resource: Resource, owner: str, write: Write, result: Result | None) -> Outcome:
    if result is None:
        return Outcome(
            Disposition.RETRY,
            code="remote-outcome-unknown",
            message=f"the shop does not tell which of several new {resource.name} it created",
            hint="it runs again; look for a double where the model has no key that the shop can find by",
        )
    meaning = SHIFT4SHOP.judge(result.status)
    if meaning.disposition is Disposition.DONE:
        if resource.owner:
            address = to_address(resource, owner, result.value)
        else:
            address = address_of(resource, result.value)
        # Where the answer tells no id, whoever asked finds it by the alternate key.
        return Outcome(meaning.disposition, id=str(address) if address else None)
    return Outcome(
        meaning.disposition,
        code=meaning.code,
        message=f"the shop answered {result.status} to the creation with {', '.join(write.fields)}",
        hint=meaning.hint,
    )


def _outcome(address: Address, write: Write, result: Result) -> Outcome:
    meaning = SHIFT4SHOP.judge(result.status)
    if meaning.disposition is Disposition.DONE:
        return Outcome(meaning.disposition, id=str(address))
    told = f"update of {', '.join(write.fields)}" if write.kind is WriteKind.UPDATE else write.kind.value
    return Outcome(
        meaning.disposition,
        id=str(address),
        code=meaning.code,
        message=f"the shop answered {result.status} to the {told}",
        hint=meaning.hint,
    )
