"""Commands that decide: release, plan, deploy, promote, rollback, and those that look: status, history."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from tagline.alm import deciding, evidence, planning, releases, reports
from tagline.alm.closure import short
from tagline.alm.git import Repository
from tagline.cli import here
from tagline.cli.output import counted, lasting, out, out_json, say, table
from tagline.cli.top import at_top
from tagline.clock import SystemClock
from tagline.domain.lifecycle import DecisionKind, Plan, Verdict
from tagline.errors import RefusedError

if TYPE_CHECKING:
    from tagline.alm.status import Status

CLOCK = SystemClock()
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
env_option = click.option(
    "--env", "environment", required=True, metavar="NAME", help="Environment, for example dev."
)
timeout_option = click.option(
    "--timeout",
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the agent; the decision stands when it runs out (exit 6). 0 does not wait.",
)


@click.command()
@click.argument("integration")
@json_option
def release(integration: str, as_json: bool) -> None:
    """Tag the committed INTEGRATION as release <integration>/v<version>; the version stands in its pyproject.toml."""
    repo = at_top()
    made = releases.release(repo, integration, by=repo.identity(), at=CLOCK.now())
    for warning in releases.warnings(repo, made):
        say(f"warning: {warning}")
    if as_json:
        out_json(made)
    else:
        out(f"released {made.tag}: closure {short(made.closure)}, commit {made.commit[:10]}")
        proof = evidence.latest(repo, made.closure, "check")
        passed = proof is not None and proof.verdict is Verdict.PASSED
        say(f"next: tagline {f'deploy {made.tag} --env dev' if passed else f'check {integration}'}")


@click.command()
@click.argument("release_tag", metavar="RELEASE")
@env_option
@click.option(
    "--rollback",
    "back",
    is_flag=True,
    help="Plan the return to the prior deployment; RELEASE is the integration.",
)
@click.option("--exit-code", is_flag=True, help="Exit 4 when something would change.")
@json_option
def plan(release_tag: str, environment: str, back: bool, exit_code: bool, as_json: bool) -> int:
    """
    Show what deploying RELEASE (a tag such as order_to_cash/v1.1.0) would change, and change nothing.

    Replays the recorded orders of the corpus through both releases and tells which fields differ in how many of them.
    """
    from tagline.alm import replay

    repo = at_top()
    if back:
        made = planning.plan_rollback(
            repo, environment, release_tag.partition("/")[0], by=repo.identity(), at=CLOCK.now()
        )
    else:
        made = planning.plan_deploy(repo, release_tag, environment, at=CLOCK.now())
    made = replay.add_changes(repo, made)
    _show_plan(made, as_json)
    for name, known in here.known(repo, {environment}).items() if not as_json else ():
        for line in here.explained(known):
            out(f"  {name} now: {line}")
    return 4 if exit_code and not planning.is_empty(made) else 0


@click.command()
@click.argument("release_tag", metavar="RELEASE")
@env_option
@timeout_option
@json_option
def deploy(release_tag: str, environment: str, timeout: float, as_json: bool) -> None:
    """Decide that RELEASE (a tag such as order_to_cash/v1.0.0) runs in an environment, and wait for its agent."""
    repo = at_top()
    _decide(repo, planning.plan_deploy(repo, release_tag, environment, at=CLOCK.now()), timeout, as_json)


@click.command()
@click.argument("integration")
@click.option("--from", "source", required=True, metavar="NAME", help="Environment in which it is verified.")
@click.option("--to", "target", required=True, metavar="NAME", help="Environment in which it runs next.")
@timeout_option
@json_option
def promote(integration: str, source: str, target: str, timeout: float, as_json: bool) -> None:
    """Decide that the very closure of INTEGRATION that is verified in one environment runs in the next."""
    repo = at_top()
    _decide(repo, planning.plan_promote(repo, integration, source, target, at=CLOCK.now()), timeout, as_json)


@click.command()
@click.argument("integration")
@env_option
@click.option("--reason", default="", help="Kept with the hold on the release that is left.")
@timeout_option
@json_option
def rollback(integration: str, environment: str, reason: str, timeout: float, as_json: bool) -> None:
    """Decide that the prior deployment of INTEGRATION runs again, with the configuration it had; hold the one that is left."""
    repo = at_top()
    made = planning.plan_rollback(
        repo, environment, integration, by=repo.identity(), at=CLOCK.now(), reason=reason
    )
    _decide(repo, made, timeout, as_json)


@click.command()
@click.option("--env", "environment", default="", metavar="NAME", help="Only this environment.")
@json_option
def status(environment: str, as_json: bool) -> None:
    """
    Show what each environment should run, what its agent last reported, and how long ago.

    On the agent's own machine, or with a shared state database, also how its agents fare, what waits live and in back-fills, how
    long each will take, the open dead letters, and how much of each remote's budget is in use.
    """
    from tagline.alm import environments
    from tagline.alm import status as statuses

    repo = at_top()
    known = statuses.status(repo)
    if environment:
        environments.check_name(repo, environment)
    found = [s for s in known if environment in ("", s.environment)]
    if as_json:
        heres = {
            name: each.to_json() for name, each in here.known(repo, {s.environment for s in found}).items()
        }
        nowhere: dict[str, Any] = {"agent_process": None, "load": None, "agents": [], "alerts": []}
        out_json(
            [
                {**s.model_dump(mode="json"), "last_report_s": _age_s(s), **heres.get(s.environment, nowhere)}
                for s in found
            ]
        )
    elif not found:
        out(f"nothing is deployed {f'in {environment}' if environment else 'anywhere'} yet")
        say(f"next: tagline deploy <integration>/v<version> --env {environment or 'dev'}")
    else:
        rows = [
            (
                s.environment,
                s.integration,
                s.version,
                short(s.closure),
                s.running,
                s.since,
                _reported(s),
                s.held,
            )
            for s in found
        ]
        headers = (
            "environment",
            "integration",
            "should run",
            "closure",
            "agent says",
            "since",
            "last report",
            "held",
        )
        out(table(rows, headers))
        for name, each in sorted(here.known(repo, {s.environment for s in found}).items()):
            for line in here.explained(each):
                out(f"{name}: {line}")


def _age_s(status: Status) -> float | None:
    return None if status.report is None else (CLOCK.now() - status.report.at).total_seconds()


def _reported(status: Status) -> str:
    """How old the agent's last word is; it reports what changes, so that an old one alone does not tell that it died."""
    age = _age_s(status)
    return "" if age is None else f"{lasting(max(0.0, age))} ago"


@click.command()
@env_option
@json_option
def history(environment: str, as_json: bool) -> None:
    """Show the decisions about an environment, newest first."""
    from tagline.alm import branches, environments

    repo = at_top()
    repo.refresh()
    environments.check_name(repo, environment)
    found = branches.history(repo, environment)
    if as_json:
        out_json([vars(d) for d in found])
    elif not found:
        out(f"nothing was ever decided about {environment}")
    else:
        rows = [
            (
                f"{d.at:%Y-%m-%d %H:%M:%S}Z",
                d.kind,
                f"{d.integration} {d.version}",
                short(d.closure),
                d.by,
                d.deployment,
            )
            for d in found
        ]
        out(table(rows, ("at", "decision", "release", "closure", "by", "deployment")))


def _decide(repo: Repository, made: Plan, timeout: float, as_json: bool) -> None:
    if planning.is_empty(made):
        say(
            f"{made.release.tag} with this configuration is what {made.environment} should run already; nothing to do"
        )
        if as_json:
            out_json({"deployment": made.current.id if made.current else "", "state": "unchanged"})
        return
    if not as_json:
        _show_plan(made, as_json=False)
    deployment = deciding.apply(repo, made, by=repo.identity(), at=CLOCK.now())
    if timeout <= 0:
        _told(
            as_json, deployment.id, "decided", f"decided: {deployment.id}; its agent has not been waited for"
        )
        return
    say(f"decided: {deployment.id}; waiting for the agent of {made.environment}")
    report = reports.wait_for(
        repo,
        made.environment,
        deployment.id,
        ("verified", "failed"),
        timeout=timedelta(seconds=timeout),
        clock=CLOCK,
    )
    if report.state == "failed":
        raise RefusedError(
            f"{made.release.tag} did not start in {made.environment}: {report.message} ({report.code})",
            code="deployment-failed",
            where={"environment": made.environment, "deployment": deployment.id, "agent": report.agent},
            hint=_after_failure(made),
        )
    if report.message:
        say(report.message)
    _told(
        as_json,
        deployment.id,
        "verified",
        f"{made.release.tag} runs in {made.environment} (verified by {report.agent})",
    )


def _after_failure(made: Plan) -> str:
    """What stands after its deployment failed, and what to do; the agent rolls back by itself if it had switched already."""
    if made.running is None:
        return f"nothing of {made.integration} runs in {made.environment}; correct the cause and deploy again"
    if made.kind is DecisionKind.ROLLBACK:
        left = (
            f"{made.hold.version} is held and stopped, and what comes in waits"
            if made.hold
            else "what ran before goes on"
        )
        return (
            f"{left}; unless tagline history shows that the agent went further back by itself, roll back once more "
            "or deploy a corrected release"
        )
    return (
        "what ran before goes on; correct the cause and deploy again, with a corrected release if tagline status "
        "says that this one is held"
    )


def _told(as_json: bool, deployment: str, state: str, sentence: str) -> None:
    if as_json:
        out_json({"deployment": deployment, "state": state})
    else:
        out(sentence)


def _show_plan(made: Plan, as_json: bool) -> None:
    if as_json:
        out_json(made)
        return
    left = f", {made.running.version} ({short(made.running.closure)}) runs now" if made.running else ""
    out(f"{made.kind} {made.release.tag} ({short(made.release.closure)}) in {made.environment}{left}")
    for warning in made.warnings:
        out(f"  warning: {warning}")
    for n, stage in enumerate(made.stages, 1):
        out(f"  {n}. {stage.kind}: {stage.explain}")
    if not made.stages:
        out("  nothing to do: it is decided already")
    for change in made.config_changes:
        out(f"  configuration: {change}")
    if made.records_compared:
        out(
            f"  shadow replay: {made.records_changed} of {counted(made.records_compared, 'recorded record')} "
            "would be written otherwise"
            + (f", {made.failures_new} would newly fail" if made.failures_new else "")
        )
        rows = [(f"{c.model}.{c.field}", c.records, c.example) for c in made.field_changes]
        if rows:
            out(table(rows, ("field", "records", "for example"), indent="    "))
