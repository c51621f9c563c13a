"""A pace in a file: all processes of an environment on one machine spend one budget."""

from __future__ import annotations

import fcntl
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tagline.clock import Clock
from tagline.connectors.pace import Pace, from_plain, to_plain


class FileKeeper:
    """
    Keeps the pace in a small JSON file under a lock; a change takes about a millisecond.

    A file that cannot be read, for example after the disk was full, counts as a budget that is all spent: that costs
    a moment and throttles nobody. A missing one is a budget that nobody has used.

    Args:
        path: The file; a lock file stands beside it.
        fresh: The limits, with nothing spent.
    """

    def __init__(self, path: Path, fresh: Pace, clock: Clock) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._fresh = fresh
        self._clock = clock
        self._threads = threading.Lock()
        self._known: tuple[str | None, Pace] = (None, fresh)
        """What this process wrote last, as text and as it is: reading the same again costs nothing."""

    def change(self, decide: Callable[[Pace], Pace]) -> None:
        with self._alone():
            pace = decide(self._read())
            # Renamed into place: whoever is killed here leaves the old file or the new one, never half of one.
            new = self._path.with_name(f"{self._path.name}.new")
            text = json.dumps(to_plain(pace))
            new.write_text(text, encoding="utf-8")
            new.replace(self._path)
            self._known = text, pace

    def look(self) -> Pace:
        with self._alone():
            return self._read()

    def _read(self) -> Pace:
        try:
            text = self._path.read_text(encoding="utf-8")
            known, pace = self._known
            return pace if text == known else from_plain(json.loads(text), self._fresh)
        except FileNotFoundError:
            return self._fresh
        except ValueError:
            return self._fresh.full(self._clock.now().timestamp())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._threads, self._path.with_name(f"{self._path.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
