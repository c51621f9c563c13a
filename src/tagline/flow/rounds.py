"""A round: what all living records wait for is read together, decided one by one, and written together.

Asks are grouped by what they do and to which model, so that a hundred records cost one read and one `perform`. Groups run in the
order of the first record that asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from tagline.errors import Disposition, InconclusiveError, TaglineError
from tagline.flow import reads, writes
from tagline.flow.drive import Ask
from tagline.flow.effects import Verb
from tagline.flow.world import Known, World

_Handler = Callable[[Known, Sequence[Ask]], Sequence[Any]]

_HANDLERS: Mapping[Verb, _Handler] = {
    Verb.FIND: reads.find,
    Verb.FIND_ALL: reads.find,
    Verb.FIND_WHERE: reads.find_where,
    Verb.EXPECT: reads.expect,
    Verb.UPSERT: writes.write,
    Verb.UPDATE: writes.write,
    Verb.CREATE_ONCE: writes.write,
    Verb.UPSERT_ALL: writes.write_children,
    Verb.ACT: writes.act,
    Verb.REMOVE: writes.remove,
}


class Rounds:
    """Answers rounds of asks in one world."""

    def __init__(self, world: World) -> None:
        self._known = Known(world)

    def answer(self, asks: Sequence[Ask]) -> Sequence[Any]:
        """One answer an ask, in order; a `TaglineError` as an answer ends its record."""
        groups: dict[object, list[int]] = {}
        for position, ask in enumerate(asks):
            effect = ask.effect
            group = (_HANDLERS[effect.verb], effect.model, effect.within_column)
            groups.setdefault(group, []).append(position)
        answers: dict[int, Any] = {}
        for positions in groups.values():
            group_answers = self._group([asks[i] for i in positions])
            answers.update(zip(positions, group_answers, strict=True))
        return [answers[position] for position in range(len(asks))]

    def _group(self, asks: Sequence[Ask]) -> Sequence[Any]:
        try:
            return _HANDLERS[asks[0].effect.verb](self._known, asks)
        except TaglineError as error:
            if not isinstance(error, InconclusiveError) and error.disposition is not Disposition.DEAD_LETTER:
                return [error] * len(asks)
            # One of them has a key, a condition or a row that nobody can do anything with, or one that nobody recorded. Nothing was
            # written yet, or what was is not written again: the group is halved until the others have their answer.
            halves = _halves(asks)
            if halves is None:
                return [error] * len(asks)
            answers = {place: answer for half in halves for place, answer in self._some(asks, half)}
            return [answers[place] for place in range(len(asks))]

    def _some(self, asks: Sequence[Ask], places: Sequence[int]) -> Iterable[tuple[int, Any]]:
        return zip(places, self._group([asks[place] for place in places]), strict=True)


def _halves(asks: Sequence[Ask]) -> tuple[Sequence[int], Sequence[int]] | None:
    """
    The asks in two parts, by their places; None where they cannot be parted.

    Those for one row, or for the children of one, stay together: apart, each would remove the children that the other gives.
    """
    together: dict[object, list[int]] = {}
    for place, ask in enumerate(asks):
        together.setdefault(ask.effect.key or place, []).append(place)
    parts = list(together.values())
    if len(parts) == 1:
        return None
    middle = len(parts) // 2
    return list(chain.from_iterable(parts[:middle])), list(chain.from_iterable(parts[middle:]))
