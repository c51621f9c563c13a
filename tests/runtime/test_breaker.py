"""When a remote counts as away, and how it is asked again: decided purely, shared by the workers of an environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.making import START, make_store

from tagline.clock import VirtualClock
from tagline.errors import Disposition, TaglineError, TryAgainError
from tagline.runtime import breaker
from tagline.runtime.breaker import FAILURES, LONGEST_REST, Asking, Breaker, Line
from tagline.runtime.breakers import Breakers
from tagline.runtime.places import Place
from tagline.runtime.store import Store

READ, WRITE = (Line("crm", asking) for asking in (Asking.READ, Asking.WRITE))


def failed(code: str = "remote-unavailable", after_s: float | None = None) -> TryAgainError:
    return TryAgainError("no answer", code=code, disposition=Disposition.RETRY, retry_after_s=after_s)


def after(*abouts: str, code: str = "remote-unavailable") -> Breaker:
    found = Breaker()
    for about in abouts:
        found = found.failed(START, failed(code), about.split(), Random(1))
    return found


def test_it_opens_after_some_failures_in_a_row_and_not_before() -> None:
    assert after(*["1 2"] * (FAILURES - 1)).again_at is None
    opened = after(*["1 2"] * FAILURES)
    assert opened.again_at is not None
    assert opened.again_at > START
    assert (opened.since, opened.code) == (START, "remote-unavailable")


@pytest.mark.parametrize(
    ("abouts", "opens"),
    [
        (["1", "1", "1", "1"], False),
        (["1", "2", "1"], True),
        (["1 2", "1 2", "1 2"], True),
        (["1", "1 2", "1"], True),
    ],
    ids=["one-record", "two-in-turn", "together", "alone-and-together"],
)
def test_one_record_that_a_remote_cannot_bear_does_not_make_it_away(abouts: list[str], opens: bool) -> None:
    """A record that is answered 500 each time is a dead letter in the end; were the remote away, it never would be."""
    for code in breaker.ABOUT_A_RECORD:
        assert (after(*abouts, code=code).again_at is not None) is opens


@given(st.integers(0, 40), st.none() | st.floats(0, 1e5), st.integers().map(Random))
def test_a_rest_is_bounded_spread_and_never_shorter_than_the_remote_asked(trials, asked, random) -> None:
    rest = breaker.rest(trials, asked, random)
    assert timedelta(seconds=asked or 0) <= rest <= max(LONGEST_REST, timedelta(seconds=asked or 0))
    assert rest >= breaker.FIRST_REST / 2


def test_each_trial_that_fails_makes_the_next_one_smaller_down_to_one_record() -> None:
    found = after(*["1 2"] * FAILURES)
    sizes = []
    for _ in range(6):
        sizes.append(found.trial_size)
        found = found.failed(START, failed(), (), Random(1))
    assert sizes == [8, 4, 2, 1, 1, 1]
    assert found.since == START


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def store(place: Place, clock: VirtualClock) -> Iterator[Store]:
    with closing(make_store(place, clock)) as made:
        yield made


def workers(store: Store, clock: VirtualClock) -> tuple[Breakers, Breakers]:
    first, second = (Breakers(store.database, clock, Random(seed)) for seed in (1, 2))
    for _ in range(FAILURES):
        first.unanswered(READ, failed(), ["1", "2"])
    for each in (first, second):
        each.look()
    return first, second


def reopened(each: Breakers) -> datetime:
    found = each.again_at(frozenset({READ}))
    assert found is not None
    return found


def test_what_one_worker_finds_out_every_other_one_knows(store: Store, clock: VirtualClock) -> None:
    first, second = workers(store, clock)
    for each in (first, second):
        with pytest.raises(TaglineError) as refused:
            each.check(READ)
        assert refused.value.code == breaker.CONNECTION_AWAY
        each.check(WRITE)
    assert [str(away) for away in second.away.values()] == [
        "crm is away since 2026-03-01 12:00Z (remote-unavailable); what needs it waits"
    ]


def test_one_worker_tries_and_the_others_wait_for_what_it_finds(store: Store, clock: VirtualClock) -> None:
    first, second = workers(store, clock)
    clock.advance((reopened(first) - clock.now()).total_seconds())
    with first.trial(frozenset({READ})) as mine:
        assert mine
        second.look()
        with second.passing(frozenset({READ})) as may_pass:
            assert not may_pass
        first.check(READ)
        first.answered(READ)
    second.look()
    assert second.again_at(frozenset({READ})) is None
    assert second.away == {}


def test_a_trial_that_fails_asks_once_and_rests_longer(store: Store, clock: VirtualClock) -> None:
    first, second = workers(store, clock)
    clock.advance((reopened(first) - clock.now()).total_seconds())
    with first.trial(frozenset({READ})):
        first.unanswered(READ, failed(after_s=900), ["1"])
        with pytest.raises(TaglineError):
            first.check(READ)
    second.look()
    assert reopened(second) == clock.now() + timedelta(seconds=900)


def test_a_trial_that_asked_nothing_is_followed_by_the_next_at_once(
    store: Store, clock: VirtualClock
) -> None:
    first, _ = workers(store, clock)
    clock.advance((reopened(first) - clock.now()).total_seconds())
    with first.trial(frozenset({READ})):
        pass
    assert reopened(first) == clock.now()


def test_a_worker_that_dies_while_it_tries_is_followed_by_another(store: Store, clock: VirtualClock) -> None:
    first, second = workers(store, clock)
    clock.advance((reopened(first) - clock.now()).total_seconds())
    with first.trial(frozenset({READ})):  # and no more is heard of it
        second.look()
        assert reopened(second) > clock.now()
        clock.advance((reopened(second) - clock.now()).total_seconds())
        with second.trial(frozenset({READ})) as mine:
            assert mine


def test_answers_between_failures_keep_it_closed(store: Store, clock: VirtualClock) -> None:
    breakers = Breakers(store.database, clock, Random(1))
    for _ in range(5):
        for _ in range(FAILURES - 1):
            breakers.unanswered(WRITE, failed(), ["1"])
        breakers.answered(WRITE)
    breakers.look()
    assert breakers.away == {}
