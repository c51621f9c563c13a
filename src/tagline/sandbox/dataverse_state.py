"""What an organisation holds, in the form that a state file keeps: rows by table and id, and the small things beside them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from random import Random
from typing import Any

from tagline.sandbox.dataverse_customising import FAILED, begin_key
from tagline.sandbox.dataverse_platform import Platform
from tagline.sandbox.dataverse_rows import Row
from tagline.sandbox.dataverse_schema import ACTIVE, Column, KeyIndex, tables
from tagline.sandbox.dataverse_solution_file import SolutionFile, read_solution, write_solution
from tagline.sandbox.dataverse_webhooks import Webhooks


class Ids:
    """Random ids, the same for the same seed; knows how many it gave."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)  # noqa: S311 - ids of a sandbox, repeatable by seed
        self.given = 0

    def new(self) -> str:
        self.given += 1
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def skip_to(self, given: int) -> None:
        """Go on as if so many had been given."""
        while self.given < given:
            self.new()


class OrganisationState:
    """
    An organisation as rows and facts. What the platform was about to do, it begins anew after a restart.

    Args:
        in_force: Lets the tables and quirks of the organisation be those that are asked for.
    """

    def __init__(
        self,
        platform: Platform,
        webhooks: Webhooks,
        ids: Ids,
        in_force: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._in_force = in_force
        self._platform = platform
        self._webhooks = webhooks
        self._ids = ids
        self._zipped: dict[str, tuple[SolutionFile, bytes]] = {}

    @property
    def on_change(self) -> Callable[[str, Any], None]:
        """Told of every row that was put or removed, also by taking a change back."""
        return self._platform.rows.on_change

    @on_change.setter
    def on_change(self, told: Callable[[str, Any], None]) -> None:
        self._platform.rows.on_change = told

    def kept(self) -> Iterator[tuple[str, str, Row]]:
        """Every row with its table and id."""
        for table in tables().values():
            for row in self._platform.rows.all(table):
                yield table.name, row[table.primary_id], row

    def kept_row(self, name: str, key: str) -> Row | None:
        """The row, None when it is gone."""
        return self._platform.rows.get(tables()[name], key)

    def facts(self) -> Mapping[str, Any]:
        """Versions, ids, deliveries, and how the tables differ from those of a new organisation."""
        return {
            "version": self._platform.rows.version,
            "ids": self._ids.given,
            "deliveries": self._webhooks.facts(),
            "solutions": {name: self._zip(name, s) for name, s in self._platform.solutions.items()},
            "tables": {
                table.name: {
                    "columns": [
                        asdict(column)
                        for column in table.columns.values()
                        if first.columns.get(column.name) is not column
                    ],
                    "gone": [name for name in first.columns if name not in table.columns],
                    "keys": {key: asdict(index) for key, index in table.indexes.items()},
                    "tracked": table.is_tracked,
                }
                for table, first in self._platform.schema.changes()
            },
        }

    def _zip(self, name: str, solution: SolutionFile) -> bytes:
        """The solution's file, made once."""
        zipped = self._zipped.get(name)
        if zipped is None or zipped[0] is not solution:
            zipped = self._zipped[name] = (solution, write_solution(solution))
        return zipped[1]

    def restore(self, rows: Iterable[tuple[str, str, Row]], facts: Mapping[str, Any]) -> None:
        """Hold exactly this and nothing else; whoever follows changes has to read everything once more."""
        platform = self._platform
        with self._in_force():
            for name, told in facts["tables"].items():
                platform.schema.change(
                    name,
                    columns=[Column(**column) for column in told["columns"]],
                    indexes={
                        key: KeyIndex(tuple(index["columns"]), index["status"], index["is_managed"])
                        for key, index in told["keys"].items()
                    },
                    is_tracked=told["tracked"],
                )
                for column in told["gone"]:
                    platform.schema.without(name, column)
            platform.rows.replace(((tables()[name], key, row) for name, key, row in rows), facts["version"])
            for table in tables().values():
                platform.tracking.expire(platform.rows, table)
                for key, index in table.indexes.items():
                    if index.status not in (ACTIVE, FAILED):
                        begin_key(platform, table.name, key)
        platform.solutions.clear()
        platform.solutions.update({n: read_solution(archive) for n, archive in facts["solutions"].items()})
        self._ids.skip_to(facts["ids"])
        self._webhooks.restore(facts["deliveries"])
