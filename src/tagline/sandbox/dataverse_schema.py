"""The tables of the sandbox organisation: Dataverse's own columns and those of tagline's solution, from `data/`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

NAMES = (
    "account",
    "contact",
    "product",
    "pricelevel",
    "productpricelevel",
    "uom",
    "uomschedule",
    "transactioncurrency",
    "salesorder",
    "salesorderdetail",
    "orderclose",
)
LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})
CHOICES = frozenset({"Picklist", "State", "Status"})
TEXTS = frozenset({"String", "Memo"})
WHOLE = frozenset({"Integer", "BigInt"})
MONEY_PRECISION = 2
MONEY_PRINTED = 10
"""Decimals that newer organisations print for money."""
DECIMAL_PRECISION = 10
"""Of a decimal column whose metadata names none."""


@dataclass(frozen=True)
class Column:
    """One column, with what the server checks about it."""

    name: str
    type: str
    max_length: int = 0
    precision: int = DECIMAL_PRECISION
    min: float | None = None
    max: float | None = None
    required: str = "None"
    create: bool = True
    update: bool = True
    options: Mapping[int, str] = field(default_factory=dict)
    """Value -> label; empty for a choice whose options are not published."""
    states: Mapping[int, int] = field(default_factory=dict)
    """Of `statuscode`: value -> the state it belongs to, its first value being the state's default."""
    targets: Mapping[str, str] = field(default_factory=dict)
    """Of a lookup: target table -> navigation property."""

    @property
    def wire(self) -> str:
        """How the column is called in answers, `$select` and `$filter`."""
        return f"_{self.name}_value" if self.type in LOOKUPS else self.name


@dataclass(frozen=True)
class Table:
    """One table and every name its rows and columns go by."""

    name: str
    entity_set: str
    primary_id: str
    primary_name: str | None
    ownership: str
    object_type_code: int
    columns: Mapping[str, Column]
    keys: Mapping[str, tuple[str, ...]]
    """Alternate keys: schema name -> columns."""
    by_wire: Mapping[str, Column]
    navigation: Mapping[str, tuple[Column, str]]
    """Navigation property -> lookup column and target table."""
    money: tuple[str, ...]
    """Money columns that have a twin in the organisation's currency."""
    lookups: tuple[str, ...]
    """Lookup columns that can point to a table we hold."""
    stateful: bool

    def default_status(self, state: int) -> int:
        """The statuscode a row takes in that state when none is given."""
        return min(status for status, of in self.columns["statuscode"].states.items() if of == state)


def _column(raw: Mapping[str, Any]) -> Column:
    facts = dict(raw)
    options = facts.pop("options", [])
    precision = {"Money": MONEY_PRECISION}.get(facts["type"], DECIMAL_PRECISION)
    if facts["name"] == "exchangerate":
        precision = 12
    return Column(
        **{"precision": precision, **facts},
        options={o[0]: o[1] for o in options},
        states={o[0]: o[2] for o in options if len(o) > 2},
    )


@cache
def tables() -> Mapping[str, Table]:
    """Every table by logical name; read once."""
    data = files("tagline.sandbox") / "data"
    solution = json.loads((data / "solution.json").read_text("utf-8"))
    found: dict[str, Table] = {}
    for name in NAMES:
        raw = json.loads((data / f"{name}.json").read_text("utf-8"))
        ours = solution.get(name, {})
        columns = {c["name"]: _column(c) for c in (*raw.pop("columns"), *ours.get("columns", ()))}
        found[name] = Table(
            **raw,
            columns=columns,
            keys={key: tuple(names) for key, names in ours.get("keys", {}).items()},
            by_wire={c.wire: c for c in columns.values()},
            navigation={nav: (c, target) for c in columns.values() for target, nav in c.targets.items()},
            money=tuple(c for c in columns if columns[c].type == "Money" and f"{c}_base" in columns),
            lookups=tuple(c for c in columns if not set(NAMES).isdisjoint(columns[c].targets)),
            stateful="statecode" in columns,
        )
    return found


@cache
def entity_sets() -> Mapping[str, Table]:
    """Every table by the name of its entity set."""
    return {table.entity_set: table for table in tables().values()}
