"""Evidence is an in-toto statement about a closure; the latest of a kind counts and nothing is rewritten."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.alm import evidence
from tagline.domain.lifecycle import Evidence, Verdict
from tagline.errors import UsageError

from .conftest import NOW, World, git

CLOSURE = "sha256:" + "ab" * 32


def _proof(verdict: Verdict = Verdict.PASSED, closure: str = CLOSURE) -> Evidence:
    return Evidence(closure=closure, kind="check", verdict=verdict, at=NOW, by="Ann <ann@example.com>")


def test_the_latest_counts_and_the_earlier_ones_stay_in_the_history(world: World) -> None:
    evidence.append(world.ann, _proof(Verdict.FAILED))
    evidence.append(world.bob, _proof(Verdict.PASSED))
    world.ann.refresh()
    assert evidence.latest(world.ann, CLOSURE, "check") == _proof(Verdict.PASSED)
    assert git(world.hub, "log", "--format=%s", "evidence").split("\n") == [
        "check passed for abababababab",
        "check failed for abababababab",
    ]


def test_nothing_is_known_of_a_closure_nobody_looked_at(world: World) -> None:
    evidence.append(world.ann, _proof())
    assert evidence.latest(world.ann, CLOSURE, "load") is None
    assert evidence.latest(world.ann, "sha256:" + "cd" * 32, "check") is None


def test_it_is_an_in_toto_statement() -> None:
    value = json.loads(evidence.to_statement(_proof()))
    assert value["_type"] == "https://in-toto.io/Statement/v1"
    assert value["subject"] == [{"name": "closure", "digest": {"sha256": "ab" * 32}}]
    assert value["predicateType"] == "urn:tagline:evidence:check:v1"


@given(
    st.builds(
        Evidence,
        closure=st.just(CLOSURE),
        kind=st.sampled_from(["check", "load-test"]),
        verdict=st.sampled_from(Verdict),
        at=st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1)),  # noqa: DTZ001 - hypothesis adds the zone
        by=st.text(max_size=20),
        runtime=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
        counts=st.dictionaries(st.text(max_size=5), st.integers(0, 10**6), max_size=2),
        details=st.dictionaries(st.text(max_size=5), st.booleans() | st.text(max_size=5), max_size=2),
    )
)
def test_a_statement_is_read_back_as_it_was_written(proof: Evidence) -> None:
    assert evidence.from_statement(evidence.to_statement(proof), "x") == proof


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", evidence.to_statement(_proof()).replace(b":v1", b":v2")],
    ids=["empty", "list", "object", "newer"],
)
def test_what_is_no_statement_of_ours_is_refused(content: bytes) -> None:
    with pytest.raises(UsageError) as error:
        evidence.from_statement(content, "a/check.json")
    assert error.value.code == "evidence-unreadable"
