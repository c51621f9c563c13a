"""The live driver: effects become writes at the remotes, each told to the journal before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tagline.domain.exchange import Key, Matches, Outcome, Row, WriteKind
from tagline.domain.model import Model
from tagline.domain.query import Query
from tagline.errors import TaglineError
from tagline.flow import refusals
from tagline.flow.decide import ref_to, same, stands
from tagline.flow.drive import Ask
from tagline.flow.rounds import Rounds
from tagline.flow.world import Move
from tagline.runtime.guarded import Working
from tagline.runtime.journal import Doubt, Intent, Journal, Settled

OUTCOME_UNKNOWN = "remote-outcome-unknown"
"""Code of an outcome nobody knows: the answer was lost after the write was sent."""


class LiveDriver:
    """
    Reads, compares and writes through connectors; one driver serves one batch of one flow.

    Args:
        connectors: By system kind.
        deployment: The deployment every journal entry is made by.
    """

    def __init__(
        self,
        connectors: Mapping[str, Working],
        journal: Journal,
        *,
        deployment: str,
        integration: str,
        flow: str,
    ) -> None:
        self._journal = journal
        self._remotes = _Remotes(connectors, journal, deployment, integration, flow)
        self._rounds = Rounds(self._remotes)
        self._looked_up: set[str] = set()

    def recover(self, records: Iterable[str]) -> None:
        """
        Remember which writes of an earlier run of these records are in doubt.

        Each is resolved when its row is read again on the record's way; a flow that takes another way leaves it in doubt. `answer` does
        this by itself for records it meets the first time.
        """
        fresh = [record for record in dict.fromkeys(records) if record not in self._looked_up]
        self._looked_up.update(fresh)
        if fresh:
            self._remotes.doubt(self._journal.in_doubt(fresh))

    def answer(self, asks: Sequence[Ask]) -> Sequence[Any]:
        """One answer an ask, in order; a `TaglineError` as an answer ends its record."""
        try:
            self.recover(ask.record for ask in asks)
        except TaglineError as error:
            return [error] * len(asks)
        return self._rounds.answer(asks)


class _Remotes:
    """The world of the live driver."""

    def __init__(
        self,
        connectors: Mapping[str, Working],
        journal: Journal,
        deployment: str,
        integration: str,
        flow: str,
    ) -> None:
        self._connectors = connectors
        self._journal = journal
        self._deployment = deployment
        self._integration = integration
        self._flow = flow
        self._doubts: dict[int, Doubt] = {}

    def doubt(self, doubts: Iterable[Doubt]) -> None:
        # Another flow may know its own records by the same keys.
        own = (self._integration, self._flow)
        self._doubts.update((d.entry, d) for d in doubts if (d.intent.integration, d.intent.flow) == own)

    def read(self, model: type[Model], keys: Sequence[Key], names: Sequence[str]) -> Mapping[Key, Row]:
        rows = self._connector(model).read(model, keys, names)
        for doubt in self._about(model):
            if doubt.intent.key in keys:
                self._resolve(doubt, rows.get(doubt.intent.key))
        return rows

    def children(
        self, model: type[Model], parent: str, parent_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Sequence[Row]]:
        found = self._connector(model).children(model, parent, parent_ids, names)
        for doubt in self._about(model):
            known = {**(doubt.intent.before or {}), **doubt.intent.after}
            above = known.get(parent)
            rows = {row.key: row for rows in found.values() for row in rows}
            if doubt.intent.key in rows or any(
                above is not None and same(above, ref_to(above.model, parent_id)) for parent_id in parent_ids
            ):
                self._resolve(doubt, rows.get(doubt.intent.key))
        return found

    def query(self, asked: Sequence[Query]) -> Sequence[Matches]:
        found = self._connector(asked[0].model).query(asked)
        rows = {row.key: row for each in found for row in each.rows}
        for doubt in self._about(asked[0].model):
            # A row that a query does not find may stand there all the same.
            if doubt.intent.key in rows:
                self._resolve(doubt, rows[doubt.intent.key])
        return found

    def perform(self, moves: Sequence[Move]) -> Sequence[Outcome]:
        connector = self._connector(moves[0].write.model)
        entries = self._journal.intend([self._intent(move) for move in moves])
        # Where it raises, every entry stays in doubt: one call may be several requests, and some were answered.
        outcomes = connector.perform([move.write for move in moves])
        self._journal.settle(
            [
                Settled(entry, outcome.disposition, outcome.id, outcome.etag, outcome.code)
                for entry, outcome in zip(entries, outcomes, strict=True)
                if outcome.code != OUTCOME_UNKNOWN
            ]
        )
        return outcomes

    def _intent(self, move: Move) -> Intent:
        write, remote = move.write, move.write.model.remote
        return Intent(
            deployment=self._deployment,
            integration=self._integration,
            flow=self._flow,
            record=move.record,
            system=remote.system,
            entity=remote.entity,
            verb=move.verb,
            kind=write.kind,
            key=write.key,
            target_id=write.id,
            etag=write.etag,
            before=move.before,
            after=write.fields,
            action=write.action,
            reversibility=move.reversibility,
        )

    def _connector(self, model: type[Model]) -> Working:
        if model.remote.system not in self._connectors:
            raise refusals.connection_missing(model)
        return self._connectors[model.remote.system]

    def _about(self, model: type[Model]) -> list[Doubt]:
        remote = model.remote
        return [
            doubt
            for doubt in self._doubts.values()
            if (doubt.intent.system, doubt.intent.entity) == (remote.system, remote.entity)
        ]

    def _resolve(self, doubt: Doubt, row: Row | None) -> None:
        verdict = happened(doubt.intent, row)
        if verdict is not None:
            self._journal.resolve(doubt.entry, verdict, row)
            del self._doubts[doubt.entry]


def happened(intent: Intent, row: Row | None) -> bool | None:
    """
    Whether a write in doubt was made, judged by what stands there now; None when the columns read do not tell.

    A create was made if a row stands under the key, which nobody else writes; an update if the row equals its after-image; a
    delete if the row is gone; a transition if the state it started from is left.
    """
    if row is None:
        return intent.kind is WriteKind.DELETE
    match intent.kind:
        case WriteKind.CREATE:
            return True
        case WriteKind.DELETE:
            return False
        case WriteKind.UPDATE:
            seen = _seen(intent.after, row)
            return all(seen) if seen else None
        case WriteKind.ACT:
            seen = _seen(intent.before or {}, row)
            return not all(seen) if seen else None


def _seen(image: Mapping[str, Any], row: Row) -> list[bool]:
    """For each column of the image that was read, whether it stands so."""
    return [stands(row.values[name], value) for name, value in image.items() if name in row.values]
