"""A clock for benchmarks: time passes only while every thread waits, so that five minutes of a remote take moments."""

import heapq
import itertools
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

TASKS = Path("/proc/self/task")


class IdleClock:
    """
    Virtual time for threads; it moves to the next instant that somebody sleeps until, once nobody works.

    Whether somebody works is asked of the kernel, so that a busy machine makes nobody late. Linux alone tells it.
    """

    LOOK_S = 0.0005

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 2, 15, tzinfo=UTC)
        self._sleepers: list[tuple[datetime, int, threading.Event]] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.cpu_s = 0.0
        """What looking for work costs by itself: it is nobody's whom a benchmark measures."""
        self._mover = threading.Thread(target=self._move, daemon=True)
        self._mover.start()

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        woken = threading.Event()
        with self._lock:
            until = self._now + timedelta(seconds=seconds)
            heapq.heappush(self._sleepers, (until, next(self._numbers), woken))
        woken.wait()

    def close(self) -> None:
        self._stop.set()
        self._mover.join()

    def _move(self) -> None:
        idle = 0
        while not self._stop.wait(self.LOOK_S):
            self.cpu_s = time.thread_time()
            idle = 0 if self._is_somebody_at_work() else idle + 1
            with self._lock:
                if idle < 2 or not self._sleepers:
                    continue
                idle = 0
                self._now = self._sleepers[0][0]
                while self._sleepers and self._sleepers[0][0] <= self._now:
                    heapq.heappop(self._sleepers)[2].set()

    def _is_somebody_at_work(self) -> bool:
        own = str(threading.get_native_id())
        for task in TASKS.iterdir():
            with suppress(OSError):
                if task.name != own and (task / "stat").read_text().rpartition(")")[2].split()[0] != "S":
                    return True
        return False
