"""Reading the source records of a batch: which came, which cannot be understood, and what people put over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tagline.domain.model import Model
from tagline.errors import RecordError, TaglineError
from tagline.flow.declare import Flow
from tagline.runtime import endings
from tagline.runtime.guarded import Working
from tagline.runtime.names import Named, names_of
from tagline.runtime.overrides import Overrides


@dataclass(frozen=True)
class Read:
    """What reading source records gave; a key in neither is gone."""

    records: Mapping[str, Model]
    """With the overrides of their fields."""
    errors: Mapping[str, TaglineError]
    named: Sequence[Named] = ()
    """Other names that people know these records by."""


def read(source: Working, integration: str, flow: Flow, keys: Sequence[str], overrides: Overrides) -> Read:
    """
    Read records by their own keys; a failure that is about a record is traced to it by reading one at a time.

    Raises:
        TaglineError: The source is away, or refuses everybody.
    """
    try:
        fetched = source.fetch(flow.source, keys)
    except TaglineError as error:
        if not endings.ends_the_record(error):
            raise
        if len(keys) == 1:
            return Read({}, {keys[0]: error})
        return _together([read(source, integration, flow, [key], overrides) for key in keys])
    malformed = {
        key: RecordError(
            f"{flow.source.__name__} {key} cannot be understood",
            code="record-malformed",
            where={"flow": flow.name, "record": key},
            hint="correct the record at its source and redrive, or teach the model its new form",
            details=details,
        )
        for key, details in fetched.malformed.items()
    }
    records, misfits = overrides.overridden(integration, flow.name, fetched.records, flow.key)
    named = [
        Named(integration, flow.name, key, name)
        for key, record in fetched.records.items()
        for name in names_of(record, key)
    ]
    return Read(records, {**malformed, **misfits}, named)


def _together(parts: Sequence[Read]) -> Read:
    return Read(
        {key: record for part in parts for key, record in part.records.items()},
        {key: error for part in parts for key, error in part.errors.items()},
        [name for part in parts for name in part.named],
    )
