"""First loads by bulk messages: many rows in one request, all of them or none.

Opted into for what was never written before: nothing is read first, so that there are no images to restore, no conditions
on versions, and nothing that tells a row we made from one that was there.
Source: reference/dataverse-api.md section 10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tagline.connectors import json_values
from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.wire import ROOT, address, is_guid, to_wire
from tagline.connectors.dataverse.writes import error_of, outcome_of
from tagline.connectors.dispositions import DATAVERSE
from tagline.connectors.messages import Answer
from tagline.connectors.odata.batch import PartAnswer
from tagline.domain.exchange import ROW_CHANGED, ROW_EXISTS, Key, Outcome, Write, WriteKind
from tagline.domain.model import Model
from tagline.errors import Disposition, RecordError

MAX_ROWS: Final = 500
"""Rows of one message; a hundred to a thousand are advised, and one message may take two minutes."""
MAX_REFUSED: Final = 20
"""Refused rows after which a load stops looking for more: then it is the rows' shape, and each would cost requests."""

CREATE_MULTIPLE: Final = "CreateMultiple"
UPSERT_MULTIPLE: Final = "UpsertMultiple"

_OF_ALL: Final = ("query-refused", "remote-not-implemented")
"""Refusals of the message itself, which no row causes."""


@dataclass(frozen=True)
class _Target:
    """One row on its way."""

    place: int
    write: Write
    members: Mapping[str, Any]


def load(session: Session, rows: Sequence[Model]) -> list[Outcome]:
    """
    Create rows of one model, or create and change them where their first alternate key is given.

    A message that is refused is halved until the row is found that spoils it, so that this one alone ends. Twice the
    same key is two messages by that way, the later row last.

    Returns:
        One outcome for each row; its id only where the organisation tells it, which it does of created rows.

    Raises:
        TaglineError: A message failed and may have been performed, of whatever code: what became of its rows has to be
            read.
    """
    outcomes: dict[int, Outcome] = {}
    waiting: dict[str, list[_Target]] = {UPSERT_MULTIPLE: [], CREATE_MULTIPLE: []}
    for place, row in enumerate(rows):
        try:
            message, target = _target(place, row)
        except RecordError as error:
            outcomes[place] = Outcome(
                error.disposition, code=error.code, message=error.message, hint=error.hint
            )
        else:
            waiting[message].append(target)
    for message, targets in waiting.items():
        groups = [targets[n : n + MAX_ROWS] for n in range(0, len(targets), MAX_ROWS)]
        outcomes |= _send(session, message, groups)
    return [outcomes[place] for place in range(len(rows))]


def _send(session: Session, message: str, groups: Sequence[Sequence[_Target]]) -> dict[int, Outcome]:
    outcomes: dict[int, Outcome] = {}
    refused = 0
    stack = list(reversed(groups))
    while stack:
        group = stack.pop()
        if refused == MAX_REFUSED:
            outcomes |= {target.place: _not_sent(target) for target in group}
            continue
        remote = group[0].write.model.remote
        answer = session.send(
            "POST",
            f"{ROOT}/{remote.collection}/Microsoft.Dynamics.CRM.{message}",
            body={"Targets": [target.members for target in group]},
        )
        if len(group) > 1 and _is_of_one_row(answer):
            half = len(group) // 2
            stack += [group[half:], group[:half]]
            continue
        told = _outcomes(session, group, answer)
        refused += sum(o.disposition is Disposition.DEAD_LETTER for o in told[:1])
        outcomes |= {target.place: outcome for target, outcome in zip(group, told, strict=True)}
    return outcomes


def _target(place: int, row: Model) -> tuple[str, _Target]:
    model, given = type(row), row.given()
    members: dict[str, Any] = {"@odata.type": f"Microsoft.Dynamics.CRM.{model.remote.entity}"}
    names = model.remote.keys[0] if model.remote.keys else ()
    key: Key = tuple(sorted((n, given[n]) for n in names if given.get(n) is not None))
    message = CREATE_MULTIPLE
    if names and len(key) == len(names):
        message = UPSERT_MULTIPLE
        members["@odata.id"] = address(model, key)
    return message, _Target(
        place, Write(WriteKind.CREATE, model, key, given), members | to_wire(model, given)
    )


def _is_of_one_row(answer: Answer) -> bool:
    """Whether a row of the message may have caused the refusal of all."""
    meaning = DATAVERSE.judge(answer.status, error_of(answer)[0] if answer.status >= 400 else "")
    if meaning.disposition is Disposition.DEAD_LETTER:
        return meaning.code not in _OF_ALL
    return meaning.code in (ROW_EXISTS, ROW_CHANGED)


def _outcomes(session: Session, group: Sequence[_Target], answer: Answer) -> list[Outcome]:
    if not 200 <= answer.status < 300:
        part = PartAnswer(answer.status, answer.headers, answer.body)
        retry_after = session.retry_after(answer)
        return [outcome_of(target.write, part, retry_after) for target in group]
    ids = _ids(answer)
    found = ids if len(ids) == len(group) else [None] * len(group)
    return [Outcome(Disposition.DONE, id=row_id) for row_id in found]


def _ids(answer: Answer) -> list[str | None]:
    """The ids of created rows, in their order; none where the message tells none."""
    try:
        body = json_values.parse(answer.body) if answer.body else {}
    except ValueError:
        body = {}
    ids = body.get("Ids") if isinstance(body, Mapping) else None
    return [row_id if is_guid(row_id) else None for row_id in ids] if isinstance(ids, list) else []


def _not_sent(target: _Target) -> Outcome:
    return Outcome(
        Disposition.DEAD_LETTER,
        code="load-stopped",
        message=f"a {target.write.model.remote.entity} was not sent, since {MAX_REFUSED} rows before it were refused",
        hint="correct what the refused rows have in common, then load the rest",
    )
