"""
Comparing what the sandbox assumes with a live system, by reads alone.

Each assumption that a harmless read can show has a question. The others are listed with what seeing them
would take, so that nobody takes silence for agreement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tagline.clock import Clock
from tagline.connectors.http import Transport
from tagline.domain.environment import Connection, EntraConnection
from tagline.sandbox import assumptions
from tagline.sandbox.asked import Asked, Question
from tagline.sandbox.conformance import LOGIN, TABLE, Basis, Behaviour
from tagline.sandbox.dataverse_questions import LOGIN_QUESTIONS, ORGANISATION_QUESTIONS
from tagline.sandbox.finance_questions import FINANCE_QUESTIONS
from tagline.sandbox.shop_questions import SHOP_QUESTIONS
from tagline.sandbox.unasked import NO_QUESTION_YET, TAKES_A_WRITE

QUESTIONS: Final[Mapping[str, Question]] = {
    **SHOP_QUESTIONS,
    **LOGIN_QUESTIONS,
    **ORGANISATION_QUESTIONS,
    **FINANCE_QUESTIONS,
}
"""By the assumption's constant, or by its words where it has none."""


class Agreement(StrEnum):
    AGREES = "agrees"
    DIFFERS = "differs"
    NOTHING_THERE = "nothing to look at"
    """The system holds no record that shows it, for example no refund."""
    TAKES_A_WRITE = "takes a write"
    NO_QUESTION_YET = "no question yet"

    @property
    def is_shown(self) -> bool:
        return self in (Agreement.AGREES, Agreement.DIFFERS)


@dataclass(frozen=True)
class Compared:
    """One assumption beside what the live system does."""

    connection: str
    what: str
    constant: str
    """In `sandbox/assumptions.py`; empty where the behaviour is no single value."""
    agreement: Agreement
    assumed: str
    observed: str
    """Or, where nothing was asked, what seeing it would take."""


def assumed_of(connection: Connection) -> Iterator[Behaviour]:
    """What is assumed of a connection's system and of the login in front of it, in the order of the conformance table."""
    systems = {connection.system, LOGIN} if isinstance(connection, EntraConnection) else {connection.system}
    return (b for b in TABLE if b.basis is Basis.ASSUMED and b.system in systems)


def compare(
    name: str,
    connection: Connection,
    *,
    clock: Clock,
    secrets: Callable[[str], str],
    transport: Transport | None = None,
) -> Iterator[Compared]:
    """
    Every assumption about a connection's system, in the order of the conformance table.

    Raises:
        TaglineError: The system cannot be asked, or signing in was refused.
    """
    asked = Asked(connection, clock, secrets, transport)
    try:
        for behaviour in assumed_of(connection):
            yield _compared(name, behaviour, asked)
    finally:
        asked.close()


def _compared(name: str, behaviour: Behaviour, asked: Asked) -> Compared:
    key = behaviour.constant or behaviour.what
    question = QUESTIONS.get(key)
    found = question(asked) if question else None
    if found is None:
        agreement, observed = (Agreement.NOTHING_THERE, "") if question else unasked(key)
        assumed = getattr(assumptions, behaviour.constant, "") if behaviour.constant else ""
    else:
        assumed, observed = found[0], str(found[1])
        agreement = Agreement.AGREES if str(found[0]) == observed else Agreement.DIFFERS
    return Compared(name, behaviour.what, behaviour.constant, agreement, str(assumed)[:120], observed[:120])


def unasked(key: str) -> tuple[Agreement, str]:
    """Why nothing is asked about an assumption, and what seeing it would take."""
    if reason := TAKES_A_WRITE.get(key):
        return Agreement.TAKES_A_WRITE, reason
    return Agreement.NO_QUESTION_YET, NO_QUESTION_YET[key]
