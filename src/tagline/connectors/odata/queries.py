"""Queries put to an OData service: many in one request, each with its pages, cut where it has enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tagline.connectors.odata.batch import Part
from tagline.connectors.odata.session import Session
from tagline.domain.exchange import Matches, Row
from tagline.domain.matching import matches
from tagline.domain.query import MOST_ROWS, Query, too_large
from tagline.errors import RecordError

MAX_INNER_URL: Final = 65_536
"""Characters of an address inside a batch. Source: reference/dataverse-api.md section 1; of Finance it is assumed."""

ToRow = Callable[[Query, Mapping[str, Any]], Row]
"""Makes the row of an answer, with every column that its query uses."""


@dataclass(frozen=True)
class Question:
    """A query in words of the service."""

    query: Query
    path: str
    """From the host's root, percent-encoded."""
    options: tuple[str, ...]
    """Each `name=value`, percent-encoded."""
    is_exact: bool
    """Whether the service lets through no row but those that match; else they are compared once more, and never cut or counted there."""
    most: int
    """Rows that `$top` may ask for."""
    most_counted: int | None = None
    """Rows that `$count` counts; None counts all."""

    @property
    def url(self) -> str:
        query, options = self.query, list(self.options)
        if self.is_exact and query.limit is not None and query.limit <= self.most:
            options.append(f"$top={query.limit}")
        if self.is_exact and query.total:
            options.append("$count=true")
        return f"{self.path}?{'&'.join(options)}"


def ask(
    session: Session,
    queries: Sequence[Query],
    to_question: Callable[[Query], Question],
    to_part: Callable[[str], Part],
    to_row: ToRow,
) -> list[Matches]:
    """
    What each query finds; one that nothing can meet is not sent.

    Raises:
        RecordError: A query finds more than `MOST_ROWS` rows (code `query-too-large`), or its words are longer than an address
            may be (code `query-too-long`).
    """
    asked = [(place, to_question(query)) for place, query in enumerate(queries) if not query.is_void]
    for _, question in asked:
        if len(session.url) + len(question.url) > MAX_INNER_URL:
            raise _too_long(question.query)
    answers = session.reads([to_part(question.url) for _, question in asked])
    found = [Matches((), 0 if query.total else None) for query in queries]
    for (place, question), answer in zip(asked, answers, strict=True):
        doing = f"reading {question.query.model.remote.collection}"
        session.judge(answer, doing)
        first = session.object_of(answer.json(), doing)
        found[place] = _matches(session, question, first, to_row, doing)
    return found


def _matches(
    session: Session, question: Question, first: Mapping[str, Any], to_row: ToRow, doing: str
) -> Matches:
    query = question.query
    counts = query.total and not question.is_exact
    rows: dict[str, Row] = {}
    for raw in _each(session, first, doing):
        row = to_row(query, raw)
        if question.is_exact or matches(query.where, row.values):
            # A row that changes while pages are read can stand on two of them.
            rows.setdefault(row.id, replace(row, values={name: row.values[name] for name in query.columns}))
        if query.limit is not None and len(rows) == query.limit and not counts:
            break
        if len(rows) > MOST_ROWS:
            raise too_large(query.model)
    found = tuple(rows.values())[: query.limit]
    if not query.total or counts:
        return Matches(found, len(rows) if counts else None)
    total, most = _count(session, first, doing), question.most_counted
    return Matches(found, total, is_more_than_total=most is not None and total >= most)


def _each(session: Session, first: Mapping[str, Any], doing: str) -> Iterator[Mapping[str, Any]]:
    for page in session.pages(first, doing):
        yield from page


def _count(session: Session, first: Mapping[str, Any], doing: str) -> int:
    count = first.get("@odata.count")
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        session.malformed(f"{doing}: it tells no count")
    return count


def _too_long(query: Query) -> RecordError:
    name = query.model.__name__
    return RecordError(
        f"the conditions of a query of {name} are longer than an address may be",
        code="query-too-long",
        where={"model": name},
        hint="ask for fewer values at a time",
    )
