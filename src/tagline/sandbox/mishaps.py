"""What can go wrong with a webhook on its way to its receiver: by index of the delivery, or by seed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Generic, Protocol, Self, TypeVar


class Mishap(StrEnum):
    """What goes wrong with one delivery."""

    LOST = "lost"
    """It never arrives, and its sender takes it for delivered."""
    DOUBLED = "doubled"
    """It is sent twice."""
    LATE = "late"
    """It comes `late_by` later; the ones after it overtake it."""
    REORDERED = "reordered"
    """The next one of those that are due with it goes first; where it is the last of them, it waits for `PASSED_BY`."""


PASSED_BY = timedelta(seconds=30)
"""How long one that is to be overtaken waits for another."""


class OnItsWay(Protocol):
    """A delivery that is due."""

    @property
    def is_first(self) -> bool:
        """Whether it is sent for the first time and was not put off by a mishap before."""
        ...

    def put_off(self, until: datetime) -> Self:
        """The same, due then."""
        ...


Due = TypeVar("Due", bound=OnItsWay)


@dataclass
class Fate(Generic[Due]):
    """What becomes of the deliveries that were due."""

    going: list[Due] = field(default_factory=list)
    """To be sent now, in this order; a doubled one stands twice."""
    later: list[Due] = field(default_factory=list)
    """To be queued again, each with its new time."""
    lost: list[Due] = field(default_factory=list)


@dataclass
class Mishaps:
    """Which deliveries of a site go wrong; indices count first deliveries from 0, chances are from 0 to 1. Thread-safe."""

    lost: float = 0.0
    doubled: float = 0.0
    reordered: bool = False
    """Shuffles what is due at one time."""
    late: float = 0.0
    late_by: timedelta = timedelta(minutes=10)
    seed: int = 0
    planned: dict[int, Mishap] = field(default_factory=dict)
    deliveries: int = 0
    _rounds: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def next_deliveries(self, *mishaps: Mishap | None) -> None:
        """Let the next deliveries go wrong in this order; None leaves one alone."""
        with self._lock:
            for offset, mishap in enumerate(mishaps):
                if mishap is not None:
                    self.planned[self.deliveries + offset] = mishap

    def befall(self, due: Sequence[Due], now: datetime) -> Fate[Due]:
        """Draw what becomes of the deliveries that are due; counts those that are sent for the first time."""
        self._rounds += 1
        random = Random(f"{self.seed} {self._rounds}")  # noqa: S311 - mishaps need a seed, not secrecy
        fate: Fate[Due] = Fate()
        with self._lock:
            planned = [self._planned(delivery) for delivery in due]
        kept: list[tuple[Due, Mishap | None]] = []
        for delivery, mishap in zip(due, planned, strict=True):
            is_lost = mishap is Mishap.LOST or (mishap is None and random.random() < self.lost)
            if is_lost:
                fate.lost.append(delivery)
            else:
                kept.append((delivery, mishap))
        kept = [
            (delivery, mishap)
            for delivery, mishap in kept
            if not self._is_late(delivery, mishap, random, fate.later, now)
        ]
        doubles = [
            delivery
            for delivery, mishap in kept
            if mishap is Mishap.DOUBLED or (mishap is None and random.random() < self.doubled)
        ]
        fate.going = [*_overtaken(kept, fate.later, now), *doubles]
        if self.reordered:
            random.shuffle(fate.going)
        return fate

    def _planned(self, delivery: OnItsWay) -> Mishap | None:
        if not delivery.is_first:
            return None
        index, self.deliveries = self.deliveries, self.deliveries + 1
        return self.planned.pop(index, None)

    def _is_late(
        self, delivery: Due, mishap: Mishap | None, random: Random, later: list[Due], now: datetime
    ) -> bool:
        is_late = mishap is Mishap.LATE
        if mishap is None and self.late and delivery.is_first:
            is_late = random.random() < self.late
        if is_late:
            later.append(delivery.put_off(now + self.late_by))
        return is_late


def _overtaken(kept: Sequence[tuple[Due, Mishap | None]], later: list[Due], now: datetime) -> list[Due]:
    """Every one that is to be overtaken goes behind the next that is not."""
    going: list[Due] = []
    waiting: list[Due] = []
    for delivery, mishap in kept:
        if mishap is Mishap.REORDERED:
            waiting.append(delivery)
        else:
            going += [delivery, *waiting]
            waiting = []
    later += [delivery.put_off(now + PASSED_BY) for delivery in waiting]
    return going
