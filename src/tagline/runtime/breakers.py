"""
The breakers of an environment: closed ones counted by each worker for itself, open ones in rows that all workers share.

Nothing is written while all is well: an opening, a trial and a closing are one small transaction each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random

import sqlalchemy as sa

from tagline.clock import Clock
from tagline.errors import Disposition, TaglineError, TryAgainError
from tagline.runtime import breaker
from tagline.runtime.breaker import Asking, Breaker, Line
from tagline.runtime.database import Database, insert
from tagline.runtime.tables import breakers

Needs = frozenset[Line]
"""The lines that a flow cannot do without."""


@dataclass(frozen=True)
class Away:
    """A remote that does not answer, as people are told of it."""

    connection: str
    since: datetime
    code: str
    """Of its first failure."""

    def __str__(self) -> str:
        return (
            f"{self.connection} is away since {self.since:%Y-%m-%d %H:%M}Z ({self.code}); what needs it waits"
        )


class Breakers:
    """The breakers as one worker sees them; what it sees of others' is as old as the last `look`."""

    def __init__(self, database: Database, clock: Clock, random: Random) -> None:
        self._database = database
        self._clock = clock
        self._random = random
        self._counted: dict[Line, Breaker] = {}
        """Closed ones with failures, of this worker alone."""
        self._open: dict[Line, Breaker] = {}
        self._trying: set[Line] = set()

    def look(self) -> None:
        """Learn which are open."""
        with self._database.read() as conn:
            self._open = opened(conn)

    @property
    def away(self) -> Mapping[str, Away]:
        """The remotes that do not answer, by connection."""
        return away_of(self._open)

    def again_at(self, needs: Needs) -> datetime | None:
        """When a flow with these needs may be tried again, which may be past; None while all of them are closed."""
        times = [found.again_at for line in needs if (found := self._open.get(line)) and found.again_at]
        return max(times, default=None)

    def trial_size(self, needs: Needs) -> int:
        """How many records to try of a flow whose needs are half-open."""
        return min(found.trial_size for line in needs if (found := self._open.get(line)))

    @contextmanager
    def passing(self, needs: Needs) -> Iterator[bool]:
        """Ask what has these needs, as a trial where it is half-open; gives False where it may not be asked now."""
        again_at = self.again_at(needs)
        if again_at is None:
            yield True
        elif again_at > self._clock.now():
            yield False
        else:
            with self.trial(needs) as taken:
                yield taken

    @contextmanager
    def trial(self, needs: Needs) -> Iterator[bool]:
        """
        Let calls through where it is half-open until the block ends; gives False when another worker is trying.

        A worker that dies while it tries is followed by another one after a rest.
        """
        now = self._clock.now()
        lines = [line for line in needs if line in self._open]
        with self._database.write() as conn:
            taken = [line for line in lines if self._take(conn, line, now)]
        self._trying = set(taken)
        try:
            yield len(taken) == len(lines)
        finally:
            # Nothing had to be asked, so that nothing is known: the next trial need not wait.
            with self._database.write() as conn:
                for line in self._trying:
                    conn.execute(_row(line).values(again_at=now))
            self._trying = set()
            self.look()

    def check(self, line: Line) -> None:
        """
        Let a call pass, or not.

        Raises:
            TryAgainError: The remote is away (code `connection-away`).
        """
        found = self._open.get(line)
        if found is None or found.again_at is None or line in self._trying:
            return
        raise TryAgainError(
            f"{line.connection} does not answer since {found.since:%Y-%m-%d %H:%M}Z ({found.code})",
            code="connection-away",
            where={"connection": line.connection},
            hint="nothing to do unless it lasts; then ask the remote's operator",
            disposition=Disposition.RETRY,
            retry_after_s=max(0.0, (found.again_at - self._clock.now()).total_seconds()),
        )

    def answered(self, line: Line) -> None:
        """The remote answered: what was counted is forgotten, and a trial has closed its breaker."""
        self._counted.pop(line, None)
        if line in self._trying:
            self._trying.discard(line)
            self._open.pop(line, None)
            with self._database.write() as conn:
                conn.execute(sa.delete(breakers).where(*_of(line)))

    def unanswered(self, line: Line, error: TaglineError, about: Collection[str]) -> None:
        """A call was not answered; `about` are the keys of what it was about."""
        if line in self._open and line not in self._trying:
            return  # sent before somebody else found out
        known = self._open.get(line) or self._counted.get(line) or Breaker()
        after = known.failed(self._clock.now(), error, about, self._random)
        if after.again_at is None:
            self._counted[line] = after
            return
        self._counted.pop(line, None)
        self._trying.discard(line)
        self._open[line] = after
        values = {
            "since": after.since,
            "code": after.code,
            "again_at": after.again_at,
            "trials": after.trials,
        }
        with self._database.write() as conn:
            conn.execute(
                insert(conn, breakers)
                .values(connection=line.connection, asking=line.asking.value, **values)
                .on_conflict_do_update(index_elements=["connection", "asking"], set_=values)
            )

    def _take(self, conn: sa.Connection, line: Line, now: datetime) -> bool:
        found = self._open[line]
        until = now + breaker.rest(found.trials, None, self._random)
        taken = conn.execute(
            _row(line)
            .where(breakers.c.again_at == found.again_at, breakers.c.again_at <= now)
            .values(again_at=until)
        )
        return taken.rowcount == 1


def opened(conn: sa.Connection) -> dict[Line, Breaker]:
    """The open breakers."""
    return {
        Line(row.connection, Asking(row.asking)): Breaker(
            breaker.FAILURES, row.since, row.code, again_at=row.again_at, trials=row.trials
        )
        for row in conn.execute(sa.select(breakers))
    }


def away_of(found: Mapping[Line, Breaker]) -> Mapping[str, Away]:
    """The remotes behind open breakers, each since the first of its lines failed."""
    first: dict[str, Away] = {}
    for line, each in sorted(found.items(), key=lambda item: (str(item[1].since), item[0].asking)):
        if each.since is not None:
            first.setdefault(line.connection, Away(line.connection, each.since, each.code))
    return first


def _of(line: Line) -> tuple[sa.ColumnElement[bool], ...]:
    return breakers.c.connection == line.connection, breakers.c.asking == line.asking.value


def _row(line: Line) -> sa.Update:
    return sa.update(breakers).where(*_of(line))
