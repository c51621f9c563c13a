"""The gate is a pure rule: every reason is told, and none means yes."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tagline.domain.environment import PolicySection
from tagline.domain.gate import Facts, judge
from tagline.domain.lifecycle import Evidence, Hold, Verdict

from .conftest import NOW

HOLD = Hold(integration="o", closure="c", version="1", reason="bad", by="Ann", at=NOW)


def _proof(verdict: Verdict = Verdict.PASSED, days: int = 0, valid_for: int | None = None) -> Evidence:
    at = NOW - timedelta(days=days)
    ends = None if valid_for is None else at + timedelta(days=valid_for)
    return Evidence(closure="c", kind="check", verdict=verdict, at=at, by="Ann", valid_until=ends)


PROOFS = st.none() | st.builds(
    _proof, st.sampled_from(Verdict), st.integers(0, 200), st.none() | st.integers(0, 200)
)
ENVIRONMENTS = st.sets(st.sampled_from(["dev", "qa"]))


@given(PROOFS, st.booleans(), ENVIRONMENTS, ENVIRONMENTS, ENVIRONMENTS, st.sampled_from(["", "dev", "qa"]))
def test_exactly_the_reasons_that_hold_are_told(
    proof: Evidence | None,
    held: bool,
    asked: set[str],
    verified: set[str],
    held_before: set[str],
    promote_from: str,
) -> None:
    policy = PolicySection(promote_from=promote_from, evidence_max_age_days=90)
    facts = Facts(
        release="o/v1",
        now=NOW,
        evidence={"check": proof} if proof else {},
        hold=HOLD if held else None,
        must_be_verified_in=tuple(sorted(asked)),
        verified_in=frozenset(verified),
        held_in=dict.fromkeys(held_before, HOLD),
    )
    told = [r.code for r in judge(policy, facts)]
    passed = proof is not None and proof.verdict is Verdict.PASSED
    fresh = (
        proof is not None
        and proof.at > NOW - timedelta(days=90)
        and (proof.valid_until is None or proof.valid_until > NOW)
    )
    wanted = asked | ({promote_from} if promote_from else set())
    assert sorted(told) == sorted(
        ["held"] * held
        + ["evidence-missing"] * (not passed)
        + ["evidence-stale"] * (passed and not fresh)
        + ["held-before"] * len(wanted & held_before)
        + ["not-verified"] * len(wanted - verified - held_before)
    )


def test_without_any_demand_everything_may_run() -> None:
    facts = Facts("o/v1", NOW, {}, None, (), frozenset(), {})
    assert judge(PolicySection(evidence=()), facts) == ()
