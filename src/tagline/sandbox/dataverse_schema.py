"""The tables of an organisation: Dataverse's own columns from `data/`, those of tagline's solution, and what was added since."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from tagline.sandbox.assumptions import UNTRACKED_TABLES

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
    "invoice",
    "invoicedetail",
    "territory",
    "msdyn_warehouse",
    "msdyn_productinventory",
    "msdyn_inventoryonhandrequest",
    "msdyn_inventoryonhandentry",
    "msdyn_purchaseorder",
    "msdyn_vendor",
    "organization",
    "businessunit",
    "systemuser",
    "team",
    "role",
    "privilege",
    "roleprivileges",
    "systemuserroles",
    "publisher",
    "solution",
    "importjob",
    "asyncoperation",
    "serviceendpoint",
    "sdkmessage",
    "sdkmessagefilter",
    "sdkmessageprocessingstep",
    "sdkmessageprocessingstepimage",
    "duplicaterule",
    "duplicaterulecondition",
    "teammembership",
)
PLATFORM = frozenset(NAMES[NAMES.index("organization") :])
"""Tables that the platform keeps for itself."""
LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})
CHOICES = frozenset({"Picklist", "State", "Status"})
TEXTS = frozenset({"String", "Memo"})
WHOLE = frozenset({"Integer", "BigInt"})
MONEY_PRECISION = 2
MONEY_PRINTED = 10
"""Decimals that newer organisations print for money."""
DECIMAL_PRECISION = 10
"""Of a decimal column whose metadata names none."""
ACTIVE = "Active"
"""Status of a key whose index is built; no other can be used."""
_UNINDEXED = frozenset({"systemuser", "team", "businessunit", "organization"})
"""Every row points to these, and nobody asks them which."""


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
    write_only: bool = False
    """Taken and never shown again, as the secret of an endpoint."""
    options: Mapping[int, str] = field(default_factory=dict)
    """Value -> label; empty for a choice whose options are not published."""
    states: Mapping[int, int] = field(default_factory=dict)
    """Of `statuscode`: value -> the state it belongs to, its first value being the state's default."""
    targets: Mapping[str, str] = field(default_factory=dict)
    """Of a lookup: target table -> navigation property."""
    collections: Mapping[str, str] = field(default_factory=dict)
    """Of a lookup that was added: target table -> navigation property of the rows that point back."""

    @property
    def wire(self) -> str:
        """How the column is called in answers, `$select` and `$filter`."""
        return f"_{self.name}_value" if self.type in LOOKUPS else self.name


@dataclass(frozen=True)
class KeyIndex:
    """An alternate key as metadata tells of it."""

    columns: tuple[str, ...]
    status: str = ACTIVE
    """`Pending`, `InProgress`, `Active` or `Failed`."""
    is_managed: bool = True


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
    indexes: Mapping[str, KeyIndex]
    """Every alternate key by schema name, also those that cannot be used yet."""
    is_tracked: bool
    """Whether changes can be asked for."""
    keys: Mapping[str, tuple[str, ...]]
    """Alternate keys that can be used: schema name -> columns."""
    by_wire: Mapping[str, Column]
    navigation: Mapping[str, tuple[Column, str]]
    """Navigation property -> lookup column and target table."""
    money: tuple[str, ...]
    """Money columns that have a twin in the organisation's currency."""
    lookups: tuple[str, ...]
    """Lookup columns that can point to a table we hold and that rows are found by."""
    stateful: bool

    def default_status(self, state: int) -> int:
        """The statuscode a row takes in that state when none is given."""
        return min(status for status, of in self.columns["statuscode"].states.items() if of == state)


class Schema:
    """
    The tables of one organisation, which may grow.

    Args:
        solution: Whether tagline's own columns and keys are there from the start.
    """

    def __init__(self, *, solution: bool = True) -> None:
        self.tables: dict[str, Table] = dict(_standard(solution=solution))
        self._at_first = dict(self.tables)
        self.entity_sets = {table.entity_set: table for table in self.tables.values()}
        self.on_change: Callable[[Table], None] = lambda _table: None
        """Told of each table that is about to be replaced, as it stands."""

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Let `tables()` mean these tables within the block."""
        token = _SCHEMA.set(self)
        try:
            yield
        finally:
            _SCHEMA.reset(token)

    def change(
        self,
        name: str,
        *,
        columns: Sequence[Column] = (),
        indexes: Mapping[str, KeyIndex] | None = None,
        is_tracked: bool | None = None,
    ) -> None:
        """Add columns to a table or replace them, replace all its keys, or switch its change tracking."""
        table = self.tables[name]
        self._put(
            replace(
                table,
                columns={**table.columns, **{c.name: c for c in columns}},
                indexes=table.indexes if indexes is None else indexes,
                is_tracked=table.is_tracked if is_tracked is None else is_tracked,
            )
        )

    def changes(self) -> Iterator[tuple[Table, Table]]:
        """Every table that was changed, beside what it was at first."""
        for name, table in self.tables.items():
            if table is not self._at_first[name]:
                yield table, self._at_first[name]

    def without(self, name: str, column: str) -> None:
        """Take a column away from a table."""
        table = self.tables[name]
        kept = {key: value for key, value in table.columns.items() if key != column}
        self._put(replace(table, columns=kept))

    def put_back(self, table: Table) -> None:
        """Hold a table as it stood before."""
        self.tables[table.name] = self.entity_sets[table.entity_set] = table

    def _put(self, table: Table) -> None:
        self.on_change(self.tables[table.name])
        self.put_back(_completed(table))


_SCHEMA: ContextVar[Schema | None] = ContextVar("schema of the organisation that is answering", default=None)


def schema() -> Schema:
    """That of the organisation that is answering; elsewhere what organisations start with, which is not to be changed."""
    return _SCHEMA.get() or _initial()


@cache
def _initial() -> Schema:
    return Schema()


def tables() -> Mapping[str, Table]:
    """Every table by logical name, of `schema()`."""
    return schema().tables


def entity_sets() -> Mapping[str, Table]:
    """Every table by the name of its entity set, of `schema()`."""
    return schema().entity_sets


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
def _standard(*, solution: bool) -> Mapping[str, Table]:
    """Every table as an organisation starts with it; read once."""
    data = files("tagline.sandbox") / "data"
    ours = solution_parts() if solution else {}
    found: dict[str, Table] = {}
    for name in NAMES:
        raw = json.loads((data / f"{name}.json").read_text("utf-8"))
        part = ours.get(name, {})
        found[name] = _completed(
            Table(
                **{
                    **raw,
                    "columns": {c["name"]: _column(c) for c in (*raw["columns"], *part.get("columns", ()))},
                },
                indexes={key: KeyIndex(tuple(names)) for key, names in part.get("keys", {}).items()},
                is_tracked=name not in UNTRACKED_TABLES,
                keys={},
                by_wire={},
                navigation={},
                money=(),
                lookups=(),
                stateful=False,
            )
        )
    return found


def solution_parts() -> Mapping[str, Any]:
    """By table, the columns and keys of tagline's own solution."""
    found: Mapping[str, Any] = json.loads(
        (files("tagline.sandbox") / "data" / "tagline_solution.json").read_text("utf-8")
    )
    return found


def _completed(table: Table) -> Table:
    """The table with what follows from its columns and keys."""
    columns = table.columns
    held = set(NAMES) - _UNINDEXED
    return replace(
        table,
        keys={name: key.columns for name, key in table.indexes.items() if key.status == ACTIVE},
        by_wire={c.wire: c for c in columns.values()},
        navigation={nav: (c, target) for c in columns.values() for target, nav in c.targets.items()},
        money=tuple(c for c in columns if columns[c].type == "Money" and f"{c}_base" in columns),
        lookups=tuple(c for c in columns if not held.isdisjoint(columns[c].targets)),
        stateful="statecode" in columns,
    )
