"""Writes in batches, each for itself, or new rows in bulk; what the organisation taught about its own form of an action is kept."""

from __future__ import annotations

from collections.abc import Sequence

from tagline.connectors.dataverse.actions import in_other_form
from tagline.connectors.dataverse.bulk import Bulk
from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.writes import error_of, outcome_of, part_of
from tagline.connectors.odata import writing
from tagline.connectors.odata.batch import Part, PartAnswer
from tagline.domain.exchange import Outcome, Write

NO_SUCH_ADDRESS = ("0x80060888", "0x8006088a")


class Writer:
    """Makes writes in their order, up to a hundred in one request."""

    def __init__(self, session: Session, bulk: Bulk | None = None) -> None:
        self._session = session
        self._bulk = bulk
        self._refused: set[str] = set()
        """Addresses of actions that the organisation does not know."""

    def perform(self, writes: Sequence[Write]) -> list[Outcome]:
        """
        One outcome for each write.

        Raises:
            TaglineError: A batch failed as a whole, of whatever code: what became of its writes, and of those in the
                batches before it, has to be read.
        """
        told = self._bulk.create(writes) if self._bulk else {}
        others = [place for place in range(len(writes)) if place not in told]
        outcomes = writing.perform(
            self._session,
            [writes[place] for place in others],
            lambda write: self._known_form(part_of(write)),
            outcome_of,
            self._answers,
        )
        told |= dict(zip(others, outcomes, strict=True))
        return [told[place] for place in range(len(writes))]

    def _answers(self, parts: Sequence[Part]) -> list[PartAnswer]:
        answers = list(self._session.batch(parts))
        # An address that does not exist did nothing, so that its other form may be sent after it.
        again = {
            place: other
            for place, (part, answer) in enumerate(zip(parts, answers, strict=True))
            if _is_unknown_address(answer) and (other := in_other_form(part)) is not None
        }
        if again:
            self._refused |= {parts[place].url for place in again}
            told = self._session.batch(list(again.values()))
            if any(_is_unknown_address(answer) for answer in told):
                self._refused.clear()
            for place, answer in zip(again, told, strict=True):
                answers[place] = answer
        return answers

    def _known_form(self, part: Part) -> Part:
        return (in_other_form(part) or part) if part.url in self._refused else part


def _is_unknown_address(answer: PartAnswer) -> bool:
    return answer.status in (400, 404) and error_of(answer)[0] in NO_SUCH_ADDRESS
