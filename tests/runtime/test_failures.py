"""Which deployments that failed to be prepared are tried again by themselves, and how often."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.making import START, make_deployment

from tagline.errors import NotAuthorisedError, TaglineError, TryAgainError, UsageError
from tagline.runtime.failures import FIRST_WAIT, LONGEST_WAIT, Failures, passes

ONE = make_deployment(1)
MISSING = UsageError("there is none", code="secret-missing")


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (MISSING, True),
        (UsageError("gone", code="ca-file-unreadable"), True),
        (TryAgainError("away", code="remote-unreachable"), True),
        (TryAgainError("behind", code="key-ring-behind"), True),
        (TaglineError("OSError at a.py:1", code="stage-failed"), True),
        (TryAgainError("it hung", code="worker-silent"), False),
        (NotAuthorisedError("no", code="not-authorised"), False),
        (UsageError("no such flow", code="integration-invalid"), False),
    ],
    ids=lambda value: value.code if isinstance(value, TaglineError) else "",
)
def test_what_the_machine_lacks_may_come_back_and_a_fault_of_the_release_does_not(
    error: TaglineError, again: bool
) -> None:
    assert passes(error) is again


@given(st.integers(1, 40))
def test_it_is_tried_ever_less_often_and_at_least_each_quarter_of_an_hour(tries: int) -> None:
    failures, now, waits = Failures(), START, []
    for _ in range(tries):
        failures.add(ONE.id, MISSING, now, may_pass=True)
        (failed,) = failures.of([ONE])
        assert failed.again_at is not None
        assert failures.is_given_up(ONE.id, failed.again_at - timedelta(seconds=1))
        assert not failures.is_given_up(ONE.id, failed.again_at)
        waits.append(failed.again_at - now)
        now = failed.again_at
    assert waits == sorted(waits)
    assert waits[0] == FIRST_WAIT
    assert max(waits) <= LONGEST_WAIT
    assert failed.since == START


def test_the_same_failure_over_again_is_no_news() -> None:
    failures = Failures()
    assert failures.add(ONE.id, MISSING, START, may_pass=True)
    assert not failures.add(ONE.id, MISSING, START, may_pass=True)
    assert failures.add(ONE.id, TryAgainError("away", code="hub-away"), START, may_pass=True)
    failures.forget(ONE.id)
    assert ONE.id not in failures


def test_what_was_changed_before_it_failed_is_left_to_another_decision() -> None:
    failures = Failures()
    failures.add(ONE.id, TryAgainError("away", code="remote-unreachable"), START, may_pass=False)
    assert failures.is_given_up(ONE.id, START + timedelta(days=9))
