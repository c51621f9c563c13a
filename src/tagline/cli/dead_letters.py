"""Commands that tend to dead letters: look, assign, note, send again, discard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tagline.alm.git import Repository
from tagline.cli.choosing import NOBODY, chosen_by, criteria, filtered, listed, may_go_on, minute
from tagline.cli.lifecycle import env_option, json_option
from tagline.cli.output import counted, out, out_json, say, table
from tagline.cli.state import State, state_of
from tagline.errors import TaglineError, UsageError

if TYPE_CHECKING:
    from tagline.flow import Flow
    from tagline.integration import Integration
    from tagline.runtime.dead_letters import DeadLetter, DeadLetters, Group

TRIED_ON: Final = 20
"""Records that values are put over before they are redriven; the others are told by their run."""


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
        asked = None if groups or found else _no_such(letters, filters, environment)
    if as_json:
        out_json([vars(each) for each in groups or found])
    elif asked is not None:
        out("no dead letters" if not asked.hint else f"{asked.message}; {asked.hint}")
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
    if next_step := _next(letter, environment):
        out(f"next: {next_step}")


@dead_letters.command("assign")
@click.argument("numbers", type=int, nargs=-1)
@click.argument("person")
@env_option
@json_option
def assign(numbers: tuple[int, ...], person: str, environment: str, as_json: bool) -> None:
    """Give the dead letters NUMBERS to PERSON to look after, or to `nobody`."""
    if person.isdecimal():
        given = " ".join(map(str, (*numbers, person)))
        raise click.UsageError(f"assigned to whom? write: tagline dead-letters assign {given} PERSON")
    if not numbers:
        raise click.UsageError(f"which letters? write: tagline dead-letters assign NUMBER {person}")
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
        closed = _closed(letters, ids, environment)
        missing = closed if ids is not None else _no_such(letters, filters, environment)
        if not may_go_on("redrive", found, ids, dry_run=dry_run, yes=yes, as_json=as_json):
            if missing is not None and not found and not every:
                raise missing
            return
        count = letters.redrive(ids, by=_me(), values=values, original=chosen == "original", **which)
    _told("redriven", count, every, missing, as_json=as_json)
    if not as_json and count:
        out(f"{counted(count, 'dead letter')} sent again")
        if closed is not None:
            say(f"left as they are: {closed.message}; {closed.hint}")
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
        closed = _closed(letters, ids, environment)
        missing = closed if ids is not None else _no_such(letters, filters, environment)
        if not may_go_on("discard", found, ids, dry_run=dry_run, yes=yes, as_json=as_json):
            if missing is not None and not found and not every:
                raise missing
            return
        count = letters.discard(ids, reason=reason, by=_me(), **which)
    _told("discarded", count, every, missing, as_json=as_json)
    if not as_json and count:
        out(f"{counted(count, 'dead letter')} discarded")
        if closed is not None:
            say(f"left as they are: {closed.message}; {closed.hint}")


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
    _try_on(state, package_of(state, integration), letters, flow, values)
    return values


def _try_on(
    state: State, package: Integration, letters: Sequence[DeadLetter], flow: Flow, values: Mapping[str, Any]
) -> None:
    """
    Put values over the records as their source holds them now; where it cannot be asked, the run will tell.

    Raises:
        UsageError: One of the records cannot take them (code `override-not-fitting`).
    """
    from tagline.connectors import connect
    from tagline.connectors.budgets import governor_for
    from tagline.runtime import deployed
    from tagline.runtime.budget_rows import keep_in
    from tagline.runtime.overrides import MisfitError, applied

    store = state.store
    try:
        own = package.source_of(flow)
        config = deployed.connections(state.config, package.name, [own])[own]
        governor = governor_for(config, store.clock, keep=keep_in(store.database, state.folder, store.clock))
        client = connect(own, config, clock=store.clock, read_only=True, governor=governor)
        with closing(client):
            records = client.fetch(flow.source, [letter.key for letter in letters[:TRIED_ON]]).records
    except TaglineError:
        return
    for letter in letters:
        if letter.key not in records:
            continue
        try:
            applied(records[letter.key], values, letter.key, flow.key)
        except MisfitError as error:
            raise UsageError(
                f"record {letter.key} cannot take that: {error}",
                code="override-not-fitting",
                where={"flow": letter.flow, "letter": str(letter.id)},
                hint="nothing was redriven; correct the --set",
            ) from None


def _next(letter: DeadLetter, environment: str) -> str:
    """What is left to do about a letter."""
    again = f"tagline backfill {letter.integration} --keys {letter.key} --env {environment}"
    return {
        "discarded": f"nothing; to run the record after all: {again}",
        "resolved": "nothing, its record ended well",
        "redriven": "nothing, its record waits to be run again",
    }.get(letter.state, letter.hint)


def _closed(letters: DeadLetters, numbers: Sequence[int] | None, environment: str) -> TaglineError | None:
    """What there is to say of named letters that are not open; None where all of them are."""
    found = letters.list(numbers, state=None) if numbers else ()
    closed = [letter for letter in found if letter.state != "open"]
    if not closed:
        return None
    told = ", ".join(f"dead letter {letter.id} is {letter.state}" for letter in closed)
    return TaglineError(
        told,
        code="dead-letter-not-open",
        where={"environment": environment},
        hint="; ".join(f"{letter.id}: {_next(letter, environment)}" for letter in closed)
        if len(closed) > 1
        else _next(closed[0], environment),
    )


def _no_such(letters: DeadLetters, filters: Mapping[str, str | None], environment: str) -> TaglineError:
    """What there is to say where no letter has what was asked for; without a hint where there are none at all."""
    asked = ", ".join(f"{name} {value}" for name, value in filters.items() if value is not None)
    causes = sorted({group.cause for group in letters.groups()})
    return TaglineError(
        f"no open dead letter has {asked}",
        code="dead-letter-not-open",
        where={"environment": environment},
        hint=f"open ones have the causes: {', '.join(causes)}" if causes else "",
    )


def _told(what: str, count: int, every: bool, missing: TaglineError | None, *, as_json: bool) -> None:
    """
    The count as JSON, and an error where there was nothing to do.

    Raises:
        TaglineError: None of the letters is open (code `dead-letter-not-open`).
    """
    if as_json:
        out_json({what: count})
    elif every and not count:
        out("no dead letter is open")
    if missing is not None and not count and not every:
        raise missing


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
