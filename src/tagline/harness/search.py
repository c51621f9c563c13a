"""Searching a record that breaks something, and making it small."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Final

from tagline.harness.strategies import Make

Choices = Mapping[str, int]
"""What was chosen where; anything that is not named is 0, the simplest."""
MOST_TRIES: Final = 2000


def drawn(make: Make, random: Random) -> tuple[Any, Choices]:
    """A record drawn at random, with the choices that made it."""
    chosen: dict[str, int] = {}

    def choose(path: str, n: int) -> int:
        chosen[path] = random.randrange(n)
        return chosen[path]

    return make(choose), chosen


def made(make: Make, choices: Choices) -> tuple[Any, Choices]:
    """The record that these choices make, with those of them that were asked for."""
    used: dict[str, int] = {}

    def choose(path: str, n: int) -> int:
        used[path] = min(choices.get(path, 0), n - 1)
        return used[path]

    return make(choose), used


def smallest(make: Make, choices: Choices, breaks: Callable[[Any], bool]) -> Any:
    """The record with as few items, and as many of its choices as simple, as can be while it still breaks."""
    best, used = made(make, choices)
    tries, shrunk = 0, True
    while shrunk and tries < MOST_TRIES:
        shrunk = False
        for path in [p for p, n in used.items() if n]:
            for simpler in _simpler(used, path):
                tries += 1
                record, asked = made(make, simpler)
                if breaks(record):
                    best, used, shrunk = record, asked, True
                    break
    return best


def _simpler(choices: Choices, path: str) -> Iterator[Choices]:
    """Choices with a smaller number at this path; of a list, without one of its items."""
    standing = choices.get(path, 0)
    for number in dict.fromkeys((0, standing // 2, standing - 1)):
        if 0 <= number < standing:
            yield {**choices, path: number}
    if path.endswith("#"):
        for index in range(standing - 1):  # without the last one is one less, which was tried
            yield _without(choices, path, index)


def _without(choices: Choices, counted: str, index: int) -> Choices:
    """The choices without those of one item of a list; the items behind it move up."""
    kept = {}
    for path, number in choices.items():
        place, _, rest = path.partition(":")
        if rest.startswith(f"{counted[:-1]}[]") and int(place) >= index:
            if int(place) > index:
                kept[f"{int(place) - 1}:{rest}"] = number
        else:
            kept[path] = number
    return {**kept, counted: choices[counted] - 1}
