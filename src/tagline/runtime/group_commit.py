"""One writer thread that takes whatever waits and commits once: durable answers at the price of a shared fsync."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

from tagline.errors import TryAgainError

T = TypeVar("T")

WAITING_LIMIT: Final = 10_000
"""Items that may wait for the writer before senders are told to come back: a stated backlog, not a hidden one."""
GROUP_LIMIT: Final = 1_000


class GroupCommit(Generic[T]):
    """
    Hands items to `commit` in groups; an item's future ends when the commit that held it did.

    No timer: while one commit runs, the next group gathers. Source: reference/engine-findings.md 4.
    """

    def __init__(self, commit: Callable[[Sequence[T]], None]) -> None:
        self._commit = commit
        self._waiting: queue.Queue[tuple[T, Future[None]] | None] = queue.Queue(WAITING_LIMIT)
        self._thread = threading.Thread(target=self._write, name="group-commit", daemon=True)
        self._thread.start()

    def submit(self, item: T) -> Future[None]:
        """
        Queue an item; the future ends after its commit, or carries what the commit raised.

        Raises:
            TryAgainError: Too many items wait already (code `intake-full`).
        """
        done: Future[None] = Future()
        try:
            self._waiting.put_nowait((item, done))
        except queue.Full:
            raise TryAgainError(
                f"{WAITING_LIMIT} deliveries wait to be stored",
                code="intake-full",
                hint="the sender should deliver again later",
            ) from None
        return done

    def stop(self) -> None:
        """Commit what waits and end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        stopping = False
        while not stopping:
            taken = [self._waiting.get()]
            while len(taken) < GROUP_LIMIT:
                try:
                    taken.append(self._waiting.get_nowait())
                except queue.Empty:
                    break
            stopping = None in taken
            # A sender that hung up was promised nothing; it will deliver again.
            group = [entry for entry in taken if entry and entry[1].set_running_or_notify_cancel()]
            if group:
                self._write_group(group)

    def _write_group(self, group: Sequence[tuple[T, Future[None]]]) -> None:
        try:
            self._commit([item for item, _ in group])
        except Exception as error:  # noqa: BLE001 - whatever went wrong, every sender must hear it, and the thread lives on
            for _, done in group:
                done.set_exception(error)
        else:
            for _, done in group:
                done.set_result(None)
