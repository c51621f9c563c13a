"""Commands that look at a tenant's systems and set them up: doctor, drift and solution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tagline.alm import environments
from tagline.cli.lifecycle import env_option, json_option
from tagline.cli.output import out, out_json, say, table
from tagline.cli.top import at_top, say_unpushed
from tagline.clock import SystemClock
from tagline.connectors import resolve_secret
from tagline.domain.environment import EnvironmentConfig
from tagline.errors import TaglineError

if TYPE_CHECKING:
    from tagline.connectors.dataverse.rights import Group
    from tagline.domain.checkup import Check

CLOCK = SystemClock()
DIFFERENCES = 4
"""Exit code where a difference matters to the flows."""


@click.command()
@click.argument("integration")
@env_option
@click.option("--all", "everything", is_flag=True, help="Also what no flow uses.")
@json_option
def drift(integration: str, environment: str, everything: bool, as_json: bool) -> int:
    """
    Compare the tables that INTEGRATION uses in an environment with its models and mappings; reads only.

    Exit 0 nothing that matters, 4 differences that break or may break records.
    """
    from tagline.integration import drift as drifting
    from tagline.integration import load_from
    from tagline.integration.remotes import reading

    repo = at_top()
    config = environments.render(repo, environment).config
    package = load_from(repo.root, integration)
    environments.check_settings(config, package)
    with reading(package, config, clock=CLOCK) as remotes:
        looked = drifting.look(package, remotes)
    shown = [f for f in looked.findings if everything or f.weight is not drifting.Weight.NOTED]
    matters = any(f.weight is not drifting.Weight.NOTED for f in looked.findings)
    if as_json:
        out_json({"tables": list(looked.tables), "findings": [asdict(f) for f in shown]})
        return DIFFERENCES if matters else 0
    rows = [
        (f.weight.value, f"{f.entity}.{f.column}".rstrip("."), f.what, ", ".join(f.mappings) or "-")
        for f in shown
    ]
    if rows:
        out(table(rows, ("", "column", "difference", "mappings")))
    for finding in shown:
        say(f"{finding.entity}.{finding.column}".rstrip(".") + f": {finding.message}; {finding.hint}")
    noted = len(looked.findings) - len(shown)
    say(
        f"{len(looked.tables)} tables compared, {len(shown)} differences"
        + (f", {noted} more that no flow uses (--all shows them)" if noted else "")
    )
    return DIFFERENCES if matters else 0


@click.command()
@click.argument("integration")
@env_option
@json_option
def doctor(integration: str, environment: str, as_json: bool) -> int:
    """
    Ask whether an environment is ready for INTEGRATION: sign-in, rights, tables, keys, rows that settings name; reads only.

    Exit 0 ready, perhaps with warnings; 1 something failed.
    """
    from tagline.domain.checkup import State
    from tagline.integration import load_from
    from tagline.integration.doctor import examine

    repo = at_top()
    config = environments.render(repo, environment).config
    say_unpushed(repo)
    package = load_from(repo.root, integration)
    environments.check_settings(config, package)
    checks: list[Check] = []
    for check in chain(examine(package, config, clock=CLOCK), _heartbeat(config)):
        checks.append(check)
        if not as_json:
            out(f"{check.state.value:<8} {check.subject}: {check.found}")
            if check.fix:
                out(f"{'':<8}   fix: {check.fix}")
    failed = sum(check.state is State.FAILED for check in checks)
    if as_json:
        out_json({"environment": environment, "checks": [asdict(check) for check in checks]})
    else:
        warned = sum(check.state in (State.WARNING, State.UNKNOWN) for check in checks)
        say(f"{len(checks)} checks: {failed} failed, {warned} to look at")
    return 1 if failed else 0


def _heartbeat(config: EnvironmentConfig) -> Iterator[Check]:
    """The dead man's switch, asked once; an agent works without it, so nothing here is worse than a warning."""
    from tagline.domain.alerting import HEARTBEAT
    from tagline.domain.checkup import Check, State
    from tagline.runtime.heartbeat import ask_once

    if config.alerts.heartbeat_url is None:
        return
    try:
        warning = ask_once(config.alerts.heartbeat_url, resolve_secret, CLOCK)
    except TaglineError as error:
        yield Check(HEARTBEAT, State.WARNING, f"{error.message} ({error.code})", error.hint)
    else:
        state = State.WARNING if warning else State.GOOD
        yield Check(HEARTBEAT, state, f"answered{warning and f'; {warning}'}", warning and "use https")


@click.group()
def solution() -> None:
    """The columns, alternate keys and role that an integration needs in Dataverse, as a solution."""


@solution.command("export")
@click.argument("integration")
@click.option("--managed", is_flag=True, help="Closed against changes by hand, as for qa and prod.")
@click.option(
    "--out",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write.  [default: .tagline/solutions/<solution>_<version>[_managed].zip, which git ignores]",
)
def export_solution(integration: str, managed: bool, target: Path | None) -> None:
    """
    Write INTEGRATION's solution as a zip; its role is the least that the flows need.

    Webhooks are not in it: their address and secret are the environment's, and the zip is the same for all of them.
    """
    from tagline.connectors.dataverse.rights import grouped
    from tagline.connectors.dataverse.solution import to_zip
    from tagline.integration import load_from
    from tagline.integration.solution import has_webhooks, solution_of

    here = Path.cwd()
    root = at_top().root
    package = load_from(root, integration)
    made = solution_of(package)
    name = f"{made.name}_{made.version.replace('.', '_')}" + ("_managed" if managed else "")
    file = here / target if target else root / ".tagline" / "solutions" / f"{name}.zip"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(to_zip(made, managed=managed))
    out(str(file))
    for column in made.columns:
        say(f"  column {column.table}.{column.name} {column.type.value}")
    for key in made.keys:
        say(f"  key    {key.table}: {', '.join(key.columns)}")
    say(f"  role   {made.role}")
    say(table(rights_table(grouped(made.rights)), RIGHTS_HEADINGS))
    if has_webhooks(package):
        say(
            "not in it: webhooks, whose address and secret are the environment's; "
            f"`tagline solution import {integration} --env NAME` registers them"
        )


@solution.command("import")
@click.argument("integration")
@env_option
@click.option("--unmanaged", is_flag=True, help="Open to changes by hand, as for a development environment.")
def import_solution(integration: str, environment: str, unmanaged: bool) -> None:
    """
    Bring INTEGRATION's columns, alternate keys, role and webhooks into an environment's organisation, as its `deploy` application.

    Managed unless told otherwise. What stands already is left as it is; nothing is imported where all of it stands. After the
    first time give the running application the role.
    """
    from tagline.integration import load_from
    from tagline.integration.installing import install

    repo = at_top()
    config = environments.render(repo, environment).config
    package = load_from(repo.root, integration)
    environments.check_settings(config, package)
    for done in install(package, config, is_managed=not unmanaged, clock=CLOCK, told=say):
        made, where = done.solution, done.connection
        if done.is_unchanged:
            out(f"{where}: {made.name} {made.version} stands there whole; nothing has changed")
        elif done.changes:
            out(f"{where}: {made.name} {made.version} is installed")
        for change in (*done.changes, *(f"the key {key}" for key in done.keys)):
            say(f"  brought {change}")
        for event in done.webhooks:
            out(f"{where}: webhook {event} is registered")
        if done.is_deaf:
            say(
                f"{where}: no webhook is registered, since [connections.{where}] has no webhook_token; changes wait for the sweep"
            )
        if done.changes:
            say(f"next: give the running application the role {made.role!r} in {where}, unless it has it")
    say(f"next: tagline doctor {integration} --env {environment}")


RIGHTS_HEADINGS = ("rights on", "of the whole organisation", "of its own rows", "since")


def rights_table(groups: Sequence[Group]) -> list[tuple[str, str, str, str]]:
    """A role's rights as rows for people."""
    return [(g.noun, ", ".join(g.everywhere) or "-", ", ".join(g.own) or "-", g.reason) for g in groups]
