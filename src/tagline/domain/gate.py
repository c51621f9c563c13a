"""The gate of an environment: a pure rule over facts about a closure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tagline.domain.environment import PolicySection
from tagline.domain.lifecycle import Evidence, Hold, Verdict


@dataclass(frozen=True)
class Facts:
    """What is known about a closure when somebody wants to run it."""

    release: str
    """The tag, for people."""
    now: datetime
    evidence: Mapping[str, Evidence]
    """The latest of each kind."""
    hold: Hold | None
    must_be_verified_in: tuple[str, ...]
    """Environments that must have shown it, beside the policy's own."""
    verified_in: frozenset[str]
    held_in: Mapping[str, Hold]
    """Environment -> the hold on this closure there; what was taken back there is not verified there any more."""


@dataclass(frozen=True)
class Refusal:
    """One reason why not."""

    code: str
    message: str
    hint: str


def judge(policy: PolicySection, facts: Facts) -> tuple[Refusal, ...]:
    """Every reason why this closure may not run here; none means it may."""
    refusals = []
    if facts.hold is not None:
        refusals.append(
            Refusal(
                code="held",
                message=f"{facts.release} is held since {facts.hold.at:%Y-%m-%d %H:%M} by {facts.hold.by}: {facts.hold.reason}",
                hint="release a corrected version; a hold belongs to this content for good",
            )
        )
    for kind in policy.evidence:
        found = facts.evidence.get(kind)
        if found is None or found.verdict is not Verdict.PASSED:
            told = "no evidence" if found is None else f"evidence with verdict {found.verdict.value}"
            refusals.append(
                Refusal(
                    code="evidence-missing",
                    message=f"{facts.release} has {told} of {kind}",
                    hint=f"run tagline {kind} on the released commit until it passes",
                )
            )
        elif facts.now >= _ends(found, policy):
            refusals.append(
                Refusal(
                    code="evidence-stale",
                    message=f"the evidence of {kind} for {facts.release} ended {_ends(found, policy):%Y-%m-%d %H:%M}",
                    hint=f"run tagline {kind} on the released commit again",
                )
            )
    wanted = dict.fromkeys((*facts.must_be_verified_in, *filter(None, [policy.promote_from])))
    for environment in wanted:
        hold = facts.held_in.get(environment)
        if hold is not None:
            refusals.append(
                Refusal(
                    code="held-before",
                    message=f"{facts.release} is held in {environment} since {hold.at:%Y-%m-%d %H:%M} by {hold.by}: {hold.reason}",
                    hint=f"release a corrected version and run it in {environment} first",
                )
            )
        elif environment not in facts.verified_in:
            refusals.append(
                Refusal(
                    code="not-verified",
                    message=f"{facts.release} is not verified in {environment}",
                    hint=f"run it in {environment} first; tagline status shows when it is verified",
                )
            )
    return tuple(refusals)


def _ends(evidence: Evidence, policy: PolicySection) -> datetime:
    limit = evidence.at + timedelta(days=policy.evidence_max_age_days)
    return min(limit, evidence.valid_until) if evidence.valid_until else limit
