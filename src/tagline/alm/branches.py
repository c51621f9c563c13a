"""
Environment branches: `env/<name>`, one commit a decision, whose tree is what the environment should run.

    <integration>/code/                 the released tree
    <integration>/libraries/<name>/     the libraries in its closure
    <integration>/config.toml           the configuration it was decided with
    <integration>/deployment.json       who decided what, and when
    <integration>/evidence/<kind>.json  what the decision relied on
    holds/<integration>/<closure>.json  closures that may not be deployed here

Every commit says in trailers what its tree changes, so folding the history gives the tree's state.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from pydantic import ValidationError

from tagline.alm import closure as closures
from tagline.alm.git import Repository
from tagline.alm.objects import Commit
from tagline.domain.lifecycle import DecisionKind, Deployment, Desired, Hold, Value
from tagline.errors import UsageError

PREFIX: Final = "env"
HOLDS: Final = "holds"
V = TypeVar("V", bound=Value)


@dataclass(frozen=True)
class EnvironmentBranch:
    """What the tip of an environment's branch says."""

    environment: str
    head: str | None
    deployments: Mapping[str, Deployment]
    holds: tuple[Hold, ...]

    def desired(self) -> Desired:
        return Desired(head=self.head, deployments=self.deployments, holds=self.holds)

    def held(self, integration: str, closure: str) -> Hold | None:
        return next((h for h in self.holds if (h.integration, h.closure) == (integration, closure)), None)


@dataclass(frozen=True)
class Decision:
    """One commit of an environment branch, as its trailers tell it."""

    commit: str
    kind: DecisionKind
    integration: str
    version: str
    closure: str
    config_digest: str
    deployment: str
    tag_object: str
    held: str
    """Closure that this decision holds; empty for none."""
    by: str
    at: datetime
    subject: str


def branch(environment: str) -> str:
    return f"{PREFIX}/{environment}"


def environments(repo: Repository) -> tuple[str, ...]:
    """Environments about which something was decided, as of the last `refresh`."""
    return tuple(name.removeprefix(f"{PREFIX}/") for name in repo.branches(PREFIX))


def read(repo: Repository, environment: str) -> EnvironmentBranch:
    """
    Fold the tip of an environment's branch, as of the last `refresh`.

    Raises:
        UsageError: A file on it cannot be understood (code `decision-unreadable`).
        RefusedError: A branch named `env` is in the way (code `branch-in-the-way`).
    """
    head = repo.head(branch(environment))
    return read_at(repo, environment, head)


def read_at(repo: Repository, environment: str, head: str | None) -> EnvironmentBranch:
    """The same for one commit of the branch."""
    if head is None:
        return EnvironmentBranch(environment, None, {}, ())
    deployments = {}
    for entry in repo.entries(head):
        if entry.kind == "tree" and entry.path != HOLDS:
            content = repo.read(head, f"{entry.path}/deployment.json")
            if content is not None:
                deployments[entry.path] = _parsed(Deployment, content, environment, entry.path)
    files = repo.files(f"{head}:{HOLDS}") if repo.tree_id(head, HOLDS) else {}
    holds = tuple(_parsed(Hold, content, environment, path) for path, content in sorted(files.items()))
    return EnvironmentBranch(environment, head, deployments, holds)


def history(repo: Repository, environment: str) -> tuple[Decision, ...]:
    """The decisions about an environment, newest first, as of the last `refresh`."""
    head = repo.head(branch(environment))
    return decisions(repo.log(head)) if head else ()


def decisions(commits: Iterable[Commit]) -> tuple[Decision, ...]:
    """What commits of an environment branch decided; a commit without our trailers decided nothing."""
    return tuple(_decision(c) for c in commits if "Decision-Kind" in c.trailers)


def fold(oldest_first: Iterable[Decision]) -> tuple[dict[str, str], frozenset[tuple[str, str]]]:
    """Deployment id by integration, and (integration, closure) of every hold, after these decisions."""
    deployments: dict[str, str] = {}
    holds: set[tuple[str, str]] = set()
    for decision in oldest_first:
        deployments[decision.integration] = decision.deployment
        if decision.held:
            holds.add((decision.integration, decision.held))
    return deployments, frozenset(holds)


def prior(
    oldest_first: Iterable[Decision], holds: Iterable[str], verified: Collection[str] | None
) -> Decision | None:
    """
    What a rollback returns to: the decision below the current one that ran and is not held; None with nothing below.

    A deployment puts itself on top, or takes the place of its own earlier attempt; a rollback takes away what it left, so
    that rolling back twice goes further back and never returns to what was left first.

    Args:
        oldest_first: The decisions about one integration in one environment.
        holds: The closures held there.
        verified: Ids of the deployments that an agent verified there; any of a pair of closure and configuration speaks
            for all of that pair. None when no agent ever reported: then whatever was decided may have run.
    """

    def pair(decision: Decision) -> tuple[str, str]:
        return decision.closure, decision.config_digest

    decided = tuple(oldest_first)
    stack: list[Decision] = []
    for decision in decided:
        if decision.kind is DecisionKind.ROLLBACK:
            while stack and pair(stack[-1]) != pair(decision):
                stack.pop()
        if stack and pair(stack[-1]) == pair(decision):
            stack.pop()
        stack.append(decision)
    held = set(holds)
    ran = {pair(d) for d in decided if verified is None or d.deployment in verified}
    # The pair that is left may stand further below, too, when what came between never ran.
    below = [d for d in stack if pair(d) != pair(stack[-1])]
    return next((d for d in reversed(below) if d.closure not in held and pair(d) in ran), None)


def libraries(repo: Repository, commit: str, integration: str) -> dict[str, str]:
    """Name -> tree of the libraries that one decision brought."""
    return {e.path: e.id for e in repo.entries(f"{commit}:{integration}/libraries")}


def hold_path(hold: Hold) -> str:
    return f"{HOLDS}/{hold.integration}/{closures.file_name(hold.closure)}.json"


def to_json(value: Value) -> bytes:
    """A value as it stands in a file of a branch."""
    return (value.model_dump_json(indent=2) + "\n").encode()


def message(
    kind: DecisionKind,
    environment: str,
    deployment: Deployment,
    *,
    config_digest: str,
    hold: Hold | None,
    reason: str,
) -> str:
    """Subject, reason and trailers of a decision."""
    name = f"{deployment.integration} {deployment.version}"
    subject = {
        DecisionKind.DEPLOY: f"deploy {name} to {environment}",
        DecisionKind.PROMOTE: f"promote {name} to {environment}",
        DecisionKind.ROLLBACK: f"roll {deployment.integration} back to {deployment.version} in {environment}",
    }[kind]
    lines = {
        "Decision-Kind": kind.value,
        "Integration": deployment.integration,
        "Version": deployment.version,
        "Closure": deployment.closure,
        "Config": config_digest,
        "Deployment": deployment.id,
        "Tag-Object": deployment.tag_object,
        "Hold": hold.closure if hold else "",
        "By": deployment.decided_by,
    }
    body = f"{reason}\n\n" if reason else ""
    return f"{subject}\n\n{body}" + "".join(f"{k}: {v}\n" for k, v in lines.items() if v)


def _decision(commit: Commit) -> Decision:
    told = commit.trailers
    return Decision(
        commit=commit.id,
        kind=DecisionKind(told["Decision-Kind"]),
        integration=told.get("Integration", ""),
        version=told.get("Version", ""),
        closure=told.get("Closure", ""),
        config_digest=told.get("Config", ""),
        deployment=told.get("Deployment", ""),
        tag_object=told.get("Tag-Object", ""),
        held=told.get("Hold", ""),
        by=commit.author,
        at=commit.at,
        subject=commit.subject,
    )


def _parsed(kind: type[V], content: bytes, environment: str, path: str) -> V:
    try:
        return kind.model_validate_json(content)
    except ValidationError:
        raise UsageError(
            f"{path} on branch {branch(environment)} is no {kind.__name__.lower()} that this tagline knows",
            code="decision-unreadable",
            where={"environment": environment, "path": path},
            hint="update tagline; branches are written by tagline alone",
        ) from None
