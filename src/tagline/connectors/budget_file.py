"""A pace in a file: all processes of an environment on one machine spend one budget."""

from __future__ import annotations

import fcntl
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tagline.clock import Clock
from tagline.connectors.pace import Pace, from_plain, to_plain

log = logging.getLogger("tagline.budget")


class FileKeeper:
    """
    Keeps the pace in a small JSON file under a lock; a change takes about a millisecond.

    A file that holds no pace counts as a budget that is all spent: that costs a moment and throttles nobody. A missing
    one is a budget that nobody has used. Where nothing can be written, for example on a full disk, the pace stays in this
    process until something can, which is logged: an answer of the remote must not be lost over it, and a remote that is
    asked too much says so.

    Args:
        path: The file; a lock file stands beside it.
        fresh: The limits, with nothing spent.
    """

    def __init__(self, path: Path, fresh: Pace, clock: Clock) -> None:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._fresh = fresh
        self._clock = clock
        self._threads = threading.Lock()
        self._known: tuple[str | None, Pace] = (None, fresh)
        """What this process wrote last, as text and as it is: reading the same again costs nothing."""
        self._unwritten: Pace | None = None
        """The pace where the last change could not be written."""

    def change(self, decide: Callable[[Pace], Pace]) -> None:
        with self._alone():
            pace = decide(self._read())
            text = json.dumps(to_plain(pace))
            try:
                # Renamed into place: whoever is killed here leaves the old file or the new one, never half of one.
                new = self._path.with_name(f"{self._path.name}.new")
                new.write_text(text, encoding="utf-8")
                new.replace(self._path)
            except OSError as error:
                if self._unwritten is None:
                    log.warning(
                        "%s cannot be written (%s): each process spends a budget of its own until it can",
                        self._path,
                        error.strerror,
                    )
                self._unwritten = pace
            else:
                self._known, self._unwritten = (text, pace), None

    def look(self) -> Pace:
        with self._alone():
            return self._read()

    def _read(self) -> Pace:
        if self._unwritten is not None:
            return self._unwritten
        try:
            text = self._path.read_text(encoding="utf-8")
            known, pace = self._known
            return pace if text == known else from_plain(json.loads(text), self._fresh)
        except FileNotFoundError:
            return self._fresh
        except (OSError, ValueError, RecursionError):
            return self._fresh.full(self._clock.now().timestamp())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._threads:
            try:
                lock = self._path.with_name(f"{self._path.name}.lock").open("a")
            except OSError:
                # Nothing can be written here, and what others wrote can be read without: it is replaced as a whole.
                yield
                return
            with lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
