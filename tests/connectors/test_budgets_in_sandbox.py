"""The connectors' governors against the limiters of the sandbox's own remotes, on a virtual clock: nobody is throttled."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.budget_limits import ExecutionTime, Window
from tagline.connectors.dataverse import Account, TransactionCurrency
from tagline.connectors.governor import Governor
from tagline.connectors.pace import Pace
from tagline.domain.environment import DataverseConnection, Shift4ShopConnection
from tagline.sandbox.dataverse_protection import Limits
from tagline.sandbox.sandbox import Sandbox

pauses = st.lists(st.floats(0, 30), min_size=1, max_size=4)


def _sandbox() -> tuple[VirtualClock, Sandbox, dict[str, str]]:
    clock = VirtualClock(datetime(2026, 11, 2, 15, tzinfo=UTC))
    sandbox = Sandbox(clock, rate_limits=True)
    return clock, sandbox, sandbox.connection_configs("dev")["secrets"]


@given(pauses, st.integers(5, 60))
@settings(max_examples=8, deadline=None)
def test_the_shops_bucket_never_overflows(waits, burst):
    clock, sandbox, secrets = _sandbox()
    config = Shift4ShopConnection.model_validate({**sandbox.connection_configs("dev")["shop"], "reserve": 0})
    client = connect(
        "shop",
        config,
        clock=clock,
        secrets=lambda reference: secrets[reference.removeprefix("env:")],
        transport=sandbox.transport(),
    )
    with closing(client):
        for wait in waits:
            clock.advance(wait)
            for _ in range(burst):
                client.probe()
    statuses = [entry.status for entry in sandbox.shops["dev"].door.log]
    assert len(statuses) == len(waits) * burst
    assert set(statuses) == {200}


@given(pauses, st.integers(10, 40), st.floats(1.0, 8.0))
@settings(max_examples=8, deadline=None)
def test_requests_and_execution_time_of_the_organisation_never_run_out(waits, requests, execution_s):
    clock, sandbox, secrets = _sandbox()
    organisation = sandbox.organisations["dev"]
    organisation.latency = True
    organisation.protection.limits = Limits(requests=requests, execution_s=execution_s, window_s=60.0)
    pace = Pace((Window(requests, 60.0), ExecutionTime(execution_s, 60.0)))
    client = connect(
        "crm",
        DataverseConnection.model_validate(sandbox.connection_configs("dev")["crm"]),
        clock=clock,
        secrets=lambda reference: secrets[reference.removeprefix("env:")],
        transport=sandbox.transport(),
        governor=Governor(clock, pace, 1, patience_s=600.0),
    )
    keys = [(("isocurrencycode", f"X{n}"),) for n in range(20)]
    with closing(client):
        for wait in waits:
            clock.advance(wait)
            client.probe()
            client.read(TransactionCurrency, keys, ["currencyname"])
            client.recent(Account, 5)
    throttled = [entry for entry in organisation.door.log if entry.status == 429]
    assert throttled == []
