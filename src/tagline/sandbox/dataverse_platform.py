"""What an organisation consists of, for operations that are about more than rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any

from tagline.clock import Clock
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_delta import Tracking
from tagline.sandbox.dataverse_errors import Refusal
from tagline.sandbox.dataverse_records import Records
from tagline.sandbox.dataverse_rights import Rights
from tagline.sandbox.dataverse_rows import Rows
from tagline.sandbox.dataverse_schema import Schema
from tagline.sandbox.dataverse_solution_file import SolutionFile
from tagline.sandbox.values import Response
from tagline.sandbox.wire import decode

NAMESPACE = "Microsoft.Dynamics.CRM."


class Agenda:
    """What the platform does by itself, later."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = count()

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something once so much time has passed."""
        due = self._clock.now() + timedelta(seconds=seconds)
        heappush(self._waiting, (due, next(self._numbers), do))

    def catch_up(self) -> None:
        """Do what has become due, the oldest first."""
        while self._waiting and self._waiting[0][0] <= self._clock.now():
            _due, _number, do = heappop(self._waiting)
            do()


@dataclass
class Platform:
    """One organisation's parts."""

    rows: Rows
    records: Records
    schema: Schema
    tracking: Tracking
    rights: Rights
    agenda: Agenda
    clock: Clock
    new_id: Callable[[], str]
    uploads: dict[str, bytes] = field(default_factory=dict)
    """Solutions that were staged, by the id of the upload."""
    solutions: dict[str, SolutionFile] = field(default_factory=dict)
    """What each installed solution brought, by its unique name."""


Operation = Callable[[Platform, Call], Response]


def parameters(call: Call) -> dict[str, Any]:
    """
    The parameters of an action.

    Raises:
        Refusal: The body is no JSON object.
    """
    try:
        given = decode(call.request.body) if call.request.body.strip() else {}
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise Refusal(400, "0x80048d19", "The stream is not readable: invalid JSON.")
    return given


def missing_parameter(name: str, why: str = "is required") -> Refusal:
    """A parameter of an action is not what it has to be."""
    return Refusal(400, "0x80040203", f"The parameter '{name}' {why}.")


def text_parameter(given: Mapping[str, Any], name: str) -> str:
    """
    A parameter that is text.

    Raises:
        Refusal: It is missing or something else.
    """
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise missing_parameter(name)
    return value
