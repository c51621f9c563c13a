"""Commands about people and time: what is stored about a data subject, its erasure, and what goes because its days are past."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tagline.alm.git import Repository
from tagline.cli.lifecycle import env_option, json_option
from tagline.cli.output import counted, out, out_json, say
from tagline.cli.state import State, state_of
from tagline.errors import PartlyDoneError, TaglineError

if TYPE_CHECKING:
    from tagline.runtime.privacy import Account, Erasure
    from tagline.runtime.retention import Report
    from tagline.runtime.subjects import Found, Subject


@click.group()
def privacy() -> None:
    """Give out or erase what an environment stores about a data subject."""


def _about(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--related",
            is_flag=True,
            help="Also records that refer to a row in which the value stood: the person's other orders, or a whole company's.",
        ),
        click.option(
            "--field",
            "fields",
            multiple=True,
            metavar="COLUMN",
            help="Look in this column alone; may be repeated.",
        ),
        click.option(
            "--record",
            "keys",
            multiple=True,
            metavar="KEY",
            help="Also records of this key; may be repeated.",
        ),
        click.option(
            "--subject",
            "value",
            default="",
            metavar="VALUE",
            help="An e-mail address, a customer number, a name; - reads it from standard input, out of the shell's history.",
        ),
    ):
        command = option(command)
    return command


@privacy.command()
@_about
@env_option
@click.option(
    "--to",
    "folder",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the file is made, readable for you alone; outside the repository.  [default: .tagline/exports, which git ignores]",
)
def export(
    value: str,
    keys: tuple[str, ...],
    fields: tuple[str, ...],
    related: bool,
    environment: str,
    folder: Path | None,
) -> None:
    """Write everything that is stored about a data subject into one JSON file."""
    from tagline.runtime import privacy as subjects

    asked = folder.resolve() if folder else None
    with state_of(environment) as state:
        if asked is not None and asked.is_relative_to(Path.cwd()):
            raise click.UsageError("--to lies inside the repository, where the file could be committed")
        place = asked or Path.cwd() / ".tagline" / "exports"
        _, found = _search(state, value, keys, fields, related=related)
        now = state.store.clock.now()
        path = place / f"tagline-export-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}.json"
        records = subjects.export(state.store, found)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            document = {"environment": environment, "made_at": now, "unreadable": found.unreadable}
            json.dump({**document, "records": list(records)}, file, default=str, indent=2, ensure_ascii=False)
    _tell_found(found)
    out(str(path))
    _complain(found)


@privacy.command()
@_about
@env_option
@click.option("--yes", is_flag=True, help="Erase; without it only what would be erased is counted.")
@click.option("--dry-run", is_flag=True, help="Only count what would be erased, as without --yes.")
@json_option
def erase(
    value: str,
    keys: tuple[str, ...],
    fields: tuple[str, ...],
    related: bool,
    environment: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """
    Erase what is stored about a data subject, and report what is gone, what backups hold and until when, and who still holds it.

    Systems of record are not touched: erase there first, or the next change brings a new image.
    """
    from tagline.runtime import privacy as subjects

    if yes and dry_run:
        raise click.UsageError("--yes erases and --dry-run does not: say one of them")
    with state_of(environment) as state:
        by = Repository.open(Path.cwd()).identity()
        subject, found = _search(state, value, keys, fields, related=related)
        rest = subjects.account(state.store, found, state.config.retention, state.store.clock.now())
        done = (
            subjects.erase(state.store, found, subject, by)
            if yes
            else subjects.count(state.store, found, subject)
        )
    if as_json:
        account = {**vars(rest), "standing": [vars(each) for each in rest.standing]}
        out_json(
            {"erased": yes, **vars(done), **account, "matched": found.matched, "unreadable": found.unreadable}
        )
    else:
        _tell_found(found)
        _tell_erased(done, rest, yes=yes)
    _complain(found)
    if yes and done.in_doubt:
        raise PartlyDoneError(
            f"{counted(done.in_doubt, 'journal entry')} could not be erased: whether the write was made is decided by their images",
            code="erasure-in-doubt",
            where={"environment": environment},
            hint="let the agent run these records again, then erase again",
        )


@click.group()
def retention() -> None:
    """What of an environment's state goes because its days are past."""


@retention.command("run")
@env_option
@click.option("--dry-run", is_flag=True, help="Only count what would go.")
@json_option
def run_retention(environment: str, dry_run: bool, as_json: bool) -> None:
    """Delete what is older than the environment keeps it, as the agent does every hour."""
    from tagline.runtime import retention as passes

    with state_of(environment) as state:
        database, keep, now = state.store.database, state.config.retention, state.store.clock.now()
        report = (
            passes.due(database, keep, now) if dry_run else passes.whole(passes.expire(database, keep, now))
        )
    if as_json:
        out_json({**vars(report), "over_bytes": report.over_bytes, "dry_run": dry_run})
    else:
        _tell_report(report, dry_run=dry_run)


def _search(
    state: State, value: str, keys: tuple[str, ...], fields: tuple[str, ...], *, related: bool
) -> tuple[Subject, Found]:
    from tagline.runtime.subjects import Subject, find

    asked = sys.stdin.readline().strip() if value == "-" else value.strip()
    if not asked and not keys:
        raise click.UsageError("name --subject or --record")
    subject = Subject(asked, keys, fields)
    found = find(state.store, subject)
    if related:
        found = replace(found, records=tuple(sorted({*found.records, *found.related})), related=())
    if not found.records and not found.unreadable:
        raise TaglineError(
            "nothing is stored about this data subject",
            code="subject-unknown",
            where={"environment": state.config.environment},
            hint="look for other values they are known by, such as a former address, or name records with --record",
        )
    return subject, found


def _tell_found(found: Found) -> None:
    places = ", ".join(f"{place} ({number:,})" for place, number in sorted(found.matched.items()))
    say(f"{counted(len(found.records), 'record')}" + (f", found in {places}" if places else ""))
    if found.related:
        say(
            f"{counted(len(found.related), 'other record')} refer to the same rows and are left out: with --related they belong to it, where"
            " the rows are the person's own and no company's"
        )


def _tell_erased(done: Erasure, rest: Account, *, yes: bool) -> None:
    out("erased:" if yes else "would be erased:")
    for number, noun in (
        (done.images, "image"),
        (done.overrides, "override"),
        (done.notes, "note"),
        (done.letters, "text or name"),
    ):
        if number:
            out(f"  {counted(number, noun) if noun != 'text or name' else f'{number:,} texts or names'}")
    if done.in_doubt:
        out(f"stays until its outcome is known: {counted(done.in_doubt, 'journal entry')}")
    out("stays: that records of these keys were written, where and when; it holds no value of a person")
    if rest.backups_until is None:
        out("backups: `retention.backup_days` is not set; whoever keeps them knows when the last one is gone")
    else:
        out(f"backups: the last one that holds it is gone after {rest.backups_until:%Y-%m-%d}")
    if rest.sources or rest.standing:
        out("the systems of record still hold:")
        for connection, key in rest.sources:
            out(f"  {connection} record {key}")
        for row in rest.standing:
            out(f"  {row.system} {row.entity} {row.id}")
    if not yes:
        say("nothing was erased; the same command with --yes erases")


def _tell_report(report: Report, *, dry_run: bool) -> None:
    for name, number in report.deleted.items():
        out(f"{number:,} {name} {'would go' if dry_run else 'deleted'}")
    if not report.deleted:
        out("nothing is past its days")
    out(f"{report.used_bytes:,} of {report.max_bytes:,} bytes used")
    if report.over_bytes and not dry_run:
        raise TaglineError(
            f"the state is {report.over_bytes:,} bytes above its budget, and the rollback window lets nothing more go",
            code="state-over-budget",
            hint="give it more (retention.max_bytes) or shorten retention.rollback_days",
        )


def _complain(found: Found) -> None:
    if found.unreadable:
        rows = ", ".join(f"{number:,} under key {key}" for key, number in sorted(found.unreadable.items()))
        raise PartlyDoneError(
            f"rows could not be read and may be about the subject: {rows}",
            code="subject-unreadable",
            hint="run this where the key ring holds these keys; rows whose key is gone can be read by nobody",
        )
