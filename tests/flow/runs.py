"""Running a flow under either driver, with what it wrote or would write told in the same words."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tests.flow.fakes import FakeRemote

from tagline.connectors.shift4shop.models import Order
from tagline.domain.exchange import Key, WriteKind
from tagline.domain.model import Model, Ref
from tagline.domain.settings import Settings
from tagline.errors import TaglineError
from tagline.flow import Flow
from tagline.flow.drive import Ended, drive
from tagline.flow.effects import Reversibility, Verb
from tagline.flow.shadow import ShadowDriver
from tagline.runtime.journal import MemoryJournal
from tagline.runtime.live import LiveDriver

Kind = Literal["live", "shadow"]
KINDS: tuple[Kind, ...] = ("live", "shadow")


class Shop(Settings):
    price_level: str = "Web"


@dataclass(frozen=True)
class Told:
    """One write, made or intended."""

    record: str
    verb: Verb
    entity: str
    key: Key
    kind: WriteKind
    changes: Mapping[str, tuple[Any, Any]]
    action: str
    reversibility: Reversibility


@dataclass
class Run:
    ended: dict[str, Ended]
    told: list[Told]

    @property
    def errors(self) -> dict[str, TaglineError]:
        return {record: each.error for record, each in self.ended.items() if each.error}

    def of(self, *kinds: WriteKind) -> list[Told]:
        return [each for each in self.told if each.kind in kinds]


def orders(*given: Order) -> dict[str, Model]:
    return {order.key(): order for order in given}


def run(
    kind: Kind, flow: Flow, records: Mapping[str, Model], remote: FakeRemote, settings: Settings | None = None
) -> Run:
    """Run a flow; live changes the remote, shadow must not."""
    settings = settings or Shop()
    connectors = {"dataverse": remote, "shift4shop": remote}
    if kind == "live":
        journal = MemoryJournal()
        live = LiveDriver(connectors, journal, deployment="d1", integration="shop", flow=flow.name)
        ended = drive(flow, records, settings, live)
        made = [
            Told(
                i.record,
                i.verb,
                i.entity,
                i.key,
                i.kind,
                _changes(i.kind, i.before, i.after),
                i.action,
                i.reversibility,
            )
            for i in journal.intents
        ]
        return Run(ended, [_named(told, remote) for told in made])
    before = copy.deepcopy(remote.tables), len(remote.performed)
    shadow = ShadowDriver(connectors)
    ended = drive(flow, records, settings, shadow)
    assert before == (remote.tables, len(remote.performed)), "shadow wrote"
    intended = [
        Told(i.record, i.verb, i.entity, i.key, i.kind, i.changes, i.action, i.reversibility)
        for i in shadow.intentions
        if i.kind is not None
    ]
    return Run(ended, [_named(told, remote) for told in intended])


def _changes(
    kind: WriteKind, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    before = before or {}
    return {n: (before.get(n), after.get(n)) for n in (before if kind is WriteKind.DELETE else after)}


def _named(told: Told, remote: FakeRemote) -> Told:
    """References by key instead of id: a row that does not exist yet has another id under each driver."""

    def name(value: Any) -> Any:
        if not isinstance(value, Ref):
            return value
        row_id = str(value.key[0][1])
        if row_id.startswith("new:"):
            return (value.model, row_id.removeprefix("new:"))
        row = remote.tables[value.model][row_id].values
        return (value.model, ",".join(str(row[n]) for n in sorted(value.model.remote.keys[0])))

    changes = {column: (name(old), name(new)) for column, (old, new) in told.changes.items()}
    return Told(
        told.record, told.verb, told.entity, told.key, told.kind, changes, told.action, told.reversibility
    )
