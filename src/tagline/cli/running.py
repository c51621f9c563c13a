"""Commands that do: run the agent, look in shadow."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tagline.alm import environments
from tagline.cli.lifecycle import env_option, json_option
from tagline.cli.output import out, out_json, say
from tagline.cli.top import at_top, say_unpushed
from tagline.clock import SystemClock
from tagline.connectors import resolve_secret
from tagline.connectors.secrets import all_missing
from tagline.domain.environment import EnvironmentConfig
from tagline.errors import TaglineError, UsageError


@click.command()
@env_option
@click.option("--name", default="", help="How the agent signs its reports.  [default: the host's name]")
@click.option(
    "--listen",
    default="",
    metavar="HOST:PORT",
    help="Where this agent takes webhooks, where it is not the environment's only one here.  [default: agent.listen]",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Lines for people, or one JSON object each.",
)
def run(environment: str, name: str, listen: str, log_format: str) -> None:
    """
    Run the agent of an environment until it is interrupted.

    It follows the branch env/NAME, performs what was decided, serves webhooks, sweeps, and reports on observed/NAME. With
    TAGLINE_DATABASE_URL=postgresql://... any number of agents, each in its own working copy, share the work of an environment.
    """
    from tagline.domain.redaction import Redactor
    from tagline.runtime.logs import Log, format_of

    try:
        _run(environment, name, listen, log_format)
    except TaglineError as error:
        if log_format != "json":
            raise
        log = Log(environment, say, clock=SystemClock(), redact=Redactor(), form=format_of(log_format))
        log(f"{error.message}; {error.hint} ({error.code})", level="error")
        raise click.exceptions.Exit(error.exit_code) from None


def _run(environment: str, name: str, listen: str, log_format: str) -> None:
    from tagline.alm.decisions import GitDecisions
    from tagline.runtime.agent import Agent
    from tagline.runtime.logs import FORMAT_VARIABLE, LibraryLines, Log, format_of
    from tagline.runtime.secrecy import redactor_of
    from tagline.runtime.watch import Watch

    repo = at_top()
    rendered = environments.render(repo, environment).config
    config = rendered.agent.model_copy(update={"listen": listen} if listen else {})
    signed = name or socket.gethostname()
    clock = SystemClock()

    redact = redactor_of(rendered, resolve_secret)
    log = Log(environment, say, clock=clock, redact=redact, form=format_of(log_format))
    logging.getLogger().addHandler(LibraryLines(log))
    os.environ[FORMAT_VARIABLE] = log_format  # the workers write beside us
    with _all_that_is_missing([config.state_key, *rendered.alerts.channels, *_references(rendered)]):
        watch = Watch(rendered, agent=signed, state=Path(config.state), clock=clock, redact=redact, log=log)
    decisions = GitDecisions(repo, environment, by=f"{signed} <agent@{environment}>", clock=clock)
    agent = Agent(
        environment,
        config,
        decisions,
        state=Path(config.state),
        clock=clock,
        name=signed,
        keep=rendered.retention,
        log=log,
        watch=watch,
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    with _all_that_is_missing([config.state_key, *rendered.alerts.channels, *_references(rendered)]):
        agent.run(stop)
    log(f"agent {signed} of {environment} has ended; what waits stays where it is")


@contextmanager
def _all_that_is_missing(references: list[str]) -> Iterator[None]:
    """Where one secret is missing, name all that are, so that nobody sets them one by one."""
    try:
        yield
    except UsageError as error:
        every = all_missing(references, resolve_secret) if error.code == "secret-missing" else None
        raise every or error from None


def _references(config: EnvironmentConfig) -> list[str]:
    from tagline.integration.credentials import needed_by

    return [reference for each in config.connections.values() for _, reference in needed_by(each)]


@click.command()
@click.argument("integration")
@env_option
@click.option(
    "--last",
    default=50,
    show_default=True,
    metavar="N",
    type=click.IntRange(1),
    help="How many of the newest records.",
)
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
    say_unpushed(repo)
    with _all_that_is_missing(_references(config)):
        found = shadows.look(repo.root, integration, config, last=last, keys=keys, clock=SystemClock())
    if as_json:
        out_json([shadows.to_json(record) for record in found])
    else:
        out(shadows.render(found))
    absent = [
        record.key for record in found if record.error is not None and record.error.code == "record-gone"
    ]
    if keys and absent:
        raise TaglineError(
            f"not there: {', '.join(absent)}",
            code="record-gone",
            where={"environment": environment, "integration": integration},
            hint="name keys of records that the source holds",
        )
    return 4 if exit_code and any(record.intentions for record in found) else 0
