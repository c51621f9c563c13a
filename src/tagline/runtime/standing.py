"""What the agents of an environment have written down of how it fares, for whoever can read its state database."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from tagline.domain.alerting import Alert
from tagline.errors import UsageError
from tagline.runtime.agents import Seen, all_agents
from tagline.runtime.alerts import all_alerts
from tagline.runtime.load import reading
from tagline.runtime.places import Place
from tagline.runtime.tables import agents, alerts


@dataclass(frozen=True)
class Standing:
    """How an environment fares, as its agents last said."""

    agents: tuple[Seen, ...] = ()
    alerts: tuple[tuple[Alert, str], ...] = ()
    """With the agent that knows of one alone, empty where all do."""


def standing_of(place: Place) -> Standing:
    """
    What stands in an environment's state database; nothing where there is none, or one of the release before.

    Raises:
        TryAgainError: It cannot be read now (code `state-unavailable`).
    """
    with reading(place) as database:
        if database is None:
            return Standing()
        try:
            with database.read() as conn:
                known = sa.inspect(conn)
                if not known.has_table(agents.name) or not known.has_table(alerts.name):
                    return Standing()
                return Standing(all_agents(conn), all_alerts(conn))
        except (sa.exc.DatabaseError, UsageError):
            return Standing()
