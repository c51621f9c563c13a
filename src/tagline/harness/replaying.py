"""Replaying a cassette: the flow runs live against what was recorded, and nothing else answers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.budgets import governor_for
from tagline.domain.environment import Connection
from tagline.errors import UsageError
from tagline.harness import scenario as scenarios
from tagline.harness.cassettes import Cassette, ReplayTransport
from tagline.harness.pseudonyms import leaks
from tagline.integration import Integration

_CONNECTION: TypeAdapter[Connection] = TypeAdapter(Connection)


@dataclass(frozen=True)
class Replay:
    """What a replay showed."""

    outcomes: Mapping[str, str]
    """What became of each record."""
    played: int
    problems: tuple[str, ...]
    """Calls that were not recorded, recorded calls that were not made, records that end otherwise."""


def replay(integration: Integration, cassette: Cassette) -> Replay:
    """
    Run a cassette's scenario against its recorded traffic.

    Raises:
        UsageError: The scenario does not fit the integration any more (code `scenario-invalid`, `flow-unknown`).
    """
    told = _Told.of(cassette.scenario, integration)
    transport = ReplayTransport(cassette)
    clock = VirtualClock(told.at)
    number = itertools.count(1)
    connectors = {
        name: connect(
            name,
            config,
            clock=clock,
            secrets=lambda _reference: "replayed",
            transport=transport,
            governor=governor_for(config, clock, one_by_one=True),
            new_id=lambda: f"{next(number):08d}",
        )
        for name, config in told.connections.items()
    }
    try:
        outcomes, _ = scenarios.run(integration, told.scenario, connectors)
    finally:
        for connector in connectors.values():
            connector.close()
    return Replay(outcomes, transport.played, _problems(transport, told.outcomes, outcomes))


def leaks_in(path: Path) -> list[str]:
    """What in a cassette's file must not be there."""
    return leaks(path.read_text(encoding="utf-8"), secrets=(), originals=())


def _problems(
    transport: ReplayTransport, recorded: Mapping[str, str], now: Mapping[str, str]
) -> tuple[str, ...]:
    """What is wrong; after a call that nobody recorded, what follows from it is only counted."""
    unplayed = transport.unplayed()
    otherwise = [k for k in sorted({*recorded, *now}) if recorded.get(k) != now.get(k)]
    if transport.unknown:
        follows = f"after that, {len(unplayed)} recorded calls were not made and {len(otherwise)} records ended otherwise"
        return (*dict.fromkeys(transport.unknown), follows)
    return (
        *(f"recorded and not made: {line}" for line in unplayed),
        *(
            f"record {k} ends as {now.get(k, 'nothing')} instead of {recorded.get(k, 'nothing')}"
            for k in otherwise
        ),
    )


@dataclass(frozen=True)
class _Told:
    """A cassette's scenario, checked."""

    scenario: scenarios.Scenario
    connections: Mapping[str, Connection]
    outcomes: Mapping[str, str]
    at: datetime

    @classmethod
    def of(cls, raw: Mapping[str, Any], integration: Integration) -> _Told:
        try:
            flow = scenarios.only_flow(integration, raw["flow"])
            settings = integration.settings.model_validate(raw["settings"])
            given = raw["connections"]
            outcomes = {str(key): str(word) for key, word in dict(raw["outcomes"]).items()}
            connections = {name: _CONNECTION.validate_python(given[name]) for name in integration.connections}
            return cls(
                scenario=scenarios.Scenario(flow, tuple(outcomes), settings),
                connections=connections,
                outcomes=outcomes,
                at=datetime.fromisoformat(raw["at"]),
            )
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors(include_input=False))
            raise _misfit(integration, f"other fields: {fields}") from None
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise _misfit(integration, type(error).__name__) from None


def _misfit(integration: Integration, reason: str) -> UsageError:
    return UsageError(
        f"the cassette's scenario does not fit {integration.name}: {reason}",
        code="scenario-invalid",
        where={"integration": integration.name},
        hint=f"record it again: tagline record {integration.name} --env dev",
    )
