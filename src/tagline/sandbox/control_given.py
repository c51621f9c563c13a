"""What a control page was given, checked field by field; whatever does not fit becomes a sentence for whoever typed it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar

from tagline.sandbox.faults import Fault
from tagline.sandbox.mishaps import Mishap
from tagline.sandbox.wire import decode

MOST_SPANS: Final = 8
Kind = TypeVar("Kind", bound=StrEnum)


class MisuseError(Exception):
    """A control page was used wrong; the text says how to use it."""


@dataclass(frozen=True)
class Given:
    """The body of a call, beside an example of what was expected."""

    fields: Mapping[str, Any]
    example: str

    def whole(self, name: str, *, among: Collection[int] | None = None) -> int:
        """A whole number that must be given."""
        value = self._value(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.misuse(f"{name} must be a whole number")
        if among is not None and value not in among:
            raise self.misuse(f"{name} cannot be {value}; it may be {spans(among) or 'nothing yet'}")
        return value

    def text(self, name: str) -> str:
        """A text that must be given."""
        value = self._value(name)
        if not isinstance(value, str):
            raise self.misuse(f"{name} must be a text")
        return value

    def flag(self, name: str) -> bool:
        """True or false that must be given."""
        value = self._value(name)
        if not isinstance(value, bool):
            raise self.misuse(f"{name} must be true or false")
        return value

    def share(self, name: str) -> float:
        """A number from 0 to 1 that must be given."""
        value = self._value(name)
        if not isinstance(value, int | Decimal) or isinstance(value, bool) or not 0 <= value <= 1:
            raise self.misuse(f"{name} must be a number from 0 to 1")
        return float(value)

    def faults(self, name: str) -> Sequence[Fault | None]:
        """A list of faults, `null` for none; empty where it is not given."""
        return self._planned(name, Fault, "fault")

    def mishaps(self, name: str) -> Sequence[Mishap | None]:
        """A list of mishaps, `null` for none; empty where it is not given."""
        return self._planned(name, Mishap, "mishap")

    def _planned(self, name: str, kind: type[Kind], noun: str) -> Sequence[Kind | None]:
        value = self.fields.get(name, [])
        if not isinstance(value, list):
            raise self.misuse(f"{name} must be a list of {noun}s")
        for each in value:
            if each is not None and each not in list(kind):
                raise self.misuse(
                    f"{json.dumps(each, default=str)} is no {noun}; {noun}s are {', '.join(kind)}"
                )
        return [None if each is None else kind(each) for each in value]

    def misuse(self, what: str) -> MisuseError:
        return MisuseError(f"{what}. Expected is a body such as {self.example}")

    def _value(self, name: str) -> Any:
        if name not in self.fields:
            raise self.misuse(f"{name} is missing")
        return self.fields[name]


def read(body: bytes, example: str) -> Given:
    """
    Read a body, which may be absent; each field is looked at when the page asks for it.

    Raises:
        MisuseError: It is no JSON object.
    """
    try:
        fields = decode(body) if body else {}
    except (ValueError, RecursionError) as error:
        raise Given({}, example).misuse("the body is not JSON") from error
    if not isinstance(fields, dict):
        raise Given({}, example).misuse("the body is no JSON object")
    return Given(fields, example)


def spans(numbers: Collection[int]) -> str:
    """Ascending numbers for people, neighbours drawn together and the middle of many left out: `1 to 3, 5`."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    texts = [str(first) if first == last else f"{first} to {last}" for first, last in found]
    return ", ".join(texts if len(texts) <= MOST_SPANS else (*texts[: MOST_SPANS - 1], "…", texts[-1]))
