"""Why a record cannot go on: what a driver answers instead of a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tagline.domain.exchange import ROW_CHANGED, ROW_EXISTS, Key, Outcome, Write
from tagline.domain.model import Model
from tagline.errors import (
    Disposition,
    NotAuthorisedError,
    RecordError,
    TaglineError,
    TryAgainError,
    UsageError,
)
from tagline.flow.effects import Effect

Details = Sequence[Mapping[str, str]]


def connection_missing(model: type[Model]) -> UsageError:
    system = model.remote.system
    return UsageError(
        f"{model.__name__} lives in a {system} system, and no connection is of that kind",
        code="connection-missing",
        where={"model": model.__name__, "system": system},
        hint=f"declare a {system} connection in connections.py and configure it in the environment",
    )


def target_missing(effect: Effect[Any]) -> RecordError:
    name = effect.model.__name__
    return RecordError(
        f"{effect.verb} needs a {name} that does not exist",
        code="target-missing",
        where={"model": name, "key": columns_of(effect.key)},
        hint="upsert it first, or find out who removed it, then redrive",
        details=({"field": name, "reason": f"no row has this {columns_of(effect.key)}"},),
    )


def reference_not_found(details: Details) -> RecordError:
    return RecordError(
        "; ".join(f"{d['field']}: {d['reason']}" for d in details),
        code="reference-not-found",
        hint="create the row it refers to, or correct the value at its source or in its table, then redrive",
        details=tuple(details),
    )


def child_repeated(effect: Effect[Any], key: Key) -> RecordError:
    name = effect.model.__name__
    return RecordError(
        f"two children of one upsert_all have the same {name} {columns_of(key)}",
        code="child-repeated",
        hint="give every child a key of its own in its mapping, or correct the repeated row at its source",
        details=(
            {"field": f"{name}.{columns_of(key)}", "reason": "occurs twice among the children of one parent"},
        ),
    )


def not_as_expected(effect: Effect[Any], details: Details) -> RecordError:
    return RecordError(
        f"{effect.model.__name__} was read back and is not as expected: "
        + ", ".join(d["field"].partition(".")[2] for d in details),
        code=effect.cause,
        where={"model": effect.model.__name__, "key": columns_of(effect.key)},
        hint="compare the record with what stands on the remote; correct the mapping or the source, then redrive",
        details=tuple(details),
    )


def id_untold(write: Write) -> TryAgainError:
    return TryAgainError(
        f"the {write.model.__name__} that was created is not there to read",
        code="created-row-gone",
        where={"model": write.model.__name__, "key": columns_of(write.key)},
        hint="the record runs again by itself",
        disposition=Disposition.RETRY,
    )


def from_outcome(write: Write, outcome: Outcome) -> TaglineError:
    """What an outcome that is not done means for the records that asked for the write."""
    name, code = write.model.__name__, outcome.code
    message = outcome.message or f"{name} could not be written"
    where = {"model": name, "key": columns_of(write.key)}
    if code in (ROW_CHANGED, ROW_EXISTS):
        return TryAgainError(
            f"somebody wrote the same {name} in between",
            code=code,
            where=where,
            hint="the record runs again at once, on what stands there now",
            disposition=Disposition.RETRY,
            retry_after_s=0,
        )
    match outcome.disposition:
        case Disposition.RETRY:
            return TryAgainError(
                message,
                code=code,
                where=where,
                hint=outcome.hint,
                disposition=Disposition.RETRY,
                retry_after_s=outcome.retry_after_s,
            )
        case Disposition.DEAD_LETTER:
            details = ({"field": name, "reason": message},)
            return RecordError(message, code=code, where=where, hint=outcome.hint, details=details)
        case _:
            return NotAuthorisedError(message, code=code, where=where, hint=outcome.hint)


def gravest(errors: Sequence[TaglineError]) -> TaglineError:
    """
    The one error that speaks for several: what stops the run, else what sets the record aside, else what is tried again.

    Trying again would not help a record that also has a wrong field; its dead letter lists all of them.
    """
    order = (Disposition.STOP, Disposition.DEAD_LETTER, Disposition.RETRY)
    first = min(errors, key=lambda e: order.index(e.disposition))
    lasting = [e for e in errors if isinstance(e, RecordError)]
    if not isinstance(first, RecordError) or len(lasting) == 1:
        return first
    return RecordError(
        first.message,
        code=first.code,
        where=first.where,
        hint=first.hint,
        details=tuple(detail for each in lasting for detail in each.details),
    )


def columns_of(key: Key) -> str:
    """Names of a key's columns; its values may be, or encode, something of a person."""
    return "+".join(name for name, _ in key)
