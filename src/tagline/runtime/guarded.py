"""A connection behind its breakers: asked only while it answers, and listened to whether it does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from tagline.connectors.dispositions import Meaning, to_error
from tagline.domain.exchange import Changes, Days, Fetched, Key, Listed, Matches, Outcome, Row, Write
from tagline.domain.model import Model
from tagline.domain.query import Query
from tagline.errors import TaglineError
from tagline.runtime import breaker
from tagline.runtime.breaker import Asking, Line
from tagline.runtime.breakers import Breakers


class Working(Protocol):
    """What the worker asks of a connector, as `domain.exchange.Connector` describes it."""

    def fetch(self, model: type[Model], keys: Sequence[str]) -> Fetched: ...

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]: ...

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]: ...

    def query(self, asked: Sequence[Query]) -> Sequence[Matches]: ...

    def changes(self, model: type[Model], cursor: str | None) -> Changes: ...

    def keys(self, model: type[Model], days: Days, position: str | None) -> Listed: ...

    def perform(self, writes: Sequence[Write]) -> Sequence[Outcome]: ...


class Guarded:
    """
    A connector that refuses, with `connection-away`, what its breakers do not let pass.

    Args:
        connection: Its name in the environment.
    """

    def __init__(self, inner: Working, connection: str, breakers: Breakers) -> None:
        self._inner = inner
        self._connection = connection
        self._breakers = breakers

    def fetch(self, model: type[Model], keys: Sequence[str]) -> Fetched:
        with self._asking(Asking.READ, keys):
            return self._inner.fetch(model, keys)

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        with self._asking(Asking.READ, [str(key) for key in keys]):
            return self._inner.read(model, keys, names)

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]:
        with self._asking(Asking.READ, parent_ids):
            return self._inner.children(model, parent, parent_ids, names)

    def query(self, asked: Sequence[Query]) -> Sequence[Matches]:
        with self._asking(Asking.READ, [str(each) for each in asked]):
            return self._inner.query(asked)

    def changes(self, model: type[Model], cursor: str | None) -> Changes:
        with self._asking(Asking.LIST):
            return self._inner.changes(model, cursor)

    def keys(self, model: type[Model], days: Days, position: str | None) -> Listed:
        with self._asking(Asking.LIST):
            return self._inner.keys(model, days, position)

    def perform(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """One call is many writes: the remote is there when it answered any of them."""
        line = Line(self._connection, Asking.WRITE)
        about = [str(write.key) for write in writes]
        self._breakers.check(line)
        try:
            outcomes = self._inner.perform(writes)
        except TaglineError as error:
            self._hear(line, error, about)
            raise
        silent = [each for each in outcomes if each.code in breaker.UNANSWERED]
        if silent and len(silent) == len(outcomes):
            self._breakers.unanswered(line, _as_error(silent[0]), about)
        elif any(each.code not in breaker.UNTOLD for each in outcomes):
            self._breakers.answered(line)
        return outcomes

    @contextmanager
    def _asking(self, asking: Asking, about: Collection[str] = ()) -> Iterator[None]:
        line = Line(self._connection, asking)
        self._breakers.check(line)
        try:
            yield
        except TaglineError as error:
            self._hear(line, error, about)
            raise
        self._breakers.answered(line)

    def _hear(self, line: Line, error: TaglineError, about: Collection[str]) -> None:
        if breaker.is_unanswered(error):
            self._breakers.unanswered(line, error, about)
        elif breaker.is_answer(error):
            self._breakers.answered(line)


def _as_error(outcome: Outcome) -> TaglineError:
    meaning = Meaning(outcome.disposition, outcome.code, outcome.hint)
    return to_error(meaning, outcome.message, retry_after_s=outcome.retry_after_s)
