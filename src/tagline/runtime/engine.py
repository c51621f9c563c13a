"""What the runtime asks of a durable engine, and the one that lives in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

Run = Callable[[str, Sequence[int]], None]
"""Runs one batch: its id, and the inbox rows it is about. It may run again after a crash and has to bear that."""


class Engine(Protocol):
    """
    Runs batches at least once, and never again once they have ended.

    A batch is named by the caller and carries row numbers, never payloads, so that losing the engine's
    history loses nothing: the rows still wait in the inbox.
    """

    def start(self, run: Run) -> None:
        """Begin a life; batches are run by calling `run`."""
        ...

    def submit(self, batch_id: str, rows: Sequence[int]) -> None:
        """
        Note the batch durably, run it, and return when it has ended.

        An id that has ended is not run again. An exception of `run` reaches the caller and ends the batch.
        """
        ...

    def recover(self) -> int:
        """Run what an earlier life began and did not end, raise the first exception, else return how many they were."""
        ...

    def stop(self) -> None:
        """End this life; the engine may be started again."""
        ...


class MemoryEngine:
    """An engine without a disk, for tests and simulations; it outlives a stop, as a file would."""

    def __init__(self) -> None:
        self._run: Run | None = None
        self._begun: dict[str, tuple[int, ...]] = {}
        self._ended: set[str] = set()

    def start(self, run: Run) -> None:
        self._run = run

    def submit(self, batch_id: str, rows: Sequence[int]) -> None:
        if batch_id in self._ended:
            return
        self._begun[batch_id] = tuple(rows)
        self._perform(batch_id)

    def recover(self) -> int:
        unfinished = sorted(self._begun)
        errors = []
        for batch_id in unfinished:
            try:
                self._perform(batch_id)
            except Exception as error:  # noqa: BLE001 - raised below, when the others have run
                errors.append(error)
        if errors:
            raise errors[0]
        return len(unfinished)

    def stop(self) -> None:
        self._run = None

    def _perform(self, batch_id: str) -> None:
        if self._run is None:
            raise RuntimeError("the engine is not started")
        try:
            self._run(batch_id, self._begun[batch_id])
        except Exception:
            self._end(batch_id)
            raise
        # Whatever is no Exception stands for the death of the process: the batch stays begun.
        self._end(batch_id)

    def _end(self, batch_id: str) -> None:
        del self._begun[batch_id]
        self._ended.add(batch_id)
