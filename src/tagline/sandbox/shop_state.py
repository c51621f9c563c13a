"""What a shop holds, in the form that a state file keeps: rows by table and key, and the small things beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tagline.sandbox.shop_access import Access
from tagline.sandbox.shop_fields import Record
from tagline.sandbox.shop_store import Store

WEBHOOKS = "webhooks"


class ShopState:
    """A shop as rows and facts; credentials that were given to apps are among the facts."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    @property
    def on_change(self) -> Callable[[str, int], None]:
        """Told of every row that was put or removed."""
        return self._store.on_change

    @on_change.setter
    def on_change(self, told: Callable[[str, int], None]) -> None:
        self._store.on_change = told

    def kept(self) -> Iterator[tuple[str, int, Record]]:
        """Every row with its table and key."""
        for name, table in self._tables().items():
            for key, row in table.items():
                yield name, key, row

    def kept_row(self, name: str, key: int) -> Record | None:
        """The row, None when it is gone."""
        return self._tables()[name].get(key)

    def facts(self) -> Mapping[str, Any]:
        """Numbers, deliveries and tokens."""
        return {
            "numbers": self._store.facts(),
            "deliveries": self._store.webhooks.facts(),
            "tokens": self._access.facts(),
        }

    def restore(self, rows: Iterable[tuple[str, int, Record]], facts: Mapping[str, Any]) -> None:
        """Hold exactly this and nothing else."""
        self._store.empty()
        self._store.webhooks.registered.clear()
        for name, key, row in sorted(rows, key=lambda kept: kept[:2]):
            if name == WEBHOOKS:
                self._store.webhooks.registered[key] = row
            else:
                self._store.put(name, key, row)
        self._store.restore(facts["numbers"])
        self._store.webhooks.restore(facts["deliveries"])
        self._access.restore(facts["tokens"])

    def _tables(self) -> Mapping[str, Mapping[int, Record]]:
        return {**self._store.tables, WEBHOOKS: self._store.webhooks.registered}
