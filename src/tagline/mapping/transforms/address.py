"""Address parts. Nothing is parsed: what people typed as a line stays a line."""

from __future__ import annotations

from typing import NamedTuple

from tagline.mapping.transforms.text import blank_to_none, concat


class StreetLines(NamedTuple):
    """The two street lines of an address."""

    line1: str | None
    line2: str | None


def street_lines(first: str | None, second: str | None) -> StreetLines:
    """The lines without gaps: a second line moves up where the first is blank, and is dropped where it only repeats the first."""
    line1, line2 = blank_to_none(first), blank_to_none(second)
    if line1 is None:
        return StreetLines(line2, None)
    if line2 is not None and line1.casefold() == line2.casefold():
        return StreetLines(line1, None)
    return StreetLines(line1, line2)


def addressee(company: str | None, first_name: str | None, last_name: str | None) -> str | None:
    """Whom an address names: the company where there is one, else the person, else None."""
    return blank_to_none(company) or blank_to_none(concat(first_name, last_name))
