"""Commands that need nobody's account: the sandbox and the demo."""

from __future__ import annotations

import re
from pathlib import Path

import click


@click.group(invoke_without_command=True)
@click.option(
    "--ca",
    "ca_file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(".tagline/sandbox-ca.pem"),
    show_default=True,
    help="Where the certificate to trust is written; folders on the way are made.",
)
@click.option(
    "--env",
    "environments",
    multiple=True,
    default=("dev", "qa", "prod"),
    show_default=True,
    help="A shop, an organisation and a Finance environment for each; may be repeated.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_000),
    default=8710,
    show_default=True,
    help="The login's port; every site's follows from it. 0 lets the system choose.",
)
@click.option("--seed", default=1, show_default=True, help="Decides ids, credentials and sample data.")
@click.option(
    "--orders",
    type=click.IntRange(0, 100_000),
    default=20,
    show_default=True,
    help="Orders in every shop at the start, beside one of each awkward kind; more than 100 are a history of years, 0 is an empty shop.",
)
@click.option(
    "--history/--no-history",
    default=True,
    show_default=True,
    help="Whether organisations and Finance hold orders, invoices and purchases of the years before; none where --orders is 0.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep what the sites hold in this file, and go on from it after a restart; folders on the way are made.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line: endpoints, credentials, seed.")
@click.pass_context
def sandbox(
    context: click.Context,
    ca_file: Path,
    environments: tuple[str, ...],
    port: int,
    seed: int,
    orders: int,
    history: bool,
    state: Path | None,
    as_json: bool,
) -> int:
    """
    Serve a 3dcart store, a Dataverse organisation and a Finance environment for each environment over TLS on loopback, until
    interrupted.

    `tagline sandbox verify --env NAME` compares what it assumes with an environment's live systems.
    """
    if context.invoked_subcommand is not None:
        return 0
    environments = tuple(dict.fromkeys(environments))
    wrong = [name for name in environments if not re.fullmatch(r"[a-z][a-z0-9-]*", name)]
    if wrong:
        raise click.UsageError(
            f"{wrong[0]!r} is no name of an environment: write letters, digits and hyphens, in lower case"
        )
    from tagline.sandbox.main import run

    return run(ca_file, as_json, environments, port or None, seed, orders, state, history=history)


@sandbox.command()
@click.option(
    "--env", "environment", required=True, metavar="NAME", help="Environment whose systems are looked at."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def verify(environment: str, as_json: bool) -> int:
    """
    Compare the behaviour that the sandbox assumes with an environment's systems; reads only.

    Exit 0 where nothing differs, 4 where something does.
    """
    from collections import Counter
    from dataclasses import asdict

    from tagline.alm import environments
    from tagline.cli.output import out, out_json, say, table
    from tagline.cli.top import at_top
    from tagline.clock import SystemClock
    from tagline.connectors import resolve_secret
    from tagline.sandbox.verify import Agreement, compare

    config = environments.render(at_top(), environment).config
    found = [
        compared
        for name, connection in sorted(config.connections.items())
        for compared in compare(name, connection, clock=SystemClock(), secrets=resolve_secret)
    ]
    differing = [c for c in found if c.agreement is Agreement.DIFFERS]
    if as_json:
        out_json([asdict(compared) for compared in found])
        return 4 if differing else 0
    rows = [
        (c.connection, c.agreement.value, c.what, "" if c.agreement.is_shown else c.observed) for c in found
    ]
    out(table(rows, ("", "", "assumption", "what it takes")))
    for compared in differing:
        out(f"{compared.connection}: {compared.what}")
        out(f"  assumed:  {compared.assumed}")
        out(f"  observed: {compared.observed}")
        if compared.constant:
            out(f"  one line changes it: {compared.constant} in tagline/sandbox/assumptions.py")
    counts = Counter(c.agreement for c in found)
    say(f"{len(found)} assumptions: {', '.join(f'{a} {counts[a]}' for a in Agreement)}")
    return 4 if differing else 0


@click.command()
@click.option("--keep", is_flag=True, help="Leave the scratch copy to explore.")
@click.option("--orders", default=50, show_default=True, help="Orders placed in the first environment.")
def demo(keep: bool, orders: int) -> int:
    """Tell the whole story in a scratch copy of this repository: gate, release, promotion, orders, rollback."""
    from tagline.cli.demo import run

    return run(Path.cwd(), keep=keep, orders=orders)
