"""Effects: what a flow awaits. Plain values; whoever drives the flow decides what they do."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, NoReturn, TypeVar

from tagline.domain.exchange import Key
from tagline.domain.model import Model
from tagline.domain.query import AnyOf, Condition, Expand, Query, Sort
from tagline.errors import RecordError, UsageError

T = TypeVar("T")


class Verb(StrEnum):
    FIND = "find"
    FIND_ALL = "find_all"
    FIND_WHERE = "find_where"
    UPSERT = "upsert"
    UPSERT_ALL = "upsert_all"
    UPDATE = "update"
    CREATE_ONCE = "create_once"
    ACT = "act"
    REMOVE = "remove"
    EXPECT = "expect"


class Reversibility(StrEnum):
    """How far an effect can be taken back; judged again on live state at repair time."""

    R0 = "R0"
    """A read."""
    R1 = "R1"
    """The old value can be restored."""
    R2 = "R2"
    """Created, removable while untouched."""
    R3 = "R3"
    """A locked or posted document; only a corrective one undoes it."""
    R4 = "R4"
    """Irreversible: a mail, a merge."""


@dataclass(frozen=True)
class Written:
    """Where a record stands after an effect: its key and id, nothing more."""

    model: type[Model]
    key: Key
    id: str
    """Under the shadow driver a row that does not exist yet has the id `new:<key>`."""
    created: bool = False


@dataclass(frozen=True)
class Found(Written):
    """A row that was read, with the columns asked for."""

    values: Mapping[str, Any] = field(default_factory=dict)
    expanded: Mapping[str, Found] = field(default_factory=dict)
    """Of `find_where`, by lookup column: the rows that were read along; absent where it points to none."""


@dataclass(frozen=True)
class Effect(Generic[T]):
    """
    One intended write or read of a remote, as a value.

    `models` holds one model for most verbs, the whole set of children for `upsert_all`; `action` and
    `parameters` belong to `act`. Awaiting it hands it to the driver and returns the driver's answer.
    """

    verb: Verb
    model: type[Model]
    models: tuple[Model, ...] = ()
    key: Key = ()
    within: Written | None = None
    within_column: str = ""
    """Lookup column of the child that points to `within`."""
    action: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Of an action, an expectation or a `find_all`; see the function that makes the effect."""
    names: tuple[str, ...] = ()
    """Columns to read, for `find`."""
    query: Query | None = None
    """Of `find_where`."""
    cause: str = ""
    """Code of the dead letter when an `expect` does not hold."""
    reversibility: Reversibility = Reversibility.R1

    def __await__(self) -> Generator[Effect[T], T, T]:
        answer = yield self
        return answer


def key_of(model: Model) -> Key:
    """
    The key a target is written by: its primary id where it was given, else its model's first alternate key given whole.

    With the id, an alternate key is a column like any other and can be changed. An id that is unique only beneath an owner,
    as a shop's shipment 0, stands in an alternate key together with it; that key then comes first.

    Raises:
        UsageError: Nothing was given to address it by (code `target-key-missing`).
    """
    given = model.given()
    remote = type(model).remote
    whole = [names for names in remote.keys if remote.primary_id in names]
    for names in (*whole, (remote.primary_id,), *remote.keys):
        if all(given.get(n) is not None for n in names):
            return tuple(sorted((n, given[n]) for n in names))
    raise UsageError(
        f"{type(model).__name__} has no value for any of its keys",
        code="target-key-missing",
        where={"model": type(model).__name__},
        hint=f"give {' or '.join('+'.join(k) for k in remote.keys) or remote.primary_id} in the mapping",
    )


def find(model: type[Model], *names: str, **key: Any) -> Effect[Found | None]:
    """Read the named columns of one target row by key; None when there is none."""
    return Effect(
        Verb.FIND, model, key=tuple(sorted(key.items())), names=names, reversibility=Reversibility.R0
    )


def find_all(model: type[Model], *names: str, by: str, values: Sequence[Any]) -> Effect[Mapping[Any, Found]]:
    """
    Read the named columns of several target rows in one go.

    Args:
        names: Columns to read.
        by: Column of a key that is one column wide.
        values: The key's values; repeated ones are read once.

    Returns:
        The rows that exist, by the value of `by`; absent ones are absent.
    """
    return Effect(
        Verb.FIND_ALL,
        model,
        names=names,
        parameters={"by": by, "values": tuple(dict.fromkeys(values))},
        reversibility=Reversibility.R0,
    )


def find_where(
    model: type[Model],
    *names: str,
    where: Sequence[Condition | AnyOf],
    order_by: Sequence[Sort] = (),
    limit: int | None = None,
    expand: Sequence[Expand] = (),
) -> Effect[list[Found]]:
    """
    Read the named columns of the target rows that meet every condition.

    A reference in a condition may be by any key of its model; nothing equals a row that does not exist.

    Args:
        limit: Rows at most; None is all of them, and more than 20,000 end the record.
        expand: Rows that lookups point to, read along.

    Raises:
        UsageError: A name is no column (code `query-column-unknown`), or a value does not fit its column (code `query-invalid`).
    """
    query = Query(model, names, tuple(where), tuple(order_by), limit, tuple(expand))
    return Effect(Verb.FIND_WHERE, model, names=names, query=query, reversibility=Reversibility.R0)


def upsert(target: Model) -> Effect[Written]:
    """Make the row exist with the given fields: created if absent, changed where it differs."""
    return Effect(Verb.UPSERT, type(target), (target,), key_of(target))


def upsert_all(
    targets: Sequence[Model], *, within: Written, by: str, model: type[Model] | None = None
) -> Effect[list[Written]]:
    """
    Make the children of `within` be exactly these: written like `upsert`, and what this flow wrote earlier
    and no longer yields is removed.

    Args:
        targets: Children, all of one model.
        within: The parent, as returned by its own `upsert`.
        by: Lookup column of the child that points to the parent; the driver fills it.
        model: The child's model; needed only when `targets` may be empty.
    """
    kind = model or (type(targets[0]) if targets else None)
    if kind is None:
        raise UsageError(
            "upsert_all of an empty list does not know its model",
            code="children-model-unknown",
            hint="pass model=… where the list may be empty",
        )
    return Effect(Verb.UPSERT_ALL, kind, tuple(targets), within.key, within=within, within_column=by)


def update(target: Model) -> Effect[Written]:
    """Change the given fields of a row that must exist."""
    return Effect(Verb.UPDATE, type(target), (target,), key_of(target))


def create_once(target: Model) -> Effect[Written]:
    """Create the row if its key is absent; an existing one is left as it is."""
    return Effect(Verb.CREATE_ONCE, type(target), (target,), key_of(target), reversibility=Reversibility.R2)


def act(
    target: Written,
    action: str,
    *,
    when: Mapping[str, Sequence[Any]] | None = None,
    reversibility: Reversibility = Reversibility.R3,
    **parameters: Any,
) -> Effect[Written]:
    """
    Perform a named state transition, if the row's state still calls for it.

    Args:
        target: The row, as returned by its own `upsert`.
        action: One of the connector's transitions, for example `FulfillSalesOrder`.
        when: Columns with the values at which the transition is due; at any other value it is already
            done or passed, and nothing is sent.
        parameters: The transition's own parameters.
    """
    return Effect(
        Verb.ACT,
        target.model,
        key=target.key,
        within=target,
        action=action,
        parameters={"when": {k: tuple(v) for k, v in (when or {}).items()}, **parameters},
        reversibility=reversibility,
    )


def remove(target: Written) -> Effect[None]:
    """Delete the row if it is there."""
    return Effect(Verb.REMOVE, target.model, key=target.key, within=target, reversibility=Reversibility.R2)


def expect(target: Written, *, cause: str, **values: Any) -> Effect[None]:
    """
    Read the row back and end this record as a dead letter unless its columns have these values.

    For what the remote computes itself, such as `totalamount`; decimals compare by value. The shadow
    driver, which writes nothing, shows the expectation instead.
    """
    return Effect(
        Verb.EXPECT,
        target.model,
        key=target.key,
        within=target,
        parameters=values,
        names=tuple(values),
        cause=cause,
        reversibility=Reversibility.R0,
    )


def require(condition: bool, *, cause: str, message: str = "", hint: str = "", field: str = "") -> None:
    """
    End this record as a dead letter unless the condition holds.

    Raises:
        RecordError: With `cause` as its code.
    """
    if not condition:
        reject(cause, message or f"requirement {cause} does not hold", hint=hint, field=field)


def reject(cause: str, message: str, *, hint: str = "", field: str | Sequence[str] = "") -> NoReturn:
    """
    End this record as a dead letter with a cause, the fields it is about and the next action.

    Args:
        field: One or several paths, elements of a list counted from 0 (`OrderItemList.1.ItemID`), as overrides name them.
    """
    fields = (field,) if isinstance(field, str) else tuple(field)
    raise RecordError(
        message,
        code=cause,
        hint=hint,
        details=tuple({"field": each, "reason": message} for each in fields if each),
    )
