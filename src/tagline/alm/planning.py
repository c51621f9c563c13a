"""Plans: what an operation would do, as plain values, before anything is decided."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version as installed_version
from pathlib import Path

from tagline.alm import branches, closure, environments, evidence, releases, reports
from tagline.alm.branches import Decision, EnvironmentBranch
from tagline.alm.environments import Rendered
from tagline.alm.git import Repository
from tagline.domain.environment import EnvironmentConfig, PolicySection
from tagline.domain.gate import Facts, judge
from tagline.domain.lifecycle import (
    DecisionKind,
    Deployment,
    Evidence,
    Hold,
    Plan,
    Release,
    Stage,
    StageKind,
)
from tagline.errors import RefusedError, UsageError
from tagline.flow import schedules
from tagline.integration import Integration, load, remotes


def plan_deploy(repo: Repository, tag: str, environment: str, *, at: datetime) -> Plan:
    """
    What deploying a release would do; a plan without stages when it is what should run already, and did not fail there.

    Raises:
        RefusedError: The gate says no; the message names every reason, the code is the first one's (`held`,
            `evidence-missing`, `evidence-stale`, `not-verified`, `held-before`), or the tag is not what it was (`tag-moved`).
        UsageError: The release or environment is unknown, or the configuration does not fit.
        TryAgainError: The remote is away (code `remote-unreachable`).
    """
    release = releases.find(repo, tag)
    return _forward(repo, DecisionKind.DEPLOY, release, environment, at=at, must_be_verified_in=())


def plan_promote(repo: Repository, integration: str, source: str, target: str, *, at: datetime) -> Plan:
    """
    What running in `target` exactly what is verified in `source` would do; raises as `plan_deploy` does.

    Raises:
        UsageError: Nothing of this integration was decided for `source` (code `nothing-deployed`).
    """
    if source == target:
        raise UsageError(
            f"{source} cannot be promoted to itself",
            code="promote-to-itself",
            where={"environment": source},
            hint="name two environments, for example --from dev --to qa",
        )
    repo.refresh()
    current = _current(branches.read(repo, source), integration)
    release = releases.find(repo, f"{integration}/v{current.version}")
    return _forward(repo, DecisionKind.PROMOTE, release, target, at=at, must_be_verified_in=(source,))


def plan_rollback(
    repo: Repository,
    environment: str,
    integration: str,
    *,
    by: str,
    at: datetime,
    reason: str = "",
    hold: bool = True,
) -> Plan:
    """
    What returning to the prior closure and configuration would do; needs neither tag nor commit nor main.

    Args:
        hold: Whether the closure that is left may not be deployed here again; false where its content is not to blame.
            When only the configuration is rolled back, nothing is held in any case.

    Raises:
        RefusedError: Nothing earlier ran and is not held (code `nothing-earlier`), or the prior configuration does not fit any more
            (code `rollback-config-invalid`).
        UsageError: Nothing was decided here (code `nothing-deployed`).
    """
    repo.refresh()
    state = branches.read(repo, environment)
    current = _current(state, integration)
    target = _prior(repo, state, integration)
    before = branches.read_at(repo, environment, target.commit).deployments[integration]
    old, new = _config_at(repo, state.head, integration), _config_at(repo, target.commit, integration)
    try:
        config = environments.from_toml(new)
        libraries = branches.libraries(repo, target.commit, integration)
        loaded = _check(repo, f"{target.commit}:{integration}/code", libraries, config)
    except UsageError as error:
        raise RefusedError(
            f"{integration} {before.version} cannot return with the configuration it had: {error.message}",
            code="rollback-config-invalid",
            where={"environment": environment, "integration": integration},
            hint=f"deploy {integration}/v{before.version} with the configuration of today",
        ) from error
    reason = reason or f"rolled back from {environment}"
    planted = None
    if hold and before.closure != current.closure:
        planted = Hold(
            integration=integration,
            closure=current.closure,
            version=current.version,
            reason=reason,
            by=by,
            at=at,
        )
    return Plan(
        environment=environment,
        kind=DecisionKind.ROLLBACK,
        integration=integration,
        release=_released(before),
        current=current,
        running=current,
        head=state.head,
        config_digest=before.config_digest,
        config_commit=before.config_commit,
        config_changes=environments.changes(_lenient(old), config, {}),
        stages=_stages(_released(before), current, config, loaded, planted, at),
        hold=planted,
        reason=reason,
    )


def gate(
    repo: Repository,
    release: Release,
    state: EnvironmentBranch,
    policy: PolicySection,
    *,
    at: datetime,
    must_be_verified_in: tuple[str, ...],
) -> dict[str, Evidence]:
    """
    Hold a release to an environment's policy; returns the evidence that was relied on, by kind.

    Raises:
        RefusedError: With every reason in its message, and the first one's code and hint.
    """
    found = {k: e for k in policy.evidence if (e := evidence.latest(repo, release.closure, k))}
    asked = {*must_be_verified_in, *filter(None, [policy.promote_from])}
    verified = frozenset(e for e in asked if reports.is_verified(reports.read(repo, e), release.closure))
    holds = {e: branches.read(repo, e).held(release.integration, release.closure) for e in asked}
    refusals = judge(
        policy,
        Facts(
            release=release.tag,
            now=at,
            evidence=found,
            hold=state.held(release.integration, release.closure),
            must_be_verified_in=must_be_verified_in,
            verified_in=verified,
            held_in={environment: hold for environment, hold in holds.items() if hold is not None},
        ),
    )
    if refusals:
        raise RefusedError(
            f"{release.tag} may not run in {state.environment}: " + "; ".join(r.message for r in refusals),
            code=refusals[0].code,
            where={"environment": state.environment, "release": release.tag, "closure": release.closure},
            hint=refusals[0].hint,
        )
    return found


def is_empty(plan: Plan) -> bool:
    """Whether it would change nothing: this closure with this configuration is decided already."""
    return not plan.stages


# -- forward ---------------------------------------------------------------------------------------


def _forward(
    repo: Repository,
    kind: DecisionKind,
    release: Release,
    environment: str,
    *,
    at: datetime,
    must_be_verified_in: tuple[str, ...],
) -> Plan:
    rendered = restrict(environments.render(repo, environment, repo.main()), release.integration)
    config = rendered.config
    state = branches.read(repo, environment)
    relied = gate(repo, release, state, config.policy, at=at, must_be_verified_in=must_be_verified_in)
    made = closure.of(repo, release.commit, release.integration)
    integration = _check(repo, made.tree, made.libraries, config)
    decided = state.deployments.get(release.integration)
    running = _running(repo, environment, decided)
    null = (
        decided is not None
        and (decided.closure, decided.config_digest) == (release.closure, rendered.digest)
        # Deciding once more is how people ask an agent to try a failed deployment again, and at once.
        and not reports.has_failed(reports.read(repo, environment), decided.id)
    )
    return Plan(
        environment=environment,
        kind=kind,
        integration=release.integration,
        release=release,
        current=decided,
        running=running,
        head=state.head,
        config_digest=rendered.digest,
        config_commit=rendered.commit,
        config_changes=_config_changes(repo, state, rendered, release.integration),
        stages=() if null else _stages(release, running, config, integration, hold=None, at=at),
        warnings=(*_warnings(release, running, relied), *_unheard(integration, config)),
    )


def _running(repo: Repository, environment: str, decided: Deployment | None) -> Deployment | None:
    """What runs, as far as it is known: what was decided last, or what went on when that failed and never worked."""
    try:
        told = reports.read(repo, environment)
    except UsageError:
        return decided  # a report that cannot be understood keeps nobody from deploying
    if decided is None or not reports.never_worked(told, decided.id):
        return decided
    working = reports.at_work(told, decided.integration)
    made = next((d for d in branches.history(repo, environment) if d.deployment == working), None)
    return branches.read_at(repo, environment, made.commit).deployments[decided.integration] if made else None


def restrict(rendered: Rendered, integration: str) -> Rendered:
    """The part of an environment's configuration that one integration is deployed with, and its digest."""
    config = environments.for_integration(rendered.config, integration)
    return Rendered(config, environments.digest(config), rendered.commit, rendered.layers)


def _check(
    repo: Repository, code: str, libraries: Mapping[str, str], config: EnvironmentConfig
) -> Integration:
    """Load the released code from git, never from the working copy, and hold the configuration to it."""
    with tempfile.TemporaryDirectory(prefix="tagline-plan-") as folder:
        directory = Path(folder)
        repo.write_out(code, directory / "code")
        for name, tree in libraries.items():
            repo.write_out(tree, directory / "libraries" / name)
        integration = load(directory / "code", [directory / "libraries" / name for name in libraries])
    environments.check_settings(config, integration)
    return integration


def _config_changes(
    repo: Repository, state: EnvironmentBranch, rendered: Rendered, integration: str
) -> tuple[str, ...]:
    if integration not in state.deployments:
        return ()
    old = _lenient(_config_at(repo, state.head, integration))
    return environments.changes(old, rendered.config, rendered.layers)


def _warnings(
    release: Release, current: Deployment | None, relied: Mapping[str, Evidence]
) -> tuple[str, ...]:
    found = []
    running = installed_version("tagline")
    for kind, proof in relied.items():
        earned = proof.runtime.get("tagline", running)
        if earned != running:
            found.append(f"the evidence of {kind} was earned under tagline {earned}, this is {running}")
    if current is not None and current.version == release.version and current.closure != release.closure:
        found.append(
            f"version {release.version} runs here with other content ({closure.short(current.closure)})"
        )
    return tuple(found)


def _unheard(integration: Integration, config: EnvironmentConfig) -> Iterator[str]:
    """Connections whose events nobody will be told of."""
    for each in remotes.configured(integration, config):
        if remotes.is_deaf(each):
            reason = f"[connections.{each.name}] has no webhook_token, so that no webhook is registered"
            if each.starved:
                yield f"{reason} and nothing ever starts {', '.join(each.starved)}, which has no sweep"
            else:
                yield f"{reason} and changes wait for the sweep"


# -- back ------------------------------------------------------------------------------------------


def _current(state: EnvironmentBranch, integration: str) -> Deployment:
    found = state.deployments.get(integration)
    if found is None:
        raise UsageError(
            f"nothing of {integration} was ever deployed to {state.environment}",
            code="nothing-deployed",
            where={"environment": state.environment, "integration": integration},
            hint=f"there: {', '.join(sorted(state.deployments)) or 'nothing at all'}",
        )
    return found


def _prior(repo: Repository, state: EnvironmentBranch, integration: str) -> Decision:
    own = [d for d in branches.history(repo, state.environment) if d.integration == integration]
    held = {h.closure for h in state.holds if h.integration == integration}
    found = branches.prior(reversed(own), held, reports.verified(repo, state.environment))
    if found is None:
        raise RefusedError(
            f"nothing earlier than {state.deployments[integration].version} ran in {state.environment} and may run again",
            code="nothing-earlier",
            where={"environment": state.environment, "integration": integration},
            hint="stop the agent to stop the work, and deploy a corrected release",
        )
    return found


def _config_at(repo: Repository, commit: str | None, integration: str) -> str:
    content = repo.read(commit, f"{integration}/config.toml") if commit else None
    return (content or b"").decode("utf-8", "replace")


def _lenient(text: str) -> EnvironmentConfig | None:
    """A configuration of the past, for comparison; None when this tagline does not know it any more."""
    try:
        return environments.from_toml(text)
    except UsageError:
        return None


def _released(deployment: Deployment) -> Release:
    return Release(
        integration=deployment.integration,
        version=deployment.version,
        closure=deployment.closure,
        commit=deployment.commit,
        tag_object=deployment.tag_object,
    )


# -- stages ----------------------------------------------------------------------------------------


def _stages(
    release: Release,
    running: Deployment | None,
    config: EnvironmentConfig,
    integration: Integration,
    hold: Hold | None,
    at: datetime,
) -> tuple[Stage, ...]:
    """The four steps of every deployment, in sentences."""
    name = f"{release.integration} {release.version} ({closure.short(release.closure)})"
    named = " and ".join(integration.connections)
    beside = f" beside {running.version}, which goes on" if running else ""
    if running is None:
        activate, failed = (
            f"start {name}; nothing of it ran here before",
            "its worker stops, and nothing runs",
        )
    else:
        activate = (
            f"{running.version} finishes what it holds and stops, then {name} takes over, in one transaction"
        )
        failed = f"{running.version} runs again by itself"
    if hold is not None:
        activate += (
            f"; {hold.version} ({closure.short(hold.closure)}) is held and cannot be deployed here again"
        )
    if by_the_clock := schedules.told(integration.flows.values(), at):
        activate += f"; {by_the_clock}"
    return (
        Stage(
            kind=StageKind.PREPARE,
            explain=f"load {name}{beside}; reach {named}; register webhooks under {config.agent.public_url}",
        ),
        Stage(kind=StageKind.ACTIVATE, explain=activate),
        Stage(
            kind=StageKind.VERIFY,
            explain=f"look whether the running digest is the decided one and {named} answer; if not, {failed}",
        ),
        Stage(kind=StageKind.SETTLE, explain="let go of what only the way back needed"),
    )
