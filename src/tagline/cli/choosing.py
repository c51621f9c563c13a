"""Which dead letters a command is about: numbers or filters, counted first, and asked about where a filter chose them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from tagline.cli.output import counted, out, out_json, say, table
from tagline.errors import RefusedError

if TYPE_CHECKING:
    from tagline.runtime.dead_letters import Criteria, DeadLetter

F = TypeVar("F", bound=Callable[..., Any])

NOBODY: Final = "nobody"
"""How a person writes that a letter is assigned to none."""

_FILTERS: Final = (
    click.option("--cause", metavar="CODE", help="Letters of this cause."),
    click.option("--fingerprint", metavar="MARK", help="Letters of this group, as `list --group` names it."),
    click.option("--flow", metavar="NAME", help="Letters of this flow."),
    click.option("--key", metavar="KEY", help="The letter of this record."),
    click.option(
        "--assigned", metavar="PERSON", help=f"Letters that this person looks after, or `{NOBODY}`."
    ),
    click.option(
        "--since", metavar="TIME", help="Set aside on this day or later, or at this time; without a zone UTC."
    ),
    click.option("--release", metavar="RELEASE", help="Letters of records that this release refused."),
)


def filtered(function: F) -> F:
    """Give a command the filters, as keyword arguments; see `criteria`."""
    for option in reversed(_FILTERS):
        function = option(function)
    return function


def criteria(filters: Mapping[str, str | None]) -> Criteria:
    """What was typed into the filters."""
    which: Criteria = {}
    for name in ("cause", "fingerprint", "flow", "key"):
        if filters[name] is not None:
            which[name] = filters[name]
    if (person := filters["assigned"]) is not None:
        which["assigned"] = "" if person == NOBODY else person
    if (since := filters["since"]) is not None:
        which["since"] = _instant(since)
    if (release := filters["release"]) is not None:
        which["version"] = release.rpartition("/")[2].removeprefix("v")
    return which


def chosen_by(numbers: tuple[int, ...], filters: Mapping[str, str | None], every: bool) -> Criteria:
    """The same for a command that changes letters: numbers, or filters, or all of them, and one of the three."""
    which = criteria(filters)
    if sum((bool(numbers), bool(which), every)) != 1:
        raise click.UsageError("name numbers, or filters such as --cause, or --all")
    return which


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(
            f"--since {text!r} is no time, such as 2026-01-31 or 2026-01-31T08:00"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def may_go_on(
    verb: str,
    found: Sequence[DeadLetter],
    ids: Sequence[int] | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> bool:
    """Whether to act: after a dry count not, by a filter only when that was said or a person at a terminal agrees."""
    if dry_run:
        if as_json:
            out_json({"would": verb, "count": len(found), "letters": [letter.id for letter in found]})
        else:
            out(f"would {verb} {counted(len(found), 'dead letter')}")
            if found:
                out(listed(found[:20]))
            say("nothing was changed")
        return False
    if ids is not None or yes or not found:
        return True
    if not sys.stdin.isatty():
        raise RefusedError(
            f"a filter chose {counted(len(found), 'dead letter')}, and nobody is there to ask",
            code="confirmation-missing",
            hint="look with --dry-run, then say --yes; nothing was changed",
        )
    click.confirm(f"{verb} {counted(len(found), 'dead letter')}?", abort=True, err=True)
    return True


def listed(found: Sequence[DeadLetter]) -> str:
    """One line a letter."""
    rows = [
        (
            x.id,
            x.state,
            f"{x.flow} {x.key}",
            x.cause,
            x.attempts,
            minute(x.last_at),
            x.assigned,
            x.message,
        )
        for x in found
    ]
    return table(rows, ("no", "state", "record", "cause", "tries", "last", "assigned", "message"))


def minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z"
