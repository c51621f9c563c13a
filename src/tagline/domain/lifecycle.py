"""Releases, decisions, deployments, evidence, plans: the frozen values of the lifecycle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value with no surprise fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Release(Value):
    """Immutable content of an integration, with a tag as its name."""

    integration: str
    version: str
    closure: str
    """`sha256:…` over the canonical manifest; the identity."""
    commit: str
    """The commit the tag points at."""
    tag_object: str
    """The tag's own object id, so that a moved tag is noticed."""

    @property
    def tag(self) -> str:
        return f"{self.integration}/v{self.version}"


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    INCONCLUSIVE = "inconclusive"


class Evidence(Value):
    """A recorded fact about a closure: what was run, when, by whom, with which verdict."""

    closure: str
    kind: str
    verdict: Verdict
    at: datetime
    by: str
    valid_until: datetime | None = None
    runtime: Mapping[str, str] = {}
    """tagline, Python and library versions the evidence was earned under."""
    counts: Mapping[str, int] = {}
    details: Mapping[str, Any] = {}


class Deployment(Value):
    """One closure with one configuration in one environment: `deployment.json` on the branch."""

    id: str
    """Sortable and unique: `<integration>-<number of the decision, 6 digits>`."""
    integration: str
    version: str
    closure: str
    tag_object: str
    commit: str
    config_digest: str
    config_commit: str
    decided_at: datetime
    decided_by: str


class Hold(Value):
    """A closure that may not be deployed here."""

    integration: str
    closure: str
    version: str
    reason: str
    by: str
    at: datetime


class Desired(Value):
    """What an environment should run, as folded from its branch."""

    head: str | None
    """Commit of `env/<name>` it was read from; None when there is no branch yet."""
    deployments: Mapping[str, Deployment] = {}
    """By integration."""
    holds: tuple[Hold, ...] = ()


class DecisionKind(StrEnum):
    DEPLOY = "deploy"
    PROMOTE = "promote"
    ROLLBACK = "rollback"


class StageKind(StrEnum):
    PREPARE = "prepare"
    ACTIVATE = "activate"
    VERIFY = "verify"
    SETTLE = "settle"


class Stage(Value):
    """One step the agent performs; `explain` is the sentence `plan` prints."""

    kind: StageKind
    explain: str


class FieldChange(Value):
    """How often one target field differs in a shadow replay."""

    model: str
    field: str
    records: int
    example: str
    """Key of the smallest record that shows it; never its values."""


class Plan(Value):
    """What an operation would do: printed by `plan`, performed by the agent from the decision it becomes."""

    environment: str
    kind: DecisionKind
    integration: str
    release: Release
    current: Deployment | None
    """What was decided last."""
    running: Deployment | None
    """What works as far as it is known; another one where the one decided last failed and never worked."""
    head: str | None
    """Commit of the environment branch it was made on; None when there is none yet."""
    config_digest: str
    config_commit: str
    config_changes: tuple[str, ...] = ()
    """`path: old -> new (layer)`, secret-free."""
    stages: tuple[Stage, ...]
    field_changes: tuple[FieldChange, ...] = ()
    records_compared: int = 0
    records_changed: int = 0
    failures_new: int = 0
    warnings: tuple[str, ...] = ()
    hold: Hold | None = None
    """Planted by the same commit, for a rollback."""
    reason: str = ""
    """Why it is rolled back; stands in the message of the decision, held or not."""


class Report(Value):
    """What the agent says it did, on `observed/<environment>`."""

    deployment: str
    integration: str
    version: str
    closure: str
    state: Literal["activated", "verified", "failed", "drained"]
    at: datetime
    agent: str
    message: str = ""
    code: str = ""
