"""
Recorded source records and the target rows they met, as JSON files under `fixtures/<name>/corpus/`.

    {"schema": 1,
     "records": [{"flow": …, "key": …, "model": …, "raw": {…}, "context": {"time_zone": …, "currency": …}}],
     "rows":    [{"system": …, "model": …, "key": {…}, "values": {…} or null}],
     "queries": [{"system": …, "model": …, "where": […], "order_by": […], "limit": …, "found": [{key of a row}, …]}]}

A row whose values are null was looked for and was not there. There are no queries where none was made.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, TypeAdapter, ValidationError

from tagline.connectors.shift4shop import parse
from tagline.connectors.shift4shop.models import ShopModel
from tagline.domain.exchange import Key, Row
from tagline.domain.model import Model, Ref
from tagline.domain.query import AnyOf, Comparison, Condition, Query, Sort, Term
from tagline.errors import UsageError

SCHEMA: Final = 1
Rows = Mapping[tuple[type[Model], Key], Row | None]
Queries = Mapping[Query, Sequence[Key]]
"""Queries by conditions, their columns left out, and the keys of the rows they found."""


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
    queries: Queries = field(default_factory=dict)


def read(directory: Path) -> Corpus:
    """
    Read every file of a corpus, in the order of their names.

    Raises:
        UsageError: A file is no corpus this tagline knows (code `corpus-invalid`, naming the file).
    """
    records: list[Recorded] = []
    rows: dict[tuple[type[Model], Key], Row | None] = {}
    queries: dict[Query, Sequence[Key]] = {}
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
            for query in document.get("queries", ()):
                model = _model(query["system"], query["model"])
                queries[_query(model, query)] = [_key(model, key) for key in query["found"]]
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors(include_input=False))
            raise _invalid(path, f"a row has other columns than its model: {fields}") from None
        except UsageError as error:
            raise _invalid(path, error.message) from None
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise _invalid(path, type(error).__name__) from error
    return Corpus(tuple(records), rows, queries)


def to_json(records: Sequence[Recorded], rows: Rows, queries: Queries = MappingProxyType({})) -> str:
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
        **({"queries": [_spelled_query(*each) for each in queries.items()]} if queries else {}),
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


def _spelled_query(query: Query, found: Sequence[Key]) -> Mapping[str, Any]:
    return {
        "system": query.model.remote.system,
        "model": query.model.__name__,
        "where": [_spelled_term(term) for term in query.where],
        "order_by": [[sort.column, sort.descending] for sort in query.order_by],
        "limit": query.limit,
        "found": [{n: spelled(v) for n, v in key} for key in found],
    }


def _spelled_term(term: Term) -> Mapping[str, Any]:
    if isinstance(term, AnyOf):
        return {"any_of": [_spelled_term(each) for each in term.conditions]}
    return {"column": term.column, "comparison": term.comparison, "value": spelled(term.value)}


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


def _query(model: type[Model], raw: Mapping[str, Any]) -> Query:
    return Query(
        model,
        (),
        tuple(_term(model, term) for term in raw["where"]),
        tuple(Sort(column, descending) for column, descending in raw["order_by"]),
        raw["limit"],
    )


def _term(model: type[Model], raw: Mapping[str, Any]) -> Term:
    if "any_of" in raw:
        return AnyOf(tuple(_condition(model, each) for each in raw["any_of"]))
    return _condition(model, raw)


def _condition(model: type[Model], raw: Mapping[str, Any]) -> Condition:
    name, comparison, value = raw["column"], Comparison(raw["comparison"]), raw["value"]
    if comparison is Comparison.IS_BLANK:
        return Condition(name, comparison, value)
    # A text may be longer than its column, since it is only compared; the column's type alone is asked.
    annotation: Any = model.model_fields[name].annotation
    of_type: TypeAdapter[Any] = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    if comparison is Comparison.IN:
        return Condition(name, comparison, tuple(of_type.validate_python(_bound(model, v)) for v in value))
    return Condition(name, comparison, of_type.validate_python(_bound(model, value)))


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
