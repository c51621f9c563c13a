"""One writer thread that takes whatever waits and commits once: durable answers at the price of a shared fsync."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Generic, TypeVar

from tagline.errors import TryAgainError

T = TypeVar("T")
_Waiting = tuple[T, "asyncio.Future[None]"]

GROUP_LIMIT: Final = 1_000


class GroupCommit(Generic[T]):
    """
    Hands items of an event loop to `commit` in groups, in a thread; an item's future ends when the commit that held it did.

    No timer: while one commit runs, the next group gathers. Source: reference/engine-findings.md section 4.

    Args:
        waiting: Items that may wait for the writer before senders are told to come back: a stated backlog, not a hidden one.
    """

    def __init__(self, commit: Callable[[Sequence[T]], None], waiting: int) -> None:
        self._commit = commit
        self._waiting: queue.Queue[_Waiting[T] | None] = queue.Queue(waiting)
        self._thread = threading.Thread(target=self._write, name="group-commit", daemon=True)
        self._thread.start()

    def submit(self, item: T) -> asyncio.Future[None]:
        """
        Queue an item; the future ends after its commit, or carries what the commit raised. Called in the event loop.

        Raises:
            TryAgainError: Too many items wait already (code `intake-full`).
        """
        done = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait((item, done))
        except queue.Full:
            raise TryAgainError(
                f"{self._waiting.maxsize} deliveries wait to be stored",
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
            # A sender that hung up or was told to come back was promised nothing; it will deliver again.
            group = [entry for entry in taken if entry and not entry[1].cancelled()]
            if group:
                self._write_group(group)

    def _write_group(self, group: Sequence[_Waiting[T]]) -> None:
        failure: Exception | None = None
        try:
            self._commit([item for item, _ in group])
        except Exception as error:  # noqa: BLE001 - whatever went wrong, every sender must hear it, and the thread lives on
            failure = error
        futures = [done for _, done in group]
        # Once a group: waking the loop costs a system call. A loop that has ended has nobody who waits.
        with suppress(RuntimeError):
            futures[0].get_loop().call_soon_threadsafe(_end, futures, failure)


def _end(futures: Sequence[asyncio.Future[None]], failure: Exception | None) -> None:
    for done in futures:
        if done.done():
            continue
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)
