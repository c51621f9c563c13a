"""A virtual clock on which threads take turns, in an order that a test chooses."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta


class Turns:
    """
    Runs one of several threads at a time; who sleeps hands over to whoever wakes first.

    Args:
        order: Settles who goes first of those who wake at one instant; used over and over.
    """

    def __init__(self, start: datetime, order: Sequence[int]) -> None:
        self._now = start
        self._order = itertools.cycle(order)
        self._number = itertools.count()
        self._waiting: list[tuple[datetime, int, int, threading.Event]] = []
        self._done = threading.Event()
        self._errors: list[BaseException] = []

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            mine = threading.Event()
            self._wait(self._now + timedelta(seconds=seconds), mine)
            self._hand_over()
            mine.wait()

    def run(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Run all to their end, or until one raises; raises that."""
        for task in tasks:
            mine = threading.Event()
            self._wait(self._now, mine)
            threading.Thread(target=self._task, args=(task, mine), daemon=True).start()
        self._hand_over()
        assert self._done.wait(10), "a thread waits for what the clock does not bring"
        if self._errors:
            raise self._errors[0]

    def _task(self, task: Callable[[], None], mine: threading.Event) -> None:
        mine.wait()
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - told by `run`, in the thread of the test
            self._errors.append(error)
            self._done.set()
        else:
            self._hand_over()

    def _wait(self, until: datetime, who: threading.Event) -> None:
        heapq.heappush(self._waiting, (until, next(self._order), next(self._number), who))

    def _hand_over(self) -> None:
        if not self._waiting:
            self._done.set()
            return
        until, _, _, who = heapq.heappop(self._waiting)
        self._now = max(self._now, until)
        who.set()
