from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.making import START

from tagline.errors import (
    Disposition,
    InconclusiveError,
    NotAuthorisedError,
    RecordError,
    RefusedError,
    TryAgainError,
    UsageError,
)
from tagline.runtime import endings
from tagline.runtime.inbox import Dead, Done, InboxRow, Later

seeds = st.integers().map(Random)


def make_row(number: int = 1, *, flow: str = "sync", attempts: int = 0, crashes: int = 0) -> InboxRow:
    return InboxRow(
        number, "orders", flow, str(number), "webhook", "shop", "", START, START, 0, attempts, crashes
    )


def retry(after_s: float | None = None) -> TryAgainError:
    return TryAgainError("busy", code="throttled", disposition=Disposition.RETRY, retry_after_s=after_s)


@given(st.integers(0, 50), st.none() | st.floats(0, 1e5), seeds)
def test_a_wait_is_bounded_and_never_shorter_than_the_remote_asked(attempts, asked, random):
    waited = endings.wait(attempts, asked, random)
    bound = min(endings.LONGEST_WAIT, endings.FIRST_WAIT * endings.FACTOR ** min(attempts, 10))
    assert timedelta(seconds=asked or 0) <= waited <= max(bound, timedelta(seconds=asked or 0))


def test_waits_are_spread_over_the_whole_interval():
    """Records that failed together must not come back together."""
    random = Random(1)
    waits = [endings.wait(3, None, random) / timedelta(seconds=135) for _ in range(1000)]
    assert min(waits) < 0.05
    assert max(waits) > 0.95


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, Done),
        (RecordError("no", code="sku-unknown"), Dead),
        (UsageError("no", code="flow-awaits-other"), Dead),
        (InconclusiveError("no", code="cannot-tell"), Dead),
        (retry(), Later),
        (NotAuthorisedError("no", code="not-authorised"), Later),
        (RefusedError("no", code="fenced"), Later),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_each_error_has_its_ending(error, expected):
    assert isinstance(endings.ending(make_row(), error, START, Random(1)), expected)


@given(st.integers(0, endings.ATTEMPTS - 2), st.floats(0, 1e5), seeds)
def test_a_retry_is_counted_and_due_after_what_the_remote_asked(attempts, asked, random):
    later = endings.ending(make_row(attempts=attempts), retry(asked), START, random)
    assert isinstance(later, Later)
    assert later.counted
    assert later.due_at >= START + timedelta(seconds=asked)


def test_retries_end_in_a_dead_letter_that_names_the_last_cause():
    dead = endings.ending(make_row(attempts=endings.ATTEMPTS - 1), retry(), START, Random(1))
    assert isinstance(dead, Dead)
    assert (dead.error.code, "throttled" in dead.error.message) == ("retries-exhausted", True)


@pytest.mark.parametrize("attempts", [0, 100])
def test_what_stops_the_worker_is_never_counted_against_a_record(attempts):
    later = endings.ending(make_row(attempts=attempts), NotAuthorisedError("no", code="x"), START, Random(1))
    assert later == Later(make_row(attempts=attempts), START + endings.PAUSE, "x", counted=False)


def test_a_fenced_worker_lets_its_records_go_at_once():
    assert endings.pause(RefusedError("no", code="fenced")) == timedelta(0)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 4))))
def test_batches_hold_every_row_once_of_one_flow_and_suspects_alone(kinds):
    rows = [make_row(n, flow=flow, crashes=crashes) for n, (flow, crashes) in enumerate(kinds)]
    made = endings.batches(rows)
    assert sorted((row for batch in made for row in batch), key=lambda r: r.id) == rows
    for batch in made:
        assert len({row.flow for row in batch}) == 1
        assert len(batch) == 1 or all(row.crashes < endings.CRASHES_ALONE for row in batch)


def test_a_batch_has_at_most_a_hundred():
    assert [len(batch) for batch in endings.batches([make_row(n) for n in range(250)])] == [100, 100, 50]
