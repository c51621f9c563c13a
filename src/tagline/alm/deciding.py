"""Decisions: a plan becomes one commit of the environment's branch, or nothing at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tagline.alm import branches, closure, environments, planning
from tagline.alm.evidence import to_statement
from tagline.alm.git import Repository
from tagline.alm.objects import Change, Tree
from tagline.domain.lifecycle import DecisionKind, Deployment, Plan
from tagline.errors import RefusedError, TryAgainError

_ATTEMPTS: Final = 10


@dataclass(frozen=True)
class _Content:
    """What a decision puts below its integration's folder."""

    code: str
    libraries: Mapping[str, str]
    config: bytes
    evidence: Mapping[str, bytes] = field(default_factory=dict)


def apply(repo: Repository, plan: Plan, *, by: str, at: datetime) -> Deployment:
    """
    Append the decision a plan stands for; a plan without stages decides nothing and returns what is decided already.

    The plan holds for what it saw of its integration and of the whole environment; over decisions about others it goes on.

    Raises:
        TryAgainError: Somebody decided about the same first (code `plan-stale`, naming them), the configuration of the
            named commit is another (`plan-stale`), or the remote is away.
        RefusedError: The gate says no by now.
    """
    repo.refresh()
    content = _restored(repo, plan) if plan.kind is DecisionKind.ROLLBACK else _released(repo, plan, at)
    branch = branches.branch(plan.environment)
    for attempt in range(1, _ATTEMPTS + 1):
        head = repo.head(branch)
        _refuse_stale(repo, plan, head)
        if planning.is_empty(plan) and plan.current is not None:
            return plan.current
        deployment = _deployment(plan, by=by, at=at)
        commit = repo.commit(
            head,
            _changes(repo, plan, deployment, content, head),
            message=branches.message(
                plan.kind,
                plan.environment,
                deployment,
                config_digest=plan.config_digest,
                hold=plan.hold,
                reason=plan.reason,
            ),
            by=by,
            at=at,
        )
        try:
            repo.append(branch, commit, expected=head)
        except TryAgainError as error:
            if error.code != "branch-moved" or attempt == _ATTEMPTS:
                raise
        else:
            break
    return deployment


def _deployment(plan: Plan, *, by: str, at: datetime) -> Deployment:
    number = int(plan.current.id.rsplit("-", 1)[1]) + 1 if plan.current else 1
    return Deployment(
        id=f"{plan.integration}-{number:06d}",
        integration=plan.integration,
        version=plan.release.version,
        closure=plan.release.closure,
        tag_object=plan.release.tag_object,
        commit=plan.release.commit,
        config_digest=plan.config_digest,
        config_commit=plan.config_commit,
        decided_at=at,
        decided_by=by,
    )


def _changes(
    repo: Repository, plan: Plan, deployment: Deployment, content: _Content, head: str | None
) -> dict[str, Change]:
    own = plan.integration
    changes: dict[str, Change] = {
        f"{own}/code": Tree(content.code),
        f"{own}/config.toml": content.config,
        f"{own}/deployment.json": branches.to_json(deployment),
    }
    # What the deployment before brought and this one does not is gone.
    for folder, wanted in (("libraries", content.libraries), ("evidence", content.evidence)):
        there = repo.entries(f"{head}:{own}/{folder}") if head else ()
        changes |= {f"{own}/{folder}/{e.path}": None for e in there if e.path not in wanted}
    changes |= {f"{own}/libraries/{name}": Tree(tree) for name, tree in content.libraries.items()}
    changes |= {f"{own}/evidence/{name}": statement for name, statement in content.evidence.items()}
    if plan.hold is not None:
        changes[branches.hold_path(plan.hold)] = branches.to_json(plan.hold)
    return changes


def _released(repo: Repository, plan: Plan, at: datetime) -> _Content:
    """The trees of the release, and the configuration of the named commit, both as the plan saw them."""
    made = closure.of(repo, plan.release.commit, plan.integration)
    rendered = planning.restrict(
        environments.render(repo, plan.environment, plan.config_commit), plan.integration
    )
    if (made.digest, rendered.digest) != (plan.release.closure, plan.config_digest):
        raise TryAgainError(
            f"the plan is about {closure.short(plan.release.closure)} with configuration "
            f"{closure.short(plan.config_digest)}; its commits hold {closure.short(made.digest)} with "
            f"{closure.short(rendered.digest)}",
            code="plan-stale",
            where={"environment": plan.environment, "release": plan.release.tag},
            hint="make a new plan",
        )
    state = branches.read(repo, plan.environment)
    relied = planning.gate(repo, plan.release, state, rendered.config.policy, at=at, must_be_verified_in=())
    return _Content(
        made.tree,
        made.libraries,
        environments.to_toml(rendered.config).encode(),
        {f"{kind}.json": to_statement(proof) for kind, proof in relied.items()},
    )


def _restored(repo: Repository, plan: Plan) -> _Content:
    """What the branch itself remembers of the pair; nothing else has to exist any more."""
    own = plan.integration
    for decision in branches.history(repo, plan.environment):
        if (decision.integration, decision.closure, decision.config_digest) == (
            own,
            plan.release.closure,
            plan.config_digest,
        ):
            code = repo.tree_id(decision.commit, f"{own}/code")
            config = repo.read(decision.commit, f"{own}/config.toml")
            if code is None or config is None:
                continue
            return _Content(
                code,
                branches.libraries(repo, decision.commit, own),
                config,
                repo.files(f"{decision.commit}:{own}/evidence"),
            )
    raise RefusedError(
        f"the branch of {plan.environment} remembers no {own} {plan.release.version} with this configuration",
        code="nothing-earlier",
        where={"environment": plan.environment, "integration": own},
        hint="make a new plan",
    )


def _refuse_stale(repo: Repository, plan: Plan, head: str | None) -> None:
    if head == plan.head:
        return
    own = plan.integration
    if _seen(repo, plan.head, own) == _seen(repo, head, own):
        return
    new = repo.log(head, excluding=plan.head) if head else ()
    related = [d for d in branches.decisions(new) if d.integration == own] or list(branches.decisions(new))
    told = f"{related[0].by} was first with: {related[0].subject}" if related else "its branch was rewritten"
    raise TryAgainError(
        f"the plan for {own} in {plan.environment} is stale; {told}",
        code="plan-stale",
        where={"environment": plan.environment, "integration": own},
        hint="look at tagline history, then make a new plan",
    )


def _seen(repo: Repository, head: str | None, integration: str) -> dict[str, str | None]:
    """What a plan depends on: its integration, its holds, and every entry that is about the whole environment."""
    if head is None:
        return {}
    whole = {e.path: e.id for e in repo.entries(head) if e.kind == "blob"}
    own = {p: repo.tree_id(head, p) for p in (integration, f"{branches.HOLDS}/{integration}")}
    return {path: oid for path, oid in {**whole, **own}.items() if oid is not None}
