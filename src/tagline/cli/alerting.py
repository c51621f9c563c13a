"""Alerts from the command line: which are on, and whether their channels work."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tagline.alm import environments
from tagline.cli.lifecycle import env_option, json_option
from tagline.cli.output import lasting, out, out_json, say, table
from tagline.cli.top import at_top
from tagline.clock import SystemClock
from tagline.connectors import resolve_secret
from tagline.errors import PartlyDoneError, TaglineError, UsageError


@click.group()
def alerts() -> None:
    """Show the alerts of an environment, or try its channels."""


@alerts.command("list")
@env_option
@json_option
def list_(environment: str, as_json: bool) -> None:
    """Show the alerts that are on, and those that ended and were not told yet."""
    from tagline.runtime.places import state_place
    from tagline.runtime.standing import standing_of

    config = environments.render(at_top(), environment).config
    clock = SystemClock()
    found = standing_of(state_place(Path(config.agent.state), environment)).alerts
    if as_json:
        out_json([{**asdict(alert), "observer": observer} for alert, observer in found])
        return
    if not found:
        out(f"no alert is on in {environment}")
        return
    now = clock.now()
    out(
        table(
            [
                (
                    alert.state,
                    alert.kind,
                    alert.subject,
                    lasting((now - alert.since).total_seconds()),
                    observer,
                    alert.what,
                    alert.command,
                )
                for alert, observer in found
            ],
            ("state", "alert", "about", "for", "seen by", "what", "next"),
        )
    )


@alerts.command()
@env_option
def test(environment: str) -> None:
    """Send a test message to each channel of the environment, from this machine, with the secrets that are here."""
    from tagline.domain.alerting import Message
    from tagline.runtime.channels import apprise_sender

    config = environments.render(at_top(), environment).config
    if not config.alerts.channels:
        raise UsageError(
            f"{environment} has no alert channels",
            code="no-channels",
            where={"environment": environment},
            hint=f'write [alerts] channels = ["env:NAME"] into environments/{environment}.toml, with an Apprise URL in NAME',
        )
    link = config.alerts.link or config.agent.public_url
    text = Message(
        f"[{environment}] test: alerts arrive here",
        f"tagline alerts test --env {environment} sent this; nothing is wrong.\n{link}",
        "test",
    )
    failed = []
    for reference in config.alerts.channels:
        try:
            apprise_sender(reference, resolve_secret(reference))(text)
        except TaglineError as error:
            say(f"{reference}: {error.message} ({error.code})")
            failed.append(reference)
        else:
            out(f"{reference}: told")
    if failed:
        raise PartlyDoneError(
            f"{len(failed)} of {len(config.alerts.channels)} channels took no message",
            code="channels-failed",
            where={"environment": environment},
            hint="correct the addresses that stand there; tagline alerts test tries them again",
        )
