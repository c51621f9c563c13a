"""Answers to effects that write: read what stands there, compare, write what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tagline.domain.exchange import ROW_CHANGED, Key, Outcome, Row, Write, WriteKind
from tagline.domain.model import Model
from tagline.errors import Disposition, RecordError, TaglineError
from tagline.flow import decide, refusals
from tagline.flow.drive import Ask
from tagline.flow.effects import Effect, Reversibility, Verb, Written, key_of
from tagline.flow.world import Known, Move

_REVERSIBILITY = {
    WriteKind.CREATE: Reversibility.R2,
    WriteKind.UPDATE: Reversibility.R1,
    WriteKind.DELETE: Reversibility.R2,
}


@dataclass
class _Target:
    """One row, what several asks of a round want of it, and how it came out."""

    key: Key
    asked: list[tuple[Ask, decide.Wish]] = field(default_factory=list)
    row: Row | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    unmet: list[Ask] = field(default_factory=list)
    """Those that wanted to change a row that is not there."""
    created: bool = False
    error: TaglineError | None = None

    def merge(self) -> None:
        wishes = [wish for _, wish in self.asked]
        self.fields, met = decide.merge(wishes, exists=self.row is not None)
        self.unmet = [ask for (ask, _), could in zip(self.asked, met, strict=True) if not could]
        self.asked = [each for each, could in zip(self.asked, met, strict=True) if could]

    def told(self, ask: Ask) -> Written | TaglineError:
        if any(ask is each for each in self.unmet):
            return refusals.target_missing(ask.effect)
        if self.error is not None or self.row is None:
            assert self.error is not None, "a row that is neither there nor refused"
            return self.error
        return Written(ask.effect.model, self.key, self.row.id, self.created)


def write(known: Known, asks: Sequence[Ask]) -> Sequence[Any]:
    """`upsert`, `update`, `create_once`: one read and one `perform`; same-key effects merge in source order."""
    model = asks[0].effect.model
    bound = known.bind(model, [ask.effect.models[0].given() for ask in asks])
    targets: dict[Key, _Target] = {}
    for ask, (fields, missing) in zip(asks, bound, strict=True):
        if not missing:
            target = targets.setdefault(ask.effect.key, _Target(ask.effect.key))
            target.asked.append((ask, decide.Wish(ask.effect.verb, fields)))
    compared = {
        name
        for target in targets.values()
        for _, wish in target.asked
        for name in decide.compared(model, wish, target.key)
    }
    rows = known.read(model, targets, compared)
    for key, target in targets.items():
        target.row = rows.get(key)
        target.merge()
    _write_targets(known, model, targets.values())
    return [
        refusals.reference_not_found(missing) if missing else targets[ask.effect.key].told(ask)
        for ask, (_, missing) in zip(asks, bound, strict=True)
    ]


def _write_targets(
    known: Known, model: type[Model], targets: Iterable[_Target], removals: Sequence[Move] = ()
) -> Sequence[Outcome | TaglineError]:
    """Write what differs, after the removals; returns what became of those."""
    decided = [
        (target, wanted)
        for target in targets
        if target.asked and (wanted := decide.decide(model, target.key, target.fields, target.row))
    ]
    moves = [_move(target, wanted) for target, wanted in decided]
    outcomes = known.perform([*removals, *moves])
    fresh: list[_Target] = []
    for (target, wanted), outcome in zip(decided, outcomes[len(removals) :], strict=True):
        if isinstance(outcome, TaglineError):
            target.error = outcome
        elif wanted.kind is WriteKind.CREATE:
            assert outcome.id is not None
            target.row = Row(target.key, outcome.id, outcome.etag, wanted.fields)
            target.created = True
            fresh.append(target)
    if fresh:
        # Columns a remote refuses on create and takes afterwards (a state) follow in a second call.
        _write_targets(known, model, fresh)
    return outcomes[: len(removals)]


def _move(target: _Target, wanted: Write) -> Move:
    ask, _ = target.asked[-1]
    before = {n: target.row.values.get(n) for n in wanted.fields} if target.row else None
    return Move(
        ask.record, ask.effect.verb, wanted, before, _REVERSIBILITY[wanted.kind], _parent_key(ask.effect)
    )


def _removal(ask: Ask, row: Row) -> Move:
    # Without the ETag: whatever somebody changed in it meanwhile, the row is one of ours that must go.
    wanted = Write(WriteKind.DELETE, ask.effect.model, row.key, id=row.id)
    reversibility = _REVERSIBILITY[wanted.kind]
    return Move(ask.record, ask.effect.verb, wanted, row.values, reversibility, _parent_key(ask.effect))


def _parent_key(effect: Effect[Any]) -> Key | None:
    return effect.within.key if effect.verb is Verb.UPSERT_ALL and effect.within else None


@dataclass
class _Family:
    """The children of one parent that the asks of a round want."""

    last: Ask
    targets: dict[Key, _Target] = field(default_factory=dict)
    failed: list[TaglineError] = field(default_factory=list)
    """Removals that were refused."""


def write_children(known: Known, asks: Sequence[Ask]) -> Sequence[Any]:
    """
    `upsert_all`: one read of the children of all parents and one `perform`.

    Removals go first: what they free (a sequence number, a key that must be unique) may be taken again by a new child.
    """
    model, by = asks[0].effect.model, asks[0].effect.within_column
    wanted = [_children_of(ask.effect) for ask in asks]
    fields = [given for each in wanted if isinstance(each, dict) for given in each.values()]
    bound = iter(known.bind(model, fields))
    refused: dict[int, TaglineError] = {}
    families: dict[str, _Family] = {}
    for position, (ask, children) in enumerate(zip(asks, wanted, strict=True)):
        if isinstance(children, TaglineError):
            refused[position] = children
            continue
        own = {key: next(bound) for key in children}
        missing = [detail for _, details in own.values() for detail in details]
        if missing:
            refused[position] = refusals.reference_not_found(missing)
            continue
        family = families.setdefault(_parent_id(ask), _Family(ask))
        family.last = ask
        for key, (given, _) in own.items():
            target = family.targets.setdefault(key, _Target(key))
            target.asked.append((ask, decide.Wish(Verb.UPSERT, given)))
    _write_families(known, model, by, families)
    return [
        refused[position] if position in refused else _children_told(ask, families[_parent_id(ask)])
        for position, ask in enumerate(asks)
    ]


def _write_families(known: Known, model: type[Model], by: str, families: Mapping[str, _Family]) -> None:
    standing = known.children(model, by, tuple(families), decide.writable(model))
    removals: list[tuple[_Family, Move]] = []
    for parent, family in families.items():
        plan = decide.decide_children(model, family.targets, standing.get(parent, ()))
        removals.extend((family, _removal(family.last, row)) for row in plan.removed)
        for key, target in family.targets.items():
            target.row = plan.standing.get(key)
            target.merge()
    targets = [target for family in families.values() for target in family.targets.values()]
    outcomes = _write_targets(known, model, targets, [move for _, move in removals])
    for (family, _), outcome in zip(removals, outcomes, strict=True):
        if isinstance(outcome, TaglineError):
            family.failed.append(outcome)


def _parent_id(ask: Ask) -> str:
    assert ask.effect.within is not None
    return ask.effect.within.id


def _children_of(effect: Effect[Any]) -> dict[Key, Mapping[str, Any]] | TaglineError:
    """What each child gives, its parent filled in, by its key."""
    assert effect.within is not None
    parent = {effect.within_column: decide.ref_to(effect.within.model, effect.within.id)}
    children: dict[Key, Mapping[str, Any]] = {}
    for child in effect.models:
        try:
            key = key_of(child)
        except TaglineError as error:
            error.disposition = (
                Disposition.DEAD_LETTER
            )  # the child of one record lacks its key; the others do not
            return error
        if key in children:
            return refusals.child_repeated(effect, key)
        children[key] = {**child.given(), **parent}
    return children


def _children_told(ask: Ask, family: _Family) -> list[Written] | TaglineError:
    told = [family.targets[key_of(child)].told(ask) for child in ask.effect.models]
    errors = [*family.failed, *(each for each in told if isinstance(each, TaglineError))]
    return refusals.gravest(errors) if errors else [each for each in told if isinstance(each, Written)]


def act(known: Known, asks: Sequence[Ask]) -> Sequence[Any]:
    """Transitions whose row still calls for them; equal ones of several records are made once."""
    model = asks[0].effect.model
    bound = known.bind(model, [{n: v for n, v in a.effect.parameters.items() if n != "when"} for a in asks])
    rows = known.read(
        model,
        (ask.effect.key for ask in asks),
        (name for ask in asks for name in ask.effect.parameters["when"]),
    )
    moves: list[Move] = []
    shared: dict[int, int] = {}
    answers: dict[int, Any] = {}
    for position, (ask, (fields, missing)) in enumerate(zip(asks, bound, strict=True)):
        effect, row = ask.effect, rows.get(ask.effect.key)
        if row is None or missing:
            answers[position] = (
                refusals.reference_not_found(missing) if row else refusals.target_missing(effect)
            )
            continue
        answers[position] = Written(model, effect.key, row.id)
        if decide.is_due(effect.parameters["when"], row):
            wanted = Write(WriteKind.ACT, model, effect.key, fields, row.id, row.etag, effect.action)
            same = [i for i, move in enumerate(moves) if move.write == wanted]
            shared[position] = same[0] if same else len(moves)
            if not same:
                before = {n: row.values.get(n) for n in effect.parameters["when"]}
                moves.append(Move(ask.record, effect.verb, wanted, before, effect.reversibility))
    outcomes = known.perform(moves)
    overtaken = _overtaken(known, model, moves, outcomes)
    for position, move in shared.items():
        if isinstance(outcome := overtaken.get(move, outcomes[move]), TaglineError):
            answers[position] = outcome
    return [answers[position] for position in range(len(asks))]


def _overtaken(
    known: Known, model: type[Model], moves: Sequence[Move], outcomes: Sequence[Outcome | TaglineError]
) -> Mapping[int, TaglineError]:
    """
    What to answer in place of refusals of rows that left their state meanwhile: whoever was second runs its flow again.

    Not every transition can be made conditional on a version, and a remote refuses a second one as it refuses a wrong one.
    """
    refused = {n: moves[n] for n, outcome in enumerate(outcomes) if isinstance(outcome, RecordError)}
    before = {n: move.before or {} for n, move in refused.items()}
    rows = known.read(
        model,
        (move.write.key for move in refused.values()),
        (name for each in before.values() for name in each),
    )
    return {
        n: refusals.from_outcome(move.write, Outcome(Disposition.RETRY, code=ROW_CHANGED))
        for n, move in refused.items()
        if (row := rows.get(move.write.key)) is None
        or any(not decide.same(row.values.get(name), value) for name, value in before[n].items())
    }


def remove(known: Known, asks: Sequence[Ask]) -> Sequence[Any]:
    """Delete rows that are there; every column of ours is read first, as the image to restore them from."""
    model = asks[0].effect.model
    last = {ask.effect.key: ask for ask in asks}
    there = known.read(model, last, decide.writable(model))
    rows = {key: there[key] for key in last if key in there}
    outcomes = known.perform([_removal(last[key], row) for key, row in rows.items()])
    refused = {key: each for key, each in zip(rows, outcomes, strict=True) if isinstance(each, TaglineError)}
    return [refused.get(ask.effect.key) for ask in asks]
