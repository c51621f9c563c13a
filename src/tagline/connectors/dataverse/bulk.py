"""First loads by bulk messages: many new rows in one request, all of them or none.

What a back-fill creates goes out so where the connection's `first_load` says `bulk`. The rows were read before and found absent, as
before any other create, so that each can be told from one that stood there and be taken back; there is no version of
them afterwards, until they are read again.

Source: reference/dataverse-api.md section 10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tagline.connectors import json_values
from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.wire import ROOT, condition, is_guid, to_wire
from tagline.connectors.dataverse.writes import error_of, outcome_of
from tagline.connectors.dispositions import DATAVERSE
from tagline.connectors.messages import Answer
from tagline.connectors.odata.batch import PartAnswer
from tagline.domain.exchange import ROW_CHANGED, ROW_EXISTS, Outcome, Write, WriteKind
from tagline.domain.model import Model
from tagline.errors import Disposition, RecordError

MESSAGE: Final = "Microsoft.Dynamics.CRM.CreateMultiple"
MAX_ROWS: Final = 500
"""Rows of one message; a hundred to a thousand are advised, and one message may take two minutes."""

_UNKNOWN: Final = ("query-refused", "remote-not-implemented")
"""Refusals of the message itself, which no row causes."""


@dataclass(frozen=True)
class _Target:
    """One row on its way."""

    place: int
    write: Write
    members: Mapping[str, Any]


class Bulk:
    """Creates in bulk; remembers the tables that have no such message."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._unknown: set[type[Model]] = set()

    def create(self, writes: Sequence[Write]) -> dict[int, Outcome]:
        """
        Make those of the writes that create a row, with others of their table.

        Returns:
            Outcomes by the places of the writes. A place that has none was not written: it is no create, or a message of
            which it was part was refused for one of its rows, and each has to be sent for itself.

        Raises:
            TaglineError: A message failed and may have been performed, of whatever code: what became of its rows has to
                be read.
        """
        outcomes: dict[int, Outcome] = {}
        for targets in self._alike(writes):
            groups = self._session.batches_of(targets, MAX_ROWS)
            for told in self._session.side_by_side(groups, self._send):
                outcomes |= told
        return outcomes

    def _alike(self, writes: Sequence[Write]) -> list[list[_Target]]:
        """The new rows of each table, where there are several."""
        found: dict[type[Model], list[_Target]] = {}
        for place, write in enumerate(writes):
            if write.kind is WriteKind.CREATE and write.model not in self._unknown:
                try:
                    condition(write.model, write.key)  # a row whose key is none would be made anew each time
                    members = to_wire(write.model, {**dict(write.key), **write.fields})
                except RecordError:
                    continue
                found.setdefault(write.model, []).append(_Target(place, write, members))
        return [targets for targets in found.values() if len(targets) > 1]

    def _send(self, targets: Sequence[_Target]) -> dict[int, Outcome]:
        model = targets[0].write.model
        kind = {"@odata.type": f"Microsoft.Dynamics.CRM.{model.remote.entity}"}
        answer = self._session.send(
            "POST",
            f"{ROOT}/{model.remote.collection}/{MESSAGE}",
            body={"Targets": [kind | dict(target.members) for target in targets]},
            weight=len(targets),
        )
        if 200 <= answer.status < 300:
            ids = _ids(answer, len(targets))
            return {t.place: Outcome(Disposition.DONE, id=i) for t, i in zip(targets, ids, strict=True)}
        meaning = DATAVERSE.judge(answer.status, error_of(answer)[0])
        if meaning.code in _UNKNOWN:
            self._unknown.add(model)
        if meaning.disposition is Disposition.DEAD_LETTER or meaning.code in (ROW_EXISTS, ROW_CHANGED):
            return {}
        part = PartAnswer(answer.status, answer.headers, answer.body)
        retry_after = self._session.retry_after(answer)
        return {target.place: outcome_of(target.write, part, retry_after) for target in targets}


def _ids(answer: Answer, count: int) -> list[str | None]:
    """The ids of the new rows, in their order; unknown where the answer does not tell one for each."""
    try:
        body = json_values.parse(answer.body)
    except ValueError:
        body = {}
    ids = body.get("Ids") if isinstance(body, Mapping) else None
    if not isinstance(ids, list) or len(ids) != count:
        return [None] * count
    return [row_id if is_guid(row_id) else None for row_id in ids]
