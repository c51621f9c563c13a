"""
Recorded source records and the target rows they met, as JSON files under `fixtures/<name>/corpus/`.

    {"schema": 1,
     "records": [{"flow": …, "key": …, "model": …, "raw": {…}, "context": {"time_zone": …, "currency": …}}],
     "rows":    [{"system": …, "model": …, "key": {…}, "values": {…} or null}]}

A row whose values are null was looked for and was not there.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from tagline.connectors.shift4shop import parse
from tagline.connectors.shift4shop.models import ShopModel
from tagline.domain.exchange import Key, Row
from tagline.domain.model import Model, Ref
from tagline.errors import UsageError

SCHEMA: Final = 1
Rows = Mapping[tuple[type[Model], Key], Row | None]


@dataclass(frozen=True)
class Recorded:
    """A source record as the remote sent it, scrubbed."""

    flow: str
    key: str
    model: str
    raw: Mapping[str, Any]
    context: Mapping[str, str] = field(default_factory=dict)
    """What its connection adds: `time_zone` and `currency` of a store."""

    @property
    def size(self) -> int:
        """Length of the record as JSON; the smallest one makes the best example."""
        return len(json.dumps(self.raw))


@dataclass(frozen=True)
class Corpus:
    """Everything recorded for one integration."""

    records: tuple[Recorded, ...]
    rows: Rows


def read(directory: Path) -> Corpus:
    """
    Read every file of a corpus, in the order of their names.

    Raises:
        UsageError: A file is no corpus this tagline knows (code `corpus-invalid`, naming the file).
    """
    records: list[Recorded] = []
    rows: dict[tuple[type[Model], Key], Row | None] = {}
    for path in sorted(directory.glob("*.json")):
        try:
            document = json.loads(path.read_text())
            if document["schema"] != SCHEMA:
                raise _invalid(path, f"schema {document['schema']!r}, this tagline knows {SCHEMA}")
            records += [Recorded(**record) for record in document["records"]]
            for row in document["rows"]:
                model = _model(row["system"], row["model"])
                key = _key(model, row["key"])
                rows[model, key] = None if row["values"] is None else _row(model, key, row["values"])
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors(include_input=False))
            raise _invalid(path, f"a row has other columns than its model: {fields}") from None
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise _invalid(path, type(error).__name__) from error
    return Corpus(tuple(records), rows)


def to_json(records: Sequence[Recorded], rows: Rows) -> str:
    """One file's text; equal contents have equal texts."""
    document = {
        "schema": SCHEMA,
        "records": [
            {"flow": r.flow, "key": r.key, "model": r.model, "raw": r.raw, "context": r.context}
            for r in records
        ],
        "rows": [
            {
                "system": model.remote.system,
                "model": model.__name__,
                "key": {n: spelled(v) for n, v in key},
                "values": None
                if row is None
                else {n: spelled(v) for n, v in {**row.values, model.remote.primary_id: row.id}.items()},
            }
            for (model, key), row in rows.items()
        ],
    }
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def spelled(value: Any) -> Any:
    """A column's value as JSON; decimals, days and instants as text, references by model and key."""
    match value:
        case Ref():
            return {"ref": value.model.__name__, "key": {n: spelled(v) for n, v in value.key}}
        case Decimal():
            return str(value)
        case date():
            return value.isoformat()
        case tuple() | list():
            return [spelled(v) for v in value]
    return value


def source_record(recorded: Recorded, model: type[Model]) -> Model:
    """
    Parse a recorded source record as its connector would.

    Raises:
        ValueError: It cannot be understood; what is wrong is the connector's to say.
    """
    if issubclass(model, ShopModel):
        zone = ZoneInfo(recorded.context["time_zone"])
        try:
            return parse.to_record(model, recorded.raw, zone, recorded.context["currency"])
        except parse.MalformedError as error:
            raise ValueError(str(error)) from error
    return model.model_validate(recorded.raw)


def _model(system: str, name: str) -> type[Model]:
    found = getattr(importlib.import_module(f"tagline.connectors.{system}.models"), name)
    if not (isinstance(found, type) and issubclass(found, Model)):
        raise TypeError(name)
    return found


def _key(model: type[Model], values: Mapping[str, Any]) -> Key:
    return tuple(sorted(_typed(model, values).items()))


def _row(model: type[Model], key: Key, values: Mapping[str, Any]) -> Row:
    typed = _typed(model, values)
    return Row(key, str(typed[model.remote.primary_id]), None, typed)


def _typed(model: type[Model], values: Mapping[str, Any]) -> dict[str, Any]:
    bound = {name: _bound(model, value) for name, value in values.items()}
    return model.model_validate(bound).given()


def _bound(model: type[Model], value: Any) -> Any:
    if isinstance(value, Mapping) and set(value) == {"ref", "key"}:
        target = _model(model.remote.system, value["ref"])
        return Ref(target, tuple(sorted(value["key"].items())))
    return value


def _invalid(path: Path, reason: str) -> UsageError:
    return UsageError(
        f"{path} is no corpus: {reason}",
        code="corpus-invalid",
        where={"file": str(path)},
        hint="record it again with tagline record",
    )
