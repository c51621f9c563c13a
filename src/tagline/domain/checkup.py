"""Whether an environment's systems are ready for an integration: what is needed, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tagline.domain.model import Model


class State(StrEnum):
    """What a check found."""

    GOOD = "good"
    WARNING = "warning"
    """It works now; look at it."""
    FAILED = "failed"
    """Records would not be written."""
    UNKNOWN = "unknown"
    """It could not be told, or not without writing."""
    SKIPPED = "skipped"
    """It depends on something that failed, which is told once."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    subject: str
    """For example `crm sign-in`."""
    state: State
    found: str
    """For people; never a secret, never a value of a record."""
    fix: str = ""
    """The next action, unless it is good or skipped."""


@dataclass(frozen=True)
class Needs:
    """What the flows of an integration need of one system."""

    tables: tuple[type[Model], ...] = ()
    privileges: Mapping[str, int] = field(default_factory=dict)
    """Of Dataverse, by name: how far each must reach, as the rank of its depth."""
    solution: tuple[str, str] | None = None
    """Of Dataverse: unique name and least version."""
    webhooks: str = ""
    """Address beneath which the system's webhooks must be registered; empty when no flow is started by one."""
    events: tuple[str, ...] = ()
    set_up: str = "tagline solution import INTEGRATION --env NAME"
    """The command that brings what is missing in Dataverse."""


def webhook_check(connection: str, needs: Needs, standing: frozenset[str], fix: str) -> Check:
    """
    Whether a webhook is registered for each event that is needed, given those for which one is.

    Args:
        fix: What registers those that are missing.
    """
    subject = f"{connection} webhooks"
    missing = [event for event in needs.events if event not in standing]
    if missing:
        return Check(
            subject,
            State.WARNING,
            f"none is registered for {', '.join(missing)}",
            f"{fix}; until then the sweep finds what changed",
        )
    return Check(subject, State.GOOD, f"registered for {', '.join(needs.events)}")
