"""What a Finance environment holds, in the form that a state file keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tagline.sandbox.finance_events import BusinessEvents
from tagline.sandbox.finance_rows import FinanceRows, Key, Row


class FinanceState:
    """Rows with their numbers and schema, business events, and what is withheld from the application."""

    def __init__(self, rows: FinanceRows, events: BusinessEvents, withheld: set[str]) -> None:
        self._rows = rows
        self._events = events
        self._withheld = withheld

    @property
    def on_change(self) -> Callable[[str, Any], None]:
        """Told of every row that was put or removed."""
        return self._rows.on_change

    @on_change.setter
    def on_change(self, told: Callable[[str, Any], None]) -> None:
        self._rows.on_change = told

    def kept(self) -> Iterator[tuple[str, Key, Row]]:
        """Every row with its table and key."""
        return self._rows.kept()

    def kept_row(self, name: str, key: Key) -> Row | None:
        """The row, None when it is gone."""
        return self._rows.kept_row(name, key)

    def facts(self) -> Mapping[str, Any]:
        """The small things beside the rows."""
        return {**self._rows.facts(), "events": self._events.facts(), "withheld": sorted(self._withheld)}

    def restore(self, rows: Iterable[tuple[str, Key, Row]], facts: Mapping[str, Any]) -> None:
        """Hold exactly this and nothing else."""
        self._rows.restore(rows, facts)
        self._events.restore(facts.get("events", {}))
        self._withheld.clear()
        self._withheld.update(facts.get("withheld", ()))
