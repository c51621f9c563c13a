"""
The governor: spends a remote's request budget close to full, and stops for everybody when the remote says so.

What may leave when is decided by the pure values of `pace`; here is who waits, and where the pace is kept: in this
process, or in a file that all processes of an environment share.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from tagline.clock import Clock
from tagline.connectors.budget_limits import Told
from tagline.connectors.pace import Lane, Pace
from tagline.errors import Disposition, TryAgainError

GOOD_BATCH_S: Final = 5.0
SMALL_BATCH: Final = 10
"""Records below which a request by itself costs too much, however slow they are."""
SPREAD_BATCH: Final = 25
"""Records below which going out side by side is not worth another request."""


class Keeper(Protocol):
    """Where a pace is kept between requests."""

    def change(self, decide: Callable[[Pace], Pace]) -> None:
        """Replace the pace by what `decide` makes of it, while nobody else reads or changes it."""
        ...

    def look(self) -> Pace:
        """The pace as it stands."""
        ...


class MemoryKeeper:
    """A pace of one process."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._lock = threading.Lock()

    def change(self, decide: Callable[[Pace], Pace]) -> None:
        with self._lock:
            self._pace = decide(self._pace)

    def look(self) -> Pace:
        with self._lock:
            return self._pace


class Turn:
    """A request that was let pass; whoever has it tells what came of it."""

    def __init__(self, governor: Governor, weight: int, expected_s: float, left_at: float) -> None:
        self._governor = governor
        self._weight = weight
        self._expected_s = expected_s
        self._left_at = left_at
        self.is_told = False

    def told(
        self,
        status: int,
        spent_s: float,
        *,
        retry_after_s: float | None = None,
        requests_left: float | None = None,
        time_left_s: float | None = None,
        parallel_hint: int | None = None,
    ) -> None:
        """Let the governor learn from the answer; the status is 0 where none came."""
        self.is_told = True
        told = Told(
            status,
            spent_s,
            self._weight,
            self._expected_s,
            self._left_at,
            retry_after_s,
            requests_left,
            time_left_s,
        )
        self._governor.learn(told, parallel_hint)


class Governor:
    """
    Lets requests pass at a pace, few at a time; shared by the threads of one connection.

    Args:
        keeper: Holds the pace; a `Pace` alone is kept in this process.
        max_in_flight: Requests at a time, of this process.
        patience_s: A longer wait is not waited for: the caller is told to come back.
        lane: Who asks through this governor.
        listener: Is told of each answer; called from the thread that asked, and must not block.
    """

    def __init__(
        self,
        clock: Clock,
        keeper: Keeper | Pace,
        max_in_flight: int,
        *,
        patience_s: float = 60.0,
        lane: Lane = Lane.LIVE,
        listener: Callable[[Told], None] | None = None,
    ) -> None:
        self.clock = clock
        self.patience_s = patience_s
        self._keeper = MemoryKeeper(keeper) if isinstance(keeper, Pace) else keeper
        self.lane = lane
        self._listener = listener
        self._ceiling = max_in_flight
        self._places = _Places(max_in_flight)

    @property
    def parallelism(self) -> int:
        """How many requests may be under way at once, as far as is known now."""
        return self._places.limit

    def batch_size(self, count: int, most: int) -> int:
        """
        How many of `count` records to send together, at most `most`.

        As many as take the remote about five seconds: with fewer, what each request costs by itself counts; with more,
        one that breaks off loses too much, and live work waits behind it. Where several go out side by side, the records
        are spread evenly over them.
        """
        pace = self._keeper.look()
        per_unit_s = pace.expected_s(2) - pace.expected_s(1)
        fits = most if per_unit_s <= 0 else min(most, max(SMALL_BATCH, round(GOOD_BATCH_S / per_unit_s)))
        side_by_side = self.parallelism
        if side_by_side == 1:
            return fits
        rounds = max(1, math.ceil(count / (side_by_side * fits)))
        return min(fits, max(min(SPREAD_BATCH, most), math.ceil(count / (side_by_side * rounds))))

    @contextmanager
    def admit(self, weight: int = 1) -> Iterator[Turn]:
        """
        Wait for a place and a turn, and hold the place.

        Args:
            weight: Records that the request carries.

        Raises:
            TryAgainError: The turn is further away than `patience_s` (code `remote-throttled`).
        """
        with self._places.one():
            waited = 0.0
            turn = None
            while turn is None:
                turn, wait = self._turn(weight, waited)
                # Less than this does not move every clock.
                waited += self._sleep(max(wait, 0.001) if wait else 0.0)
            began: float | None = None
            try:
                # A turn that was taken ahead of time is none once the remote has asked for silence.
                while silence := max(0.0, self._keeper.look().silent_until - self._now()):
                    waited += self._sleep(self._within_patience(waited, max(silence, 0.001)))
                began = self._now()
                yield turn
            finally:
                if not turn.is_told:
                    turn.told(0, 0.0 if began is None else max(0.0, self._now() - began))

    def learn(self, told: Told, parallel_hint: int | None = None) -> None:
        """Take what an answer tells about the budget."""
        now = self._now()
        self._keeper.change(lambda pace: pace.learn(now, told))
        if told.is_throttled:
            self._places.halve(now)
        elif not told.is_lost:
            self._places.grow(min(self._ceiling, parallel_hint or self._ceiling))
        if self._listener:
            self._listener(told)

    def stop(self, seconds: float) -> None:
        """Let nothing pass for that long."""
        now = self._now()
        self._keeper.change(lambda pace: pace.stop(now, seconds))

    def used(self) -> float:
        """Share of the binding limit that is in use, from 0 to 1 and above."""
        return self._keeper.look().used(self._now())

    def _now(self) -> float:
        return self.clock.now().timestamp()

    def _sleep(self, seconds: float) -> float:
        self.clock.sleep(seconds)
        return seconds

    def _turn(self, weight: int, waited: float) -> tuple[Turn | None, float]:
        """A turn, if one is taken now, and the seconds to wait: before it, or before asking again."""
        now = self._now()
        found: list[tuple[Turn | None, float]] = []

        def take(pace: Pace) -> Pace:
            after, wait = pace.reserve(now, weight, self.lane, waited)
            taken = waited + wait <= self.patience_s and pace.is_taken(wait, self.lane, waited)
            turn = Turn(self, weight, pace.expected_s(weight), now + wait)
            found.append((turn if taken else None, wait))
            return after if taken else pace

        self._keeper.change(take)
        ((turn, wait),) = found
        return turn, self._within_patience(waited, wait)

    def _within_patience(self, waited: float, wait: float) -> float:
        if wait > 0 and waited + wait > self.patience_s:
            raise TryAgainError(
                f"the remote's request budget is used up for {wait:.0f} s",
                code="remote-throttled",
                hint="nothing to do; the work goes on by itself when the budget has recovered",
                disposition=Disposition.RETRY,
                retry_after_s=wait,
            )
        return wait


class _Places:
    """Places for requests under way: fewer after throttling, more again one by one."""

    INCIDENT_S = 5.0
    """Answers of requests that were under way together say the same thing, which is acted on once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken = 0
        self._free = threading.Condition()
        self._good = 0
        self._calm_from = float("-inf")

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._free:
            self._free.wait_for(lambda: self._taken < self.limit)
            self._taken += 1
        try:
            yield
        finally:
            with self._free:
                self._taken -= 1
                self._free.notify()

    def halve(self, now: float) -> None:
        with self._free:
            # A clock that was set back opens a new incident, too.
            if now >= self._calm_from or now < self._calm_from - self.INCIDENT_S:
                self.limit, self._good, self._calm_from = max(1, self.limit // 2), 0, now + self.INCIDENT_S

    def grow(self, ceiling: int) -> None:
        with self._free:
            self._good += 1
            if self.limit > ceiling:
                self.limit = max(1, ceiling)
            elif self.limit < ceiling and self._good >= self.limit:
                self.limit, self._good = self.limit + 1, 0
                self._free.notify()
