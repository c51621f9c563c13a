"""Running a flow for a few records over given connectors: what recording, replaying and rehearsing have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tagline.domain.exchange import Connector
from tagline.domain.settings import Settings
from tagline.errors import RecordError, TaglineError, UsageError
from tagline.flow import Flow
from tagline.flow.drive import drive
from tagline.integration import Integration
from tagline.runtime.journal import MemoryJournal
from tagline.runtime.live import LiveDriver


@dataclass(frozen=True)
class Scenario:
    """Which records of which flow are run, and under which settings."""

    flow: Flow
    keys: tuple[str, ...]
    settings: Settings


DONE = "done"
"""What became of a record whose flow returned."""


def run(
    integration: Integration, scenario: Scenario, connectors: Mapping[str, Connector]
) -> tuple[dict[str, str], MemoryJournal]:
    """
    Run the scenario live once.

    Args:
        connectors: By connection name of the integration.

    Returns:
        What became of each record (`done`, or the code of its error) and the journal of what was written.
    """
    by_system = {integration.connections[name].kind: each for name, each in connectors.items()}
    source = by_system[scenario.flow.source.remote.system]
    fetched = source.fetch(scenario.flow.source, scenario.keys)
    journal = MemoryJournal()
    driver = LiveDriver(
        by_system, journal, deployment="scenario", integration=integration.name, flow=scenario.flow.name
    )
    ended = drive(scenario.flow, fetched.records, scenario.settings, driver)
    outcomes = {key: outcome(ended[key].error) if key in ended else "record-gone" for key in scenario.keys}
    outcomes.update(dict.fromkeys(fetched.malformed, "record-malformed"))
    return outcomes, journal


def outcome(error: TaglineError | None) -> str:
    """What became of a record, in one word; a failed mapping is told with its fields."""
    if error is None:
        return DONE
    if isinstance(error, RecordError) and error.code == "mapping-failed":
        return f"{error.code}: {', '.join(str(d.get('field', '')) for d in error.details)}"
    return error.code


def only_flow(integration: Integration, name: str = "") -> Flow:
    """The named flow, or the only one there is."""
    flows = integration.flows
    if name in flows:
        return flows[name]
    if not name and len(flows) == 1:
        return next(iter(flows.values()))
    raise UsageError(
        f"{integration.name} has no flow {name!r}" if name else f"{integration.name} has {len(flows)} flows",
        code="flow-unknown",
        where={"integration": integration.name},
        hint=f"name one of: {', '.join(sorted(flows))}",
    )


def check_keys(keys: Sequence[str]) -> tuple[str, ...]:
    """The keys, each once, in order."""
    return tuple(dict.fromkeys(k.strip() for k in keys if k.strip()))
