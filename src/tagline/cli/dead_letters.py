"""Commands that tend to dead letters: look, assign, note, send again, discard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tagline.alm.git import Repository
from tagline.cli.choosing import NOBODY, chosen_by, criteria, filtered, listed, may_go_on, minute
from tagline.cli.lifecycle import env_option, json_option
from tagline.cli.output import counted, out, out_json, say, table
from tagline.cli.state import State, state_of
from tagline.errors import TaglineError

if TYPE_CHECKING:
    from tagline.runtime.dead_letters import DeadLetter, Group


@click.group("dead-letters")
def dead_letters() -> None:
    """Tend to records that were set aside: each with its reasons, the next action, and what people did about it."""


@dead_letters.command("list")
@env_option
@click.option("--group", "grouped", is_flag=True, help="One line a cause, however many letters it has.")
@filtered
@click.option("--all", "every", is_flag=True, help="Also redriven, resolved and discarded ones.")
@json_option
def list_letters(environment: str, grouped: bool, every: bool, as_json: bool, **filters: str | None) -> None:
    """List the open dead letters of an environment, oldest first."""
    which = criteria(filters)
    if every:
        which["state"] = None
    with state_of(environment) as state:
        letters = state.store.dead_letters
        groups = letters.groups(**which) if grouped else ()
        found = letters.list(**which) if not grouped else ()
    if as_json:
        out_json([vars(each) for each in groups or found])
    elif not groups and not found:
        out("no dead letters")
    else:
        out(_grouped(groups) if grouped else listed(found))


@dead_letters.command("show")
@click.argument("number", type=int)
@env_option
@json_option
def show_letter(number: int, environment: str, as_json: bool) -> None:
    """Show one dead letter with every wrong field, and what people did about it."""
    with state_of(environment) as state:
        letter = state.store.dead_letters.show(number)
        notes = state.store.dead_letters.notes(number)
        record = (letter.integration, letter.flow, letter.key)
        standing = [x for x in state.store.overrides.list() if (x.integration, x.flow, x.key) == record]
        alike = state.store.dead_letters.groups(fingerprint=letter.fingerprint)
    if as_json:
        out_json(
            {
                **vars(letter),
                "notes": [vars(note) for note in notes],
                "overrides": [vars(each) for each in standing],
            }
        )
        return
    out(f"dead letter {letter.id} ({letter.state}): {letter.flow} {letter.key}")
    out(f"cause: {letter.cause}: {letter.message}")
    for detail in letter.details:
        out("  " + " · ".join(f"{k}: {v}" for k, v in detail.items() if v))
    out(
        f"release {letter.version}, deployment {letter.deployment}, tried {counted(letter.attempts, 'time')} "
        f"since {minute(letter.first_at)}"
    )
    open_ones = sum(group.count for group in alike)
    if open_ones > 1:
        out(f"of this cause: {counted(open_ones, 'open letter')}, fingerprint {letter.fingerprint}")
    if letter.assigned:
        out(f"assigned to {letter.assigned}")
    for note in notes:
        out(f"{minute(note.at)} {note.author or 'a program'}: {note.what}{note.text and f': {note.text}'}")
    for each in standing:
        out(f"override {each.id}: {each.path}, set {minute(each.set_at)} by {each.set_by}")
    if letter.hint:
        out(f"next: {letter.hint}")


@dead_letters.command("assign")
@click.argument("numbers", type=int, nargs=-1, required=True)
@click.argument("person")
@env_option
@json_option
def assign(numbers: tuple[int, ...], person: str, environment: str, as_json: bool) -> None:
    """Give the dead letters NUMBERS to PERSON to look after, or to `nobody`."""
    with state_of(environment) as state:
        count = state.store.dead_letters.assign(numbers, "" if person == NOBODY else person, by=_me())
    if as_json:
        out_json({"assigned": count})
    else:
        out(f"{counted(count, 'dead letter')} assigned to {person}")


@dead_letters.command("note")
@click.argument("number", type=int)
@click.argument("text")
@env_option
def note(number: int, text: str, environment: str) -> None:
    """Add a note to a dead letter, encrypted, with who and when."""
    with state_of(environment) as state:
        state.store.dead_letters.note(number, text, by=_me())
    out(f"noted on dead letter {number}")


@dead_letters.command("redrive")
@click.argument("numbers", type=int, nargs=-1)
@env_option
@filtered
@click.option("--all", "every", is_flag=True, help="Every open letter.")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Override a field of the source record, `OrderItemList.0.ItemID=ABC`, each time it is read, until that is withdrawn; "
    "may be repeated.",
)
@click.option(
    "--with",
    "chosen",
    type=click.Choice(["current", "original"]),
    default="current",
    show_default=True,
    help="Which release runs them: the one that runs now, or the one that refused each; that one only while it runs.",
)
@click.option("--dry-run", is_flag=True, help="Count them; nothing is redriven.")
@click.option("--yes", is_flag=True, help="Do not ask where letters are chosen by a filter.")
@json_option
def redrive(
    numbers: tuple[int, ...],
    environment: str,
    every: bool,
    sets: tuple[str, ...],
    chosen: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **filters: str | None,
) -> None:
    """
    Send the dead letters NUMBERS, or all that a filter matches, through their flow again.

    Their sources are read anew, so a record that was corrected there needs nothing else.
    """
    which = chosen_by(numbers, filters, every)
    ids = list(numbers) or None
    with state_of(environment) as state:
        letters = state.store.dead_letters
        found = letters.list(ids, **which) if dry_run or sets or ids is None else ()
        values: Mapping[str, Any] = {}
        if sets and found:
            values = _values(state, found, sets)
            which |= {"integration": found[0].integration, "flow": found[0].flow}
        if not may_go_on("redrive", found, ids, dry_run=dry_run, yes=yes, as_json=as_json):
            return
        count = letters.redrive(ids, by=_me(), values=values, original=chosen == "original", **which)
        causes = sorted({letter.cause for letter in letters.list()}) if not count else []
    _told("redriven", count, every, causes, environment, filters, as_json=as_json)
    if not as_json and count:
        out(f"{counted(count, 'dead letter')} sent again")
        if values:
            say(f"overridden until withdrawn: {', '.join(values)}")


@dead_letters.command("discard")
@click.argument("numbers", type=int, nargs=-1)
@env_option
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with who and when.")
@filtered
@click.option("--all", "every", is_flag=True, help="Every open letter.")
@click.option("--dry-run", is_flag=True, help="Count them; nothing is discarded.")
@click.option("--yes", is_flag=True, help="Do not ask where letters are chosen by a filter.")
@json_option
def discard(
    numbers: tuple[int, ...],
    environment: str,
    reason: str,
    every: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **filters: str | None,
) -> None:
    """Close the dead letters NUMBERS, or all that a filter matches, without running their records; nothing is deleted."""
    which = chosen_by(numbers, filters, every)
    ids = list(numbers) or None
    with state_of(environment) as state:
        letters = state.store.dead_letters
        found = letters.list(ids, **which) if dry_run or ids is None else ()
        if not may_go_on("discard", found, ids, dry_run=dry_run, yes=yes, as_json=as_json):
            return
        count = letters.discard(ids, reason=reason, by=_me(), **which)
        causes = sorted({letter.cause for letter in letters.list()}) if not count else []
    _told("discarded", count, every, causes, environment, filters, as_json=as_json)
    if not as_json and count:
        out(f"{counted(count, 'dead letter')} discarded")


@dead_letters.group("overrides")
def overrides() -> None:
    """List and withdraw what is put over fields of source records."""


@overrides.command("list")
@env_option
@click.option("--all", "every", is_flag=True, help="Also withdrawn ones.")
@click.option("--values", is_flag=True, help="Show what they put there.")
@json_option
def list_overrides(environment: str, every: bool, values: bool, as_json: bool) -> None:
    """List the overrides of an environment, oldest first."""
    with state_of(environment) as state:
        found = state.store.overrides.list(every=every)
        held = {each.id: state.store.overrides.value(each.id) for each in found} if values else {}
    if as_json:
        out_json([{**vars(each), **({"value": held[each.id]} if values else {})} for each in found])
    elif not found:
        out("no overrides")
    else:
        heads = ("no", "record", "field", "set", "by", "withdrawn", *(("value",) if values else ()))
        rows = [
            (
                each.id,
                f"{each.flow} {each.key}",
                each.path,
                minute(each.set_at),
                each.set_by,
                f"{minute(each.withdrawn_at)} {each.withdrawn_by}" if each.withdrawn_at else "",
                *((held[each.id],) if values else ()),
            )
            for each in found
        ]
        out(table(rows, heads))


@overrides.command("withdraw")
@click.argument("numbers", type=int, nargs=-1, required=True)
@env_option
@json_option
def withdraw(numbers: tuple[int, ...], environment: str, as_json: bool) -> None:
    """Apply the overrides NUMBERS no longer; the next run of their records takes what the source holds."""
    with state_of(environment) as state:
        count = state.store.overrides.withdraw(numbers, by=_me())
    if as_json:
        out_json({"withdrawn": count})
    else:
        out(f"{counted(count, 'override')} withdrawn")


def _values(state: State, letters: Sequence[DeadLetter], sets: Sequence[str]) -> Mapping[str, Any]:
    """What is typed after `--set`, checked against the model of the letters' flow."""
    from tagline.cli.packages import package_of
    from tagline.runtime.paths import parsed

    flows = {(letter.integration, letter.flow) for letter in letters}
    if len(flows) > 1:
        raise click.UsageError("--set needs letters of one flow; choose it with --flow")
    ((integration, name),) = flows
    flow = package_of(state, integration).flows.get(name)
    if flow is None:
        raise click.UsageError(f"{integration} has no flow {name} any more, so its fields are not known")
    values: dict[str, Any] = {}
    for each in sets:
        path, equals, text = each.partition("=")
        if not equals:
            raise click.UsageError(f"--set {path} names no value; write FIELD=VALUE")
        values[path] = parsed(flow.source, path, text)
    return values


def _told(
    what: str,
    count: int,
    every: bool,
    causes: Sequence[str],
    environment: str,
    filters: Mapping[str, str | None],
    *,
    as_json: bool,
) -> None:
    """
    The count as JSON, and an error where there was nothing to do.

    Raises:
        TaglineError: None of the letters is open (code `dead-letter-not-open`).
    """
    if as_json:
        out_json({what: count})
    elif every and not count:
        out("no dead letter is open")
    if count or every:
        return
    asked = ", ".join(f"{name} {value}" for name, value in filters.items() if value is not None)
    raise TaglineError(
        f"no open dead letter has {asked}" if asked else "none of these dead letters is open any more",
        code="dead-letter-not-open",
        where={"environment": environment},
        hint=f"open ones have the causes: {', '.join(causes)}" if causes else "no dead letter is open",
    )


def _grouped(found: Sequence[Group]) -> str:
    rows = [
        (
            f"{x.count:,}",
            x.cause,
            x.flow,
            minute(x.first_at),
            minute(x.last_at),
            ", ".join(filter(None, x.versions)),
            x.fingerprint,
            x.message,
        )
        for x in found
    ]
    return table(rows, ("letters", "cause", "flow", "first", "last", "release", "fingerprint", "message"))


def _me() -> str:
    """Who works here, as git knows them; a deed without a name would help nobody later."""
    return Repository.open(Path.cwd()).identity()
