"""Which lines to which remotes a flow needs: read from its source, so that it is not tried while one of them is dead."""

from __future__ import annotations

from collections.abc import Mapping

from tagline.flow.declare import Flow
from tagline.flow.usage import usage_of
from tagline.integration import Integration
from tagline.runtime.breaker import Asking, Line
from tagline.runtime.breakers import Needs


def needs_of(integration: Integration, flow: Flow, names: Mapping[str, str]) -> Needs:
    """
    The lines without which a record of the flow cannot be run to its end.

    Args:
        names: The environment's names of the connections, by the integration's own.
    """
    usage = usage_of([flow])
    own = {system.kind: name for name, system in integration.connections.items()}
    read = {model.remote.system for model in (flow.source, *usage.tables)}
    written = {
        use.model.remote.system
        for use in usage.tables.values()
        if use.creates or use.changes or use.deletes or usage.actions
    }
    lines = {(system, Asking.READ) for system in read} | {(system, Asking.WRITE) for system in written}
    return frozenset(
        Line(names.get(own[system], own[system]), asking) for system, asking in lines if system in own
    )
