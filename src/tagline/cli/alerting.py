"""Alerts from the command line: which are on, and whether their channels work."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from pathlib import Path

import click

from tagline.alm import environments
from tagline.alm.git import MAIN, Repository
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
                    observer or "any agent",
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
    """
    Send a test message to each channel of the environment, and ask the heartbeat's address once, from this machine, with the
    secrets that are here.
    """
    from tagline.domain.alerting import HEARTBEAT, Message
    from tagline.runtime.channels import apprise_sender
    from tagline.runtime.heartbeat import ask_once

    repo = at_top()
    config = environments.render(repo, environment).config
    heartbeat = config.alerts.heartbeat_url
    if not config.alerts.channels and heartbeat is None:
        raise UsageError(
            f"{environment} has no alert channels in the committed configuration of {_read_from(repo)}, which is what is read",
            code="no-channels",
            where={"environment": environment},
            hint=_unread(repo, environment)
            or f'write [alerts] channels = ["env:NAME"] into environments/{environment}.toml, with an Apprise URL in NAME; '
            "commit and push it",
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
    if heartbeat is not None:
        try:
            warning = ask_once(heartbeat, resolve_secret, SystemClock())
        except TaglineError as error:
            say(f"{HEARTBEAT}: {error.message} ({error.code})")
            failed.append(heartbeat)
        else:
            out(f"{HEARTBEAT}: answered" + (f"; {warning}" if warning else ""))
    if failed:
        asked = len(config.alerts.channels) + (heartbeat is not None)
        raise PartlyDoneError(
            f"{len(failed)} of the {asked} addresses took no message"
            if asked > 1
            else "the address took no message",
            code="channels-failed",
            where={"environment": environment},
            hint="correct the addresses that stand there; tagline alerts test tries them again",
        )


def _read_from(repo: Repository) -> str:
    return f"origin/{MAIN}" if repo.has_remote else MAIN


def _unread(repo: Repository, environment: str) -> str:
    """What is to be done so that channels which somebody wrote are seen; empty where none are written anywhere here."""
    files = (environments.BASE, f"{environments.FOLDER}/{environment}.toml")
    local = repo.resolve(f"refs/heads/{MAIN}")
    if local is not None and any(_tells(repo.read(local, file)) for file in files):
        return f"they are committed to {MAIN} here and not pushed: git push origin {MAIN}"
    head = repo.resolve("HEAD")
    if head is not None and any(_tells(repo.read(head, file)) for file in files):
        return f"they are committed to the branch here and not merged into {MAIN}"
    for file in files:
        path = repo.root / file
        if path.is_file() and _tells(path.read_bytes()):
            return f"they stand in {file} here and are not committed" + (
                ": commit and push" if repo.has_remote else ": commit"
            )
    return ""


def _tells(content: bytes | None) -> bool:
    """Whether a file of an environment says whom to tell."""
    try:
        alerts = tomllib.loads((content or b"").decode()).get("alerts", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False
    return isinstance(alerts, dict) and bool({"channels", "heartbeat_url"} & alerts.keys())
