"""Commands that need nobody's account: the sandbox and the demo."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--ca",
    "ca_file",
    type=click.Path(path_type=Path),
    default=Path(".tagline/sandbox-ca.pem"),
    show_default=True,
    help="Where the certificate to trust is written.",
)
@click.option(
    "--env",
    "environments",
    multiple=True,
    default=("dev", "qa", "prod"),
    show_default=True,
    help="A shop and an organisation for each; may be repeated.",
)
@click.option(
    "--port", default=8710, show_default=True, help="First of consecutive ports; 0 lets the system choose."
)
@click.option("--seed", default=1, show_default=True, help="Decides ids, credentials and sample data.")
@click.option(
    "--orders",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Orders in every shop at the start, beside one of each awkward kind; 0 for an empty shop.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line: endpoints, credentials, seed.")
def sandbox(
    ca_file: Path, environments: tuple[str, ...], port: int, seed: int, orders: int, as_json: bool
) -> int:
    """Serve a 3dcart store and a Dataverse organisation for each environment over TLS on loopback, until interrupted."""
    from tagline.sandbox.main import run

    return run(ca_file, as_json, environments, port or None, seed, orders)


@click.command()
@click.option("--keep", is_flag=True, help="Leave the scratch copy to explore.")
@click.option("--orders", default=50, show_default=True, help="Orders placed in the first environment.")
def demo(keep: bool, orders: int) -> int:
    """Tell the whole story in a scratch copy of this repository: gate, release, promotion, orders, rollback."""
    from tagline.cli.demo import run

    return run(Path.cwd(), keep=keep, orders=orders)
