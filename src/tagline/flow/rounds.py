"""A round: what all living records wait for is read together, decided one by one, and written together.

Asks are grouped by what they do and to which model, so that a hundred records cost one read and one `perform`. Groups run in the
order of the first record that asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tagline.errors import InconclusiveError, TaglineError
from tagline.flow import reads, writes
from tagline.flow.drive import Ask
from tagline.flow.effects import Verb
from tagline.flow.world import Known, World

_Handler = Callable[[Known, Sequence[Ask]], Sequence[Any]]

_HANDLERS: Mapping[Verb, _Handler] = {
    Verb.FIND: reads.find,
    Verb.FIND_ALL: reads.find,
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
        except InconclusiveError as error:
            # What nobody recorded is missing for some of them; asked one by one, the others get their answer.
            return [error] if len(asks) == 1 else [each for ask in asks for each in self._group([ask])]
        except TaglineError as error:
            return [error] * len(asks)
