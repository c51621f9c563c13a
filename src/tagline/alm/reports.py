"""What agents report on `observed/<name>`: the last report of each state of each deployment, with all earlier ones in the history."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Final

from pydantic import ValidationError

from tagline.alm.branches import to_json
from tagline.alm.git import Repository
from tagline.clock import Clock
from tagline.domain.lifecycle import Report
from tagline.errors import TryAgainError, UsageError

PREFIX: Final = "observed"
_POLL_S: Final = 1.0


def branch(environment: str) -> str:
    return f"{PREFIX}/{environment}"


def append(repo: Repository, environment: str, report: Report, *, by: str) -> str:
    """
    Add a report; returns the commit that holds it.

    Raises:
        TryAgainError: The remote is away, or others append all the time.
    """
    subject = f"{report.integration} {report.version} {report.state} in {environment}"
    trailers = {
        "Report-State": report.state,
        "Integration": report.integration,
        "Closure": report.closure,
        "Deployment": report.deployment,
        "Agent": report.agent,
        "Code": report.code,
    }
    return repo.add(
        branch(environment),
        {f"{report.integration}/{report.deployment}/{report.state}.json": to_json(report)},
        message=f"{subject}\n\n" + "".join(f"{k}: {v}\n" for k, v in trailers.items() if v),
        by=by,
        at=report.at,
    )


def read(repo: Repository, environment: str) -> tuple[Report, ...]:
    """
    Every deployment's last report of each state, oldest first, as of the last `refresh`.

    Raises:
        UsageError: A report cannot be understood (code `report-unreadable`).
    """
    head = repo.head(branch(environment))
    if head is None:
        return ()
    found = [_parsed(content, environment, path) for path, content in repo.files(head).items()]
    return tuple(sorted(found, key=lambda r: (r.at, _ORDER.index(r.state))))


def verified(repo: Repository, environment: str) -> frozenset[str] | None:
    """
    Deployments that were ever verified, as of the last `refresh`; None when no agent of this environment ever reported.

    Read from the names of the reports alone, so that one which cannot be understood keeps nobody from rolling back.
    """
    head = repo.head(branch(environment))
    if head is None:
        return None
    return frozenset(path.split("/")[-2] for path in repo.files(head) if path.endswith("/verified.json"))


_ORDER: Final = ("activated", "verified", "failed", "drained")


def is_verified(reports: Iterable[Report], closure: str) -> bool:
    """Whether the last word about a closure is that it was verified; that it was drained later takes nothing away."""
    words = [r.state for r in reports if r.closure == closure and r.state in ("verified", "failed")]
    return bool(words) and words[-1] == "verified"


def has_failed(reports: Iterable[Report], deployment: str) -> bool:
    """Whether the last word of an agent about a deployment is that it failed; of several agents one is enough."""
    words = {
        r.agent: r.state for r in reports if r.deployment == deployment and r.state in ("verified", "failed")
    }
    return "failed" in words.values()


def never_worked(reports: Iterable[Report], deployment: str) -> bool:
    """Whether a deployment failed and was verified by nobody."""
    states = {r.state for r in reports if r.deployment == deployment}
    return "failed" in states and "verified" not in states


def at_work(reports: Iterable[Report], integration: str) -> str | None:
    """The deployment of an integration that was verified last and stopped no more; None where there is none."""
    told = [r for r in reports if r.integration == integration]
    last = {r.deployment: r.state for r in told if r.state in ("verified", "drained")}
    return next((r.deployment for r in reversed(told) if last.get(r.deployment) == "verified"), None)


def wait_for(
    repo: Repository,
    environment: str,
    deployment: str,
    states: Collection[str],
    *,
    timeout: timedelta,
    clock: Clock,
) -> Report:
    """
    Wait until the agent reports one of these states about a deployment.

    Raises:
        TryAgainError: It did not in time (code `agent-pending`); the decision stands.
    """
    ends = clock.now() + timeout
    while True:
        repo.refresh()
        told = [r for r in read(repo, environment) if r.deployment == deployment and r.state in states]
        if told:
            return told[-1]
        if clock.now() >= ends:
            raise TryAgainError(
                f"{deployment} is decided, and no agent of {environment} reported {' or '.join(sorted(states))} "
                f"within {timeout.total_seconds():g} seconds",
                code="agent-pending",
                where={"environment": environment, "deployment": deployment},
                hint=f"start it with tagline run --env {environment}; tagline status shows when it is done",
            )
        clock.sleep(_POLL_S)


def _parsed(content: bytes, environment: str, path: str) -> Report:
    try:
        return Report.model_validate_json(content)
    except ValidationError:
        raise UsageError(
            f"{path} on branch {branch(environment)} is no report that this tagline knows",
            code="report-unreadable",
            where={"environment": environment, "path": path},
            hint="update tagline; branches are written by tagline alone",
        ) from None
