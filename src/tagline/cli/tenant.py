"""Commands that look at a tenant's systems and set them up: doctor, drift and solution."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tagline.alm import environments
from tagline.cli.lifecycle import env_option, json_option
from tagline.cli.output import out, out_json, say, table
from tagline.cli.top import at_top
from tagline.clock import SystemClock
from tagline.errors import RefusedError, UsageError

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
    from tagline.domain.checkup import Check, State
    from tagline.integration import load_from
    from tagline.integration.doctor import examine

    repo = at_top()
    config = environments.render(repo, environment).config
    package = load_from(repo.root, integration)
    environments.check_settings(config, package)
    checks: list[Check] = []
    for check in examine(package, config, clock=CLOCK):
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
    help="File to write; default <solution>_<version>[_managed].zip here.",
)
def export_solution(integration: str, managed: bool, target: Path | None) -> None:
    """Write INTEGRATION's solution as a zip; its role is the least that the flows need."""
    from tagline.connectors.dataverse.solution import to_zip
    from tagline.integration import load_from
    from tagline.integration.solution import solution_of

    here = Path.cwd()
    made = solution_of(load_from(at_top().root, integration))
    name = f"{made.name}_{made.version.replace('.', '_')}" + ("_managed" if managed else "")
    file = here / (target or Path(f"{name}.zip"))
    file.write_bytes(to_zip(made, managed=managed))
    out(str(file))
    for column in made.columns:
        say(f"  column {column.table}.{column.name} {column.type.value}")
    for key in made.keys:
        say(f"  key    {key.table}: {', '.join(key.columns)}")
    say(f"  role   {made.role}: {', '.join(made.privileges)}")


@solution.command("import")
@click.argument("integration")
@env_option
@click.option("--unmanaged", is_flag=True, help="Open to changes by hand, as for a development environment.")
def import_solution(integration: str, environment: str, unmanaged: bool) -> None:
    """
    Import INTEGRATION's solution into an environment's organisation, as its `deploy` application; managed unless told otherwise.

    Importing the same version again changes nothing. Afterwards give the running application the role, once.
    """
    from tagline.connectors import resolve_secret
    from tagline.connectors.budgets import governor_for, shared_folder
    from tagline.connectors.dataverse import importing
    from tagline.connectors.dataverse.keys import ensure_keys
    from tagline.connectors.dataverse.opening import open_session
    from tagline.connectors.dataverse.solution import to_zip
    from tagline.domain.environment import DataverseConnection
    from tagline.integration import load_from
    from tagline.integration.remotes import configured
    from tagline.integration.solution import keyed_models, solution_of

    repo = at_top()
    config = environments.render(repo, environment).config
    package = load_from(repo.root, integration)
    environments.check_settings(config, package)
    made = solution_of(package)
    for each in configured(package, config):
        connection = each.connection
        if not isinstance(connection, DataverseConnection):
            continue
        if connection.deploy is None:
            raise UsageError(
                f"the connection {each.name} of {environment} names no application that may change tables",
                code="deploy-identity-missing",
                where={"environment": environment, "connection": each.name},
                hint=f"add [connections.{each.name}.deploy] with client_id and a secret of an application with the role "
                "System Customizer; the application that runs the flows should not have it",
            )
        session = open_session(
            each.name,
            connection,
            clock=CLOCK,
            secrets=resolve_secret,
            governor=governor_for(connection, CLOCK, folder=shared_folder(Path(config.agent.state))),
            identity=connection.deploy,
        )
        try:
            standing = importing.installed(session, made.name)
            if standing is not None and standing.is_managed == unmanaged:
                kind = "managed" if standing.is_managed else "unmanaged"
                raise RefusedError(
                    f"{made.name} {standing.version} stands there {kind}",
                    code="solution-kind-differs",
                    where={"environment": environment, "connection": each.name},
                    hint="import it of the same kind, or remove the standing one first; removing a managed one removes its columns",
                )
            say(f"{each.name}: importing {made.name} {made.version} into {connection.url}")
            importing.import_solution(
                session, to_zip(made, managed=not unmanaged), lambda step: say(f"  {step}")
            )
            for model in keyed_models(package):
                ensure_keys(session, model)
            say("  alternate keys are active")
        finally:
            session.close()
        out(f"{each.name}: {made.name} {made.version} is installed")
    say(
        f"next: give the running application the role {made.role!r}, then tagline doctor {integration} --env {environment}"
    )
