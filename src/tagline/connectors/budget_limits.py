"""
The kinds of limits that remotes set, as values: when a request fits, what it takes, what its answer teaches.

Instants are seconds since the epoch. A limit counts in units of its own: requests, records, or seconds of the remote's time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Protocol, Self

TICK_S: Final = 0.001


@dataclass(frozen=True)
class Told:
    """What an answer tells about the budget."""

    status: int
    """Of HTTP; 0 where no answer came."""
    spent_s: float
    """From sending to the whole answer."""
    weight: int = 1
    """Records that the request carried."""
    expected_s: float = 0.0
    """What it was thought to cost when it left; see `Pace.expected_s`."""
    left_at: float = 0.0
    """The instant its turn was taken for."""
    retry_after_s: float | None = None
    requests_left: float | None = None
    """`x-ms-ratelimit-burst-remaining-xrm-requests`."""
    time_left_s: float | None = None
    """`x-ms-ratelimit-time-remaining-xrm-requests`."""

    @property
    def is_throttled(self) -> bool:
        return self.status == 429

    @property
    def is_lost(self) -> bool:
        """Whether no answer came: what the request did is not known, and what it cost at least the time we waited."""
        return self.status == 0


class Limit(Protocol):
    """One budget."""

    def delay(self, start: float, weight: int, share: float) -> float:
        """Seconds after `start` until a request of that weight fits into that share of the budget."""
        ...

    def take(self, start: float, weight: int, now: float) -> Self:
        """The budget with a request that leaves at `start`, decided at `now`."""
        ...

    def learn(self, now: float, told: Told) -> Self:
        """The budget after an answer."""
        ...

    def used(self, now: float) -> float:
        """Share in use, from 0 to 1 and above."""
        ...

    def drain(self, now: float, requests: float, units: float, share: float = 1.0) -> float:
        """Seconds until so many requests, with so many records in all, would have left by that share of the budget."""
        ...

    def full(self, now: float) -> Self:
        """The budget as if all of it had just been spent: what to believe when nothing is known."""
        ...

    def moved(self, seconds: float) -> Self:
        """The same on a clock that was set by so much."""
        ...


@dataclass(frozen=True)
class LeakyBucket:
    """
    A bucket that every request fills by one and that drains steadily; a full one makes wait.

    Source: reference/shift4shop-api.md section 9 (bucket of 50, 2 a second).
    """

    capacity: float
    leak_per_s: float
    level: float = 0.0
    """Filling at `at`, requests that still wait included."""
    at: float = 0.0

    def delay(self, start: float, weight: int, share: float) -> float:
        # A turn taken ahead stands at the end: before it the level is not known, but was at most as much higher as drains.
        fits = self.at + (self.level - (self.capacity * share - 1)) / self.leak_per_s
        if fits <= start:
            return 0.0
        # A tick of the clock more: the remote's own sum, rounded otherwise, must not end a hair above the brim.
        return fits + TICK_S - start

    def take(self, start: float, weight: int, now: float) -> Self:
        return replace(self, level=self._level(start) + 1, at=max(start, self.at))

    def learn(self, now: float, told: Told) -> Self:
        # Somebody else fills the bucket, too: as far as is known now, it is full.
        return self.full(now) if told.is_throttled else self

    def used(self, now: float) -> float:
        return self._level(now) / self.capacity

    def drain(self, now: float, requests: float, units: float, share: float = 1.0) -> float:
        return max(0.0, self._level(now) + requests - self.capacity * share) / self.leak_per_s

    def full(self, now: float) -> Self:
        return replace(self, level=max(self._level(now), self.capacity), at=max(now, self.at))

    def moved(self, seconds: float) -> Self:
        return replace(self, at=self.at + seconds)

    def _level(self, now: float) -> float:
        return max(0.0, self.level - max(0.0, now - self.at) * self.leak_per_s)


@dataclass(frozen=True)
class Window:
    """
    At most `limit` units in any `window_s` seconds; counted in slots, so that it stays small: a slot's units count
    until the whole slot is out of the window.

    Source: reference/dataverse-api.md section 12 (6000 requests, 1200 s of execution, in 300 s).
    """

    limit: float
    window_s: float
    slot_s: float = 1.0
    slots: tuple[tuple[int, float], ...] = ()
    """Number of the slot and its units, oldest first."""

    def delay(self, start: float, weight: int, share: float) -> float:
        return self._delay(start, 1.0, self.limit * share)

    def take(self, start: float, weight: int, now: float) -> Self:
        return self.plus(start, 1.0, now)

    def learn(self, now: float, told: Told) -> Self:
        left = told.requests_left
        return self if left is None else self.at_least(self.limit - left, now - told.spent_s, now)

    def used(self, now: float) -> float:
        return self._sum(now) / self.limit

    def drain(self, now: float, requests: float, units: float, share: float = 1.0) -> float:
        room = self.limit * share
        return max(0.0, self._sum(now) + requests - room) / room * self.window_s

    def full(self, now: float) -> Self:
        return self.at_least(self.limit, now, now)

    def moved(self, seconds: float) -> Self:
        by = round(seconds / self.slot_s)
        return replace(self, slots=tuple((slot + by, units) for slot, units in self.slots))

    def _first(self, start: float) -> int:
        """The oldest slot of which something is in the window that ends at `start`."""
        return int((start - self.window_s) // self.slot_s)

    def _sum(self, start: float) -> float:
        first = self._first(start)
        return sum(units for slot, units in self.slots if slot >= first)

    def _delay(self, start: float, units: float, room: float) -> float:
        excess = self._sum(start) + units - room
        if excess <= 1e-9:
            return 0.0
        first = self._first(start)
        for slot, held in self.slots:
            if slot < first:
                continue
            excess -= held
            if excess <= 1e-9:
                return self._until_out(slot, start)
        # One that is larger than the whole budget leaves when nothing else is in the window.
        if not self.slots:
            return 0.0
        return max(0.0, self._until_out(self.slots[-1][0], start))

    def _until_out(self, slot: int, start: float) -> float:
        # A moment beyond the edge, where no rounding finds the slot before it.
        return (slot + 1) * self.slot_s + self.window_s + 0.001 - start

    def plus(self, start: float, units: float, now: float) -> Self:
        """The window with so much more, or less, in the slot of `start`; what is out of it by `now` is dropped."""
        slot, first = int(start // self.slot_s), self._first(now)
        held = {number: there for number, there in self.slots if number >= first}
        held[slot] = held.get(slot, 0.0) + units
        return replace(self, slots=tuple(sorted((n, there) for n, there in held.items() if there > 1e-9)))

    def at_least(self, units: float, then: float, now: float) -> Self:
        """
        The window with so much in it, where it holds less.

        Args:
            then: When it was said at the earliest; what has left the window since is not missing.
        """
        missing = units - self._sum(then)
        return self.plus(now, missing, now) if missing > 0 else self


@dataclass(frozen=True)
class ExecutionTime(Window):
    """
    Seconds of the remote's own time in a window; what a request will cost is learned from those before it.

    A request that is under way counts with its estimate, corrected by the measured time when its answer comes. That
    time holds the network's, too, so that it errs on the careful side.
    """

    per_request_s: float = 0.05
    """Estimated seconds of a request by itself."""
    per_unit_s: float = 0.05
    """Estimated seconds of each record in it."""
    deviation_s: float = 0.025
    """By which those of a record differ; one long answer makes careful for a while, and no longer."""
    FOLLOWS = 0.125
    """Share by which an estimate follows each answer, as the round trips of TCP are estimated (RFC 6298)."""
    WIDENS = 0.25
    LONGEST_S = 2.0
    """A single request that takes longer, an import for example, is no measure for others."""
    HEADROOM = 0.97
    """Of the limit that is spent: what is under way may cost more than its estimate."""

    def delay(self, start: float, weight: int, share: float) -> float:
        return self._delay(start, self.cost(weight), self.limit * share * self.HEADROOM)

    def take(self, start: float, weight: int, now: float) -> Self:
        return self.plus(start, self.cost(weight), now)

    def drain(self, now: float, requests: float, units: float, share: float = 1.0) -> float:
        return super().drain(now, self.cost(1) * requests + self.per_unit_s * units, units, share)

    def learn(self, now: float, told: Told) -> Self:
        # The remote counts a request when it ends, so that its time leaves the window later than its estimate would.
        corrected = self.plus(told.left_at, -told.expected_s, now).plus(now, told.spent_s, now)
        if told.time_left_s is not None:
            corrected = corrected.at_least(self.limit - told.time_left_s, now - told.spent_s, now)
        if told.is_throttled or told.is_lost:
            return corrected
        if told.weight == 1:
            newest = min(max(0.0, told.spent_s - self.per_unit_s), self.LONGEST_S)
            known = self.per_request_s
            return replace(corrected, per_request_s=known + self.FOLLOWS * (newest - known))
        error = max(0.0, told.spent_s - self.per_request_s) / told.weight - self.per_unit_s
        return replace(
            corrected,
            per_unit_s=self.per_unit_s + self.FOLLOWS * error,
            deviation_s=self.deviation_s + self.WIDENS * (abs(error) - self.deviation_s),
        )

    def cost(self, weight: int) -> float:
        """What a request with so many records is thought to cost."""
        return self.per_request_s + (self.per_unit_s + self.deviation_s) * weight


@dataclass(frozen=True)
class InFlight:
    """
    At most `limit` requests under way at once, of all processes together.

    A request of a process that died counts until it cannot be under way any more.

    Source: reference/dataverse-api.md section 12 (52 at once; a request ends after two minutes).
    """

    limit: int
    left: tuple[float, ...] = ()
    """When each of those under way left, oldest first."""

    LONGEST_S = 130.0
    LOOK_AGAIN_S = 0.05
    """Nobody tells when the next one ends."""

    def delay(self, start: float, weight: int, share: float) -> float:
        return 0.0 if len(self._alive(start)) < max(1, int(self.limit * share)) else self.LOOK_AGAIN_S

    def take(self, start: float, weight: int, now: float) -> Self:
        return replace(self, left=tuple(sorted((*self._alive(now), start))))

    def learn(self, now: float, told: Told) -> Self:
        alive = self._alive(now)
        if not alive:
            return replace(self, left=())
        ended = min(alive, key=lambda left: abs(left - told.left_at))
        place = alive.index(ended)
        return replace(self, left=alive[:place] + alive[place + 1 :])

    def used(self, now: float) -> float:
        return len(self._alive(now)) / self.limit

    def drain(self, now: float, requests: float, units: float, share: float = 1.0) -> float:
        return 0.0

    def full(self, now: float) -> Self:
        # Who is under way is not known, and a place comes free within moments.
        return self

    def moved(self, seconds: float) -> Self:
        return replace(self, left=tuple(left + seconds for left in self.left))

    def _alive(self, now: float) -> tuple[float, ...]:
        return tuple(left for left in self.left if left > now - self.LONGEST_S)


DAY_S: Final = 86_400.0


@dataclass(frozen=True)
class Allotment:
    """
    What a remote grants for a day without enforcing it at once: live work never waits for it, a back-fill stops at its share.

    Counts records, since each request inside a batch counts. Its day is that of UTC, which is an assumption.

    Source: reference/dataverse-api.md section 12.
    """

    limit: float
    day: int = 0
    """Number of the day since the epoch."""
    units: float = 0.0

    def delay(self, start: float, weight: int, share: float) -> float:
        if share >= 1.0 or self._spent(start) + weight <= self.limit * share:
            return 0.0
        return DAY_S - start % DAY_S

    def take(self, start: float, weight: int, now: float) -> Self:
        return replace(self, day=int(start // DAY_S), units=self._spent(start) + weight)

    def learn(self, now: float, told: Told) -> Self:
        return self

    def used(self, now: float) -> float:
        return self._spent(now) / self.limit

    def drain(self, now: float, requests: float, units: float, share: float = 1.0) -> float:
        room = self.limit * share
        beyond = self._spent(now) + units - room
        # What the day does not grant waits for midnight; live work never does.
        return 0.0 if share >= 1.0 or beyond <= 0 else DAY_S - now % DAY_S + (beyond - 1) // room * DAY_S

    def full(self, now: float) -> Self:
        # It is soft, and a file that was lost is no reason to stop a back-fill until midnight.
        return self

    def moved(self, seconds: float) -> Self:
        return self

    def _spent(self, now: float) -> float:
        return self.units if int(now // DAY_S) == self.day else 0.0
