"""
What a worker counts, on its way to the agent: added up here, handed over with the worker's next line, added to the metrics there.

Names of things in configuration and models, and codes, are all that a label may hold; never a key, an id or a value.
"""

from __future__ import annotations

import threading
from typing import Any, Final

RECORDS: Final = "records"
"""By flow and outcome: done, dead or retried."""
EFFECTS: Final = "effects"
"""By system, entity, kind and outcome."""
REQUESTS: Final = "requests"
"""By connection and class of the answer."""
RECEIVED: Final = "received"
"""By integration, flow and source."""
BATCH_S: Final = "batch_s"
"""By flow; seconds that a batch took, each one for itself."""
LABELS: Final = {RECORDS: 2, EFFECTS: 4, REQUESTS: 2, RECEIVED: 3, BATCH_S: 1}
"""How many labels each has."""

Count = tuple[str, tuple[str, ...], float]


class Counts:
    """Counts of one process since they were last taken; any thread may add."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[tuple[str, tuple[str, ...]], float] = {}
        self._each: list[Count] = []

    def add(self, name: str, *labels: str, number: float = 1.0) -> None:
        with self._lock:
            self._sums[name, labels] = self._sums.get((name, labels), 0.0) + number

    def note(self, name: str, *labels: str, value: float) -> None:
        """Keep a value for itself, where a sum would lose what is asked about."""
        with self._lock:
            self._each.append((name, labels, value))

    def take(self) -> list[Count]:
        """What was counted since the last call."""
        with self._lock:
            taken = [(name, labels, number) for (name, labels), number in self._sums.items()] + self._each
            self._sums, self._each = {}, []
        return taken


def from_plain(told: Any) -> list[Count]:
    """Counts as they came through JSON; what is none of ours is dropped, since another version may have told it."""
    found = []
    for each in told if isinstance(told, list) else ():
        match each:
            case [str(name), [*labels], int() | float() as number] if len(labels) == LABELS.get(name, -1):
                found.append((name, tuple(str(label) for label in labels), float(number)))
    return found
