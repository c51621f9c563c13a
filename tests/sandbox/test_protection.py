"""The three service protection limits: what they let through, what they say, and that they never let through more."""

from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagline.clock import VirtualClock
from tagline.sandbox.dataverse_protection import Limits, ServiceProtection, ThrottledError, execution_s

START = datetime(2026, 7, 1, 15, 30, tzinfo=UTC)


@pytest.fixture
def limited(clock, make_sandbox):
    """An organisation that enforces its limits."""
    return make_sandbox(clock, rate_limits=True)


@pytest.fixture
def crm(limited, connect_crm):
    with httpx.Client(transport=limited.transport()) as client:
        yield connect_crm(limited, client)


def protection_of(sandbox):
    return sandbox.organisations["dev"].protection


def test_the_headers_count_down_and_seconds_have_a_thousands_separator(crm):
    first, second = (crm.call("GET", "WhoAmI").headers for _ in range(2))
    assert first["x-ms-ratelimit-burst-remaining-xrm-requests"] == "5999"
    assert second["x-ms-ratelimit-burst-remaining-xrm-requests"] == "5998"
    assert first["x-ms-ratelimit-time-remaining-xrm-requests"] == "1,200.00"
    assert second["x-ms-ratelimit-time-remaining-xrm-requests"] == "1,199.97"
    assert int(first["x-ms-dop-hint"]) > 0


def test_combined_execution_time_is_the_second_limit(crm, limited, clock):
    protection_of(limited).limits = Limits(execution_s=0.5)
    answers = [crm.call("POST", "accounts", {"name": "A"}) for _ in range(9)]
    assert [a.status_code for a in answers] == [204] * 8 + [429]
    assert answers[-1].json()["error"]["code"] == "0x80072321"
    assert "limit of 500 milliseconds" in answers[-1].json()["error"]["message"]
    clock.advance(int(answers[-1].headers["Retry-After"]))
    assert crm.call("POST", "accounts", {"name": "A"}).status_code == 204


def test_a_message_of_many_rows_is_one_request_with_the_time_of_all(crm, limited):
    kind = "Microsoft.Dynamics.CRM.account"
    targets = [{"@odata.type": kind, "name": str(n)} for n in range(20)]
    crm.call("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": targets})
    (used,) = protection_of(limited).used().values()
    assert used["requests"] == 1
    assert used["execution_s"] == pytest.approx(execution_s({"request": 1, "create": 20}))


def test_reading_metadata_is_free(crm, limited):
    crm.read("EntityDefinitions(LogicalName='account')?$select=EntitySetName")
    assert not any(used["requests"] for used in protection_of(limited).used().values())


def test_one_that_goes_on_sending_waits_longer(crm, limited, clock):
    protection_of(limited).limits = Limits(requests=1, window_s=10)
    crm.call("GET", "WhoAmI")
    waits = []
    for _ in range(12):
        waits.append(int(crm.call("GET", "WhoAmI").headers["Retry-After"]))
        clock.advance(0.5)
    assert waits[-1] + 6 > 12, "the refused calls added up"
    clock.advance(waits[-1])
    assert crm.call("GET", "WhoAmI").status_code == 200


def test_more_at_once_than_allowed_is_the_third_limit():
    protection = ServiceProtection(VirtualClock(START), enforced=True, limits=Limits(concurrent=2))
    with protection.under_way("a"), protection.under_way("a"):
        protection.admit("a")
        with protection.under_way("a"), pytest.raises(ThrottledError) as caught:
            protection.admit("a")
        assert (caught.value.code, caught.value.retry_after_s) == ("0x80072326", 2)
        with protection.under_way("b"):
            protection.admit("b")
    with protection.under_way("a"):
        protection.admit("a")


def test_limits_are_those_of_one_application(clock, make_sandbox, connect_crm):
    sandbox = make_sandbox(clock, rate_limits=True)
    sandbox.organisations["dev"].protection.limits = Limits(requests=1)
    deployer = sandbox.deployer("dev")
    with httpx.Client(transport=sandbox.transport()) as client:
        crm = connect_crm(sandbox, client)
        crm.call("GET", "WhoAmI")
        assert crm.call("GET", "WhoAmI").status_code == 429
        config = sandbox.connection_configs("dev")["crm"]
        form = {
            "client_id": deployer.client_id,
            "client_secret": deployer.client_secret,
            "grant_type": "client_credentials",
            "scope": f"{config['url']}/.default",
        }
        token = client.post(f"{config['authority']}/{config['tenant']}/oauth2/v2.0/token", data=form).json()
        other = crm.call("GET", "WhoAmI", Authorization=f"Bearer {token['access_token']}")
        assert other.status_code == 200


def test_latency_spends_the_execution_time_by_the_clock(clock, make_sandbox, connect_crm):
    sandbox = make_sandbox(clock)
    with httpx.Client(transport=sandbox.transport()) as client:
        crm = connect_crm(sandbox, client)
        crm.call("POST", "accounts", {"name": "A"})
        assert clock.now() == START
        sandbox.organisations["dev"].latency = True
        crm.call("POST", "accounts", {"name": "A"})
    assert (clock.now() - START).total_seconds() == pytest.approx(execution_s({"request": 1, "create": 1}))


def test_the_control_page_shows_what_was_used_also_of_the_day(crm, limited, clock):
    crm.call("GET", "WhoAmI")
    clock.advance(600)
    page = crm.read(crm.base.replace("/api/data/v9.2/", "/_sandbox/limits"))
    (used,) = (u for name, u in page.items() if name != "none")
    assert (used["requests"], used["today"]) == (0, 1)


@settings(max_examples=60)
@given(
    calls=st.lists(st.tuples(st.floats(0, 4), st.floats(0, 2)), min_size=1, max_size=60),
    limits=st.builds(
        Limits,
        requests=st.integers(1, 8),
        execution_s=st.floats(0.5, 6),
        window_s=st.sampled_from([5.0, 10.0]),
    ),
)
def test_no_window_holds_more_than_the_limits_and_whoever_waits_is_let_in(calls, limits):
    """Whatever the rhythm; execution time may pass its limit by the one request that was let in below it."""
    clock = VirtualClock(START)
    protection = ServiceProtection(clock, enforced=True, limits=limits)
    begun, spent = [], []
    for gap, cost in calls:
        clock.advance(gap)
        with protection.under_way("a"):
            try:
                protection.admit("a")
            except ThrottledError as throttled:
                clock.advance(throttled.retry_after_s)
                protection.admit("a")
            now = clock.now().timestamp()
            begun.append(now)
            held = sum(c for at, c in spent if at > now - limits.window_s)
            assert held < limits.execution_s + 1e-6
            protection.settle("a", cost, 1)
            spent.append((now, cost))
        assert sum(at > now - limits.window_s for at in begun) <= limits.requests
