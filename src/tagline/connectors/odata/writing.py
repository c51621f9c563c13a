"""Writes in batches, each for itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tagline.connectors.odata.batch import Part, PartAnswer
from tagline.connectors.odata.session import Session
from tagline.domain.exchange import Outcome, Write
from tagline.errors import RecordError


def perform(
    session: Session,
    writes: Sequence[Write],
    part_of: Callable[[Write], Part],
    outcome_of: Callable[[Write, PartAnswer, float | None], Outcome],
    send: Callable[[Sequence[Part]], Sequence[PartAnswer]],
) -> list[Outcome]:
    """
    Make writes in their order, up to a hundred in one request; one outcome each.

    Args:
        part_of: The request of a write; its `RecordError` ends that write alone.
        outcome_of: What an answer, and the seconds it asks to wait, mean for a write.
        send: Sends one batch.

    Raises:
        TaglineError: A batch failed as a whole, of whatever code: what became of its writes, and of those in the
            batches before it, has to be read.
    """
    outcomes: dict[int, Outcome] = {}
    sendable: list[tuple[int, Part]] = []
    for place, write in enumerate(writes):
        try:
            sendable.append((place, part_of(write)))
        except RecordError as error:
            outcomes[place] = Outcome(
                error.disposition, write.id, code=error.code, message=error.message, hint=error.hint
            )
    # One round's writes are about different rows, so that batches of them may overtake one another.
    batches = session.batches_of(sendable)
    told = session.side_by_side(batches, lambda batch: send([part for _, part in batch]))
    for batch, answers in zip(batches, told, strict=True):
        for (place, _), answer in zip(batch, answers, strict=True):
            outcomes[place] = outcome_of(writes[place], answer, session.retry_after(answer))
    return [outcomes[place] for place in range(len(writes))]
