"""The command that brings what a source already holds: listed into the inbox's back-fill lane, worked off by the agent."""

from __future__ import annotations

from datetime import date

import click

from tagline.alm import environments
from tagline.cli.lifecycle import env_option, json_option
from tagline.cli.top import at_top
from tagline.domain.exchange import Days


@click.command()
@click.argument("integration")
@env_option
@click.option(
    "--since", metavar="DATE", help="Records made on this day or later, as the source counts its days."
)
@click.option("--until", metavar="DATE", help="And on this day or earlier.")
@click.option("--keys", metavar="KEY,KEY,...", help="These records.")
@click.option("--all", "every", is_flag=True, help="All records of the source.")
@click.option("--flow", default="", metavar="NAME", help="Where the integration has several.")
@click.option("--dry-run", is_flag=True, help="Count and estimate; nothing is put into the inbox.")
@click.option(
    "--wait", is_flag=True, help="Until the agent has run them all; exit 7 where some became dead letters."
)
@json_option
def backfill(
    integration: str,
    environment: str,
    since: str | None,
    until: str | None,
    keys: str | None,
    every: bool,
    flow: str,
    dry_run: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """
    Have records that INTEGRATION's source holds already run as if each had just changed, behind all live work.

    Run this on the agent's machine. It lists the records page by page into the inbox and ends; an agent, running or started
    later, works them off. Killed or interrupted, the same command goes on where it was. A setting `start_at` does not hold for
    these records.
    """
    named, days = _selection(since, until, keys, every)
    from tagline.cli import filling

    repo = at_top()
    config = environments.render(repo, environment).config
    with filling.ground(repo, integration, config, flow) as stands:
        if dry_run:
            filling.estimate(stands, named, days, as_json=as_json)
        else:
            filling.fill(stands, named, days, wait=wait, as_json=as_json)


def _selection(
    since: str | None, until: str | None, keys: str | None, every: bool
) -> tuple[tuple[str, ...], Days]:
    if sum((since is not None or until is not None, keys is not None, every)) != 1:
        raise click.UsageError("say which records: --since, --until or both, or --keys, or --all")
    days = Days(_day("--since", since), _day("--until", until))
    if days.since and days.until and days.until < days.since:
        raise click.UsageError(f"--until {days.until} is before --since {days.since}")
    named = tuple(dict.fromkeys(key.strip() for key in (keys or "").split(",") if key.strip()))
    if keys is not None and not named:
        raise click.UsageError("--keys names no record")
    return named, days


def _day(option: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{option} {text!r} is no day, such as 2026-01-31") from None
