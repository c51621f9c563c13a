"""Commands that do: run the agent, look in shadow, tend to dead letters."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tagline.alm import environments
from tagline.cli.lifecycle import env_option, json_option
from tagline.cli.output import out, out_json, say, table
from tagline.cli.top import at_top
from tagline.clock import SystemClock
from tagline.connectors import resolve_secret
from tagline.errors import UsageError

if TYPE_CHECKING:
    from tagline.runtime.dead_letters import DeadLetters


@click.command()
@env_option
@click.option("--name", default="", help="How the agent signs its reports.  [default: the host's name]")
def run(environment: str, name: str) -> None:
    """
    Run the agent of an environment until it is interrupted.

    It follows the branch env/NAME, performs what was decided, serves webhooks, sweeps, and reports on observed/NAME.
    """
    from tagline.alm.decisions import GitDecisions
    from tagline.runtime.agent import Agent

    repo = at_top()
    config = environments.render(repo, environment).config.agent
    signed = name or socket.gethostname()
    clock = SystemClock()

    def log(line: str) -> None:
        say(f"{clock.now():%H:%M:%S}Z {line}")

    decisions = GitDecisions(repo, environment, by=f"{signed} <agent@{environment}>", clock=clock)
    agent = Agent(environment, config, decisions, state=Path(config.state), clock=clock, name=signed, log=log)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    say(
        f"agent {signed} of {environment}: webhooks at {config.public_url}, state in {config.state}; Ctrl-C ends it"
    )
    agent.run(stop)


@click.command()
@click.argument("integration")
@env_option
@click.option("--last", default=50, show_default=True, metavar="N", help="How many of the newest records.")
@click.option("--key", "keys", multiple=True, metavar="KEY", help="This record instead; may be repeated.")
@click.option("--exit-code", is_flag=True, help="Exit 4 when something would be written.")
@json_option
def shadow(
    integration: str, environment: str, last: int, keys: tuple[str, ...], exit_code: bool, as_json: bool
) -> int:
    """
    Show what INTEGRATION, as it stands in the working copy, would write for real records of an environment.

    Reads only: a write is refused below the connectors. Prints field by field what would be written, both totals, and every
    record that would become a dead letter with its reasons.
    """
    from tagline.harness import shadow as shadows

    repo = at_top()
    config = environments.render(repo, environment).config
    found = shadows.look(repo.root, integration, config, last=last, keys=keys, clock=SystemClock())
    if as_json:
        out_json([shadows.to_json(record) for record in found])
    else:
        out(shadows.render(found))
    return 4 if exit_code and any(record.intentions for record in found) else 0


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show and redrive records that were set aside, each with its reasons and the next action."""


@dead_letters.command("list")
@env_option
@click.option("--cause", metavar="CODE", help="Only letters of this cause.")
@click.option("--all", "every", is_flag=True, help="Also redriven and resolved ones.")
@json_option
def list_letters(environment: str, cause: str | None, every: bool, as_json: bool) -> None:
    """List the open dead letters of an environment, oldest first."""
    with _letters(environment) as letters:
        found = letters.list(cause=cause, state=None if every else "open")
    if as_json:
        out_json([vars(letter) for letter in found])
    elif not found:
        out("no dead letters")
    else:
        rows = [
            (
                x.id,
                x.state,
                f"{x.flow} {x.key}",
                x.cause,
                x.attempts,
                f"{x.last_at:%Y-%m-%d %H:%M}Z",
                x.message,
            )
            for x in found
        ]
        out(table(rows, ("no", "state", "record", "cause", "tries", "last", "message")))


@dead_letters.command("show")
@click.argument("number", type=int)
@env_option
@json_option
def show_letter(number: int, environment: str, as_json: bool) -> None:
    """Show one dead letter with every wrong field."""
    with _letters(environment) as letters:
        letter = letters.show(number)
    if as_json:
        out_json(vars(letter))
        return
    out(f"dead letter {letter.id} ({letter.state}): {letter.flow} {letter.key}")
    out(f"cause: {letter.cause}: {letter.message}")
    for detail in letter.details:
        out("  " + " · ".join(f"{k}: {v}" for k, v in detail.items() if v))
    out(
        f"release {letter.version}, deployment {letter.deployment}, tried {letter.attempts} times since {letter.first_at:%Y-%m-%d %H:%M}Z"
    )
    if letter.hint:
        out(f"next: {letter.hint}")


@dead_letters.command("redrive")
@click.argument("numbers", type=int, nargs=-1)
@env_option
@click.option("--cause", metavar="CODE", help="Every open letter of this cause.")
@click.option("--all", "every", is_flag=True, help="Every open letter.")
@json_option
def redrive(
    numbers: tuple[int, ...], environment: str, cause: str | None, every: bool, as_json: bool
) -> None:
    """Send the dead letters NUMBERS, or all of a cause, through the running release again; sources are read anew."""
    if sum((bool(numbers), cause is not None, every)) != 1:
        raise click.UsageError("name numbers, or --cause, or --all")
    with _letters(environment) as letters:
        count = letters.redrive(list(numbers) or None, cause=cause)
    if as_json:
        out_json({"redriven": count})
    else:
        out(f"{count} sent again")


@contextmanager
def _letters(environment: str) -> Iterator[DeadLetters]:
    """The dead letters of the state database that the environment's configuration names, on this machine."""
    from tagline.runtime.store import Store

    config = environments.render(at_top(), environment).config.agent
    path = Path(config.state) / "state.sqlite"
    if not path.exists():
        raise UsageError(
            f"there is no state database at {path}",
            code="state-missing",
            where={"environment": environment},
            hint="run this where the agent of the environment runs, in the folder it was started in",
        )
    store = Store.open(path, key=resolve_secret(config.state_key).encode(), clock=SystemClock())
    try:
        yield store.dead_letters
    finally:
        store.close()
