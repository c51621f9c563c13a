"""An agent's side of an environment: reads what was decided, takes it out of git, and reports."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tagline.alm import branches, deciding, planning, reports
from tagline.alm.git import Repository
from tagline.clock import Clock
from tagline.domain.lifecycle import Deployment, Desired, Report
from tagline.errors import UsageError


class GitDecisions:
    """
    What `runtime.agent.Decisions` asks for, from the branches of one environment.

    Args:
        by: How the agent signs commits, `Name <mail>`.
    """

    def __init__(self, repo: Repository, environment: str, *, by: str, clock: Clock) -> None:
        self._repo = repo
        self._environment = environment
        self._by = by
        self._clock = clock

    def current(self) -> Desired:
        """What should run now; `TryAgainError` while the remote is away."""
        self._repo.refresh()
        return branches.read(self._repo, self._environment).desired()

    def materialise(self, deployment: Deployment, directory: Path) -> None:
        """
        Write `code/`, `libraries/`, `config.toml` and `deployment.json` of a decision; whole, or not at all.

        Raises:
            UsageError: The branch knows no such deployment (code `deployment-unknown`).
        """
        tree = f"{self._commit(deployment)}:{deployment.integration}"
        directory.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{directory.name}-"
        for leftover in directory.parent.glob(f"{prefix}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        part = Path(tempfile.mkdtemp(prefix=prefix, dir=directory.parent))
        try:
            self._repo.write_out(tree, part)
            (part / "libraries").mkdir(exist_ok=True)
            if directory.exists():
                shutil.rmtree(directory)
            part.rename(directory)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    def report(self, report: Report) -> None:
        reports.append(self._repo, self._environment, report, by=self._by)

    def roll_back(self, deployment: Deployment, reason: str, *, hold: bool) -> None:
        """
        Decide that what ran before runs again; nothing when somebody has decided about this integration since.

        Args:
            hold: Whether the deployment's closure may not be deployed here again; false where the fault was not its own.

        Raises:
            RefusedError: There is nothing to return to (code `nothing-earlier`).
        """
        now = self._clock.now()
        self._repo.refresh()
        current = branches.read(self._repo, self._environment).deployments.get(deployment.integration)
        if current is None or current.id != deployment.id:
            return
        plan = planning.plan_rollback(
            self._repo,
            self._environment,
            deployment.integration,
            by=self._by,
            at=now,
            reason=reason,
            hold=hold,
        )
        if plan.current is not None and plan.current.id == deployment.id:
            deciding.apply(self._repo, plan, by=self._by, at=now)

    def _commit(self, deployment: Deployment) -> str:
        for decision in branches.history(self._repo, self._environment):
            if (decision.integration, decision.deployment) == (deployment.integration, deployment.id):
                return decision.commit
        raise UsageError(
            f"branch {branches.branch(self._environment)} knows no deployment {deployment.id}",
            code="deployment-unknown",
            where={"environment": self._environment, "deployment": deployment.id},
            hint="somebody rewrote the branch; restore it from another clone, or deploy again",
        )
