"""Where every environment stands: what was decided, what its agent says, what is held."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tagline.alm import branches, reports
from tagline.alm.git import Repository
from tagline.domain.lifecycle import Deployment, Hold, Report, Value


class Status(Value):
    """One integration in one environment."""

    environment: str
    decided: Deployment
    report: Report | None
    """The agent's last word about the deployment that runs; None when nothing was ever activated."""
    activated_at: datetime | None
    """When that deployment began to work."""
    holds: tuple[Hold, ...]

    @property
    def integration(self) -> str:
        return self.decided.integration

    @property
    def version(self) -> str:
        """The decided one."""
        return self.decided.version

    @property
    def closure(self) -> str:
        """The decided one."""
        return self.decided.closure

    @property
    def is_pending(self) -> bool:
        """Whether the agent has not yet said anything about what was decided."""
        return self.report is None or self.report.deployment != self.decided.id

    @property
    def running(self) -> str:
        """The agent's word, for people."""
        if self.report is None:
            return "pending agent"
        word = self.report.state + (f" ({self.report.code})" if self.report.code else "")
        return f"pending agent, {self.report.version} {word}" if self.is_pending else word

    @property
    def since(self) -> str:
        return f"{self.activated_at:%Y-%m-%d %H:%M}Z" if self.activated_at else ""

    @property
    def held(self) -> str:
        """Versions that may not be deployed here."""
        return ", ".join(h.version for h in self.holds)


def status(repo: Repository) -> tuple[Status, ...]:
    """
    Every integration about which something was decided, environment by environment.

    Raises:
        TryAgainError: The remote is away (code `remote-unreachable`).
    """
    repo.refresh()
    return tuple(s for name in branches.environments(repo) for s in _statuses(repo, name))


def _statuses(repo: Repository, environment: str) -> list[Status]:
    state = branches.read(repo, environment)
    told = reports.read(repo, environment)
    return [
        _status(environment, deployment, [r for r in told if r.integration == name], state.holds)
        for name, deployment in sorted(state.deployments.items())
    ]


def _status(environment: str, decided: Deployment, told: Sequence[Report], holds: Sequence[Hold]) -> Status:
    """What runs is what was activated last and has neither failed nor drained; a failure of the decided one is told all the same."""
    ended = {r.deployment for r in told if r.state in ("failed", "drained")}
    activated = [r for r in told if r.state == "activated" and r.deployment not in ended]
    running = activated[-1].deployment if activated else ""
    words = [r for r in told if r.deployment == decided.id] or [r for r in told if r.deployment == running]
    return Status(
        environment=environment,
        decided=decided,
        report=words[-1] if words else None,
        activated_at=activated[-1].at if activated else None,
        holds=tuple(h for h in holds if h.integration == decided.integration),
    )
