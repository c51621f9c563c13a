"""The effects journal: every write of a live run, told before it is made and again after it is known.

An entry holds the row before and after with the deployment that made it, so that a repair can compare three ways: what we
wrote last, what should have been written, what stands there now. An entry that was never settled is *in doubt*: the
process or the answer was lost between the two, and the next run of the record finds out what happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tagline.domain.exchange import Key, Row, WriteKind
from tagline.errors import Disposition
from tagline.flow.effects import Reversibility, Verb


@dataclass(frozen=True)
class Intent:
    """One write about to be made, with what it replaces."""

    deployment: str
    integration: str
    flow: str
    record: str
    """Key of the source record; of several that share one write, the one whose fields were given last."""
    system: str
    entity: str
    verb: Verb
    kind: WriteKind
    key: Key
    target_id: str | None
    etag: str | None
    before: Mapping[str, Any] | None
    """The columns about to change as they stand; every column of ours for a delete; None for a create."""
    after: Mapping[str, Any]
    """The columns as written; the parameters of an action; empty for a delete."""
    action: str
    reversibility: Reversibility


@dataclass(frozen=True)
class Settled:
    """What became of an entry."""

    entry: int
    disposition: Disposition
    id: str | None
    etag: str | None
    code: str


@dataclass(frozen=True)
class Doubt:
    """An entry of which nobody knows whether it happened."""

    entry: int
    intent: Intent


class Journal(Protocol):
    """Where intents and their ends are kept."""

    def intend(self, intents: Sequence[Intent]) -> Sequence[int]:
        """
        Keep the intents in one group commit, before any of them is sent; returns their entries, in order.

        Raises:
            RefusedError: Their deployment is no longer the active one (code `fenced`).
        """
        ...

    def settle(self, settled: Sequence[Settled]) -> None:
        """Keep what became of entries, in one group commit."""
        ...

    def in_doubt(self, records: Sequence[str]) -> Sequence[Doubt]:
        """The entries of these records that were never settled, oldest first."""
        ...

    def resolve(self, entry: int, happened: bool, row: Row | None = None) -> None:
        """Settle an entry in doubt after the row was looked at, as it stands or None: of a lost create nobody told its id."""
        ...


class MemoryJournal:
    """A journal that lives as long as its process; an entry is its position."""

    def __init__(self) -> None:
        self.intents: list[Intent] = []
        self.settled: dict[int, Settled] = {}
        self.resolved: dict[int, bool] = {}

    def intend(self, intents: Sequence[Intent]) -> Sequence[int]:
        first = len(self.intents)
        self.intents.extend(intents)
        return range(first, len(self.intents))

    def settle(self, settled: Sequence[Settled]) -> None:
        self.settled.update((each.entry, each) for each in settled)

    def in_doubt(self, records: Sequence[str]) -> Sequence[Doubt]:
        return [
            Doubt(entry, intent)
            for entry, intent in enumerate(self.intents)
            if intent.record in records and entry not in self.settled and entry not in self.resolved
        ]

    def resolve(self, entry: int, happened: bool, row: Row | None = None) -> None:
        self.resolved[entry] = happened
