"""Systems, connections and triggers: what an integration names, without touching any of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, TypeVar

from tagline.domain.model import Model

S = TypeVar("S", bound="System")


@dataclass(frozen=True)
class Trigger:
    """An event of one connection that hints at a changed record, for example an order that was placed."""

    connection: System
    event: str
    """Name of the event in its system, for example `order-placed`."""
    model: type[Model]


class System:
    """
    A kind of remote system, as an integration declares a connection to it.

    Subclasses are declarations: a `kind` and one property per event. They hold no client.
    """

    kind: ClassVar[str]
    """The `system` of the connection's configuration and of its models' `Remote`."""


@dataclass(frozen=True)
class Sweep:
    """How often a flow reads what changed since its cursor, beside the events."""

    every: timedelta


@dataclass(frozen=True)
class Cron:
    """Times on the clocks of a zone, in place of an interval; made and read by `flow.schedules`."""

    expression: str
    """Five fields: minute, hour, day of month, month, day of week."""
    zone: str
    """IANA name."""


Schedule = Sweep | Cron
"""When something is done again and again."""


def every(*, minutes: float = 0, seconds: float = 0) -> Sweep:
    """A sweep interval; at least one second."""
    interval = timedelta(minutes=minutes, seconds=seconds)
    if interval < timedelta(seconds=1):
        raise ValueError(f"a sweep of {interval} is shorter than one second")
    return Sweep(interval)


def connection(system: type[S]) -> S:
    """Declare a connection in `connections.py`; the variable's name is the connection's name."""
    return system()
