"""The request budget of each remote as a governor; every number of a remote's limits stands here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tagline.clock import Clock
from tagline.connectors.budget_file import FileKeeper
from tagline.connectors.budget_limits import (
    Allotment,
    ExecutionTime,
    InFlight,
    LeakyBucket,
    Told,
    Window,
)
from tagline.connectors.governor import Governor, Keeper
from tagline.connectors.learned_rate import LearnedRate
from tagline.connectors.pace import Lane, Pace
from tagline.domain.environment import Connection, DataverseConnection, Shift4ShopConnection

SHOP_BUCKET: Final = 50
SHOP_LEAK_PER_S: Final = 2.0
SHOP_IN_FLIGHT: Final = 8
WINDOW_S: Final = 300.0
SLOT_S: Final = 3.0
"""A hundred of them in a window: finer costs more to write down than it gains."""
DATAVERSE_REQUESTS: Final = 6000
DATAVERSE_EXECUTION_S: Final = 1200.0
DATAVERSE_CONCURRENT: Final = 50
"""Requests at a time of all processes; the remote allows a user 52."""
DATAVERSE_IN_FLIGHT: Final = 16
"""Requests at a time of one process; more would only wait for its own processor."""
FINANCE_RATE: Final = 4.0
"""Requests a second to begin with: Finance throttles by how busy it is, and publishes no number."""
FINANCE_IN_FLIGHT: Final = 8
FOLDER: Final = "budgets"
"""In an environment's state folder."""

Keep = Callable[[str, Pace], Keeper]
"""Gives the place of a budget by its name and its limits with nothing spent."""


def fresh_pace(config: Connection) -> Pace:
    """The limits of a connection's remote, with nothing spent."""
    if isinstance(config, Shift4ShopConnection):
        bucket = LeakyBucket(SHOP_BUCKET - config.reserve, SHOP_LEAK_PER_S)
        return Pace((bucket,), back_fill_share=config.back_fill_share)
    if isinstance(config, DataverseConnection):
        limits = (
            Window(DATAVERSE_REQUESTS, WINDOW_S, SLOT_S),
            ExecutionTime(DATAVERSE_EXECUTION_S, WINDOW_S, SLOT_S),
            InFlight(DATAVERSE_CONCURRENT),
            Allotment(config.daily_requests),
        )
        return Pace(limits, back_fill_share=config.back_fill_share)
    return Pace((LearnedRate(FINANCE_RATE),), back_fill_share=config.back_fill_share)


def governor_for(
    config: Connection,
    clock: Clock,
    *,
    keep: Keep | None = None,
    lane: Lane = Lane.LIVE,
    one_by_one: bool = False,
    listener: Callable[[Told], None] | None = None,
) -> Governor:
    """
    The governor that one connection's requests pass.

    Args:
        keep: Where the environment's processes keep it together; None keeps it in this process.
        one_by_one: Requests go out one after the other, so that a recording comes out alike each time.
        listener: Is told of each answer.
    """
    pace = fresh_pace(config)
    keeper = pace if keep is None else keep(_name(config), pace)
    return Governor(clock, keeper, 1 if one_by_one else _in_flight(config), lane=lane, listener=listener)


def in_files(state: Path, clock: Clock) -> Keep:
    """Budgets in an environment's state folder, which the processes of one machine share."""
    return lambda name, fresh: FileKeeper(state / FOLDER / f"{name}.json", fresh, clock)


def pace_of(config: Connection, keep: Keep) -> Pace:
    """The budget of a connection as the processes of an environment have left it."""
    return keep(_name(config), fresh_pace(config)).look()


def _in_flight(config: Connection) -> int:
    if isinstance(config, Shift4ShopConnection):
        return SHOP_IN_FLIGHT
    return DATAVERSE_IN_FLIGHT if isinstance(config, DataverseConnection) else FINANCE_IN_FLIGHT


def _name(config: Connection) -> str:
    """One budget for each remote and whoever asks it: limits are counted for an app in a store, and for a user."""
    who = config.store_url if isinstance(config, Shift4ShopConnection) else config.client_id
    told = hashlib.sha256(f"{config.url} {who}".encode()).hexdigest()[:16]
    return f"{config.system}-{told}"
