"""Faults: by index or by seed, before or after the work was committed."""

import httpx
import pytest

from tagline.sandbox.faults import Fault

ROW = "accounts(tl_customerkey='a')"


@pytest.mark.parametrize(
    ("fault", "status"), [(Fault.THROTTLED, 429), (Fault.SERVER_ERROR, 500), (Fault.UNAVAILABLE, 503)]
)
def test_an_answered_fault_commits_nothing(sandbox, crm, fault, status):
    sandbox.organisations["dev"].door.faults.next_calls(fault)
    answer = crm.call("PATCH", ROW, {"name": "A"})
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) == (status == 429)
    assert crm.call("GET", ROW).status_code == 404


@pytest.mark.parametrize(
    ("fault", "raised", "committed"),
    [
        (Fault.RESET_BEFORE, httpx.ReadError, False),
        (Fault.RESET_AFTER, httpx.ReadError, True),
        (Fault.TIMEOUT_BEFORE, httpx.ReadTimeout, False),
        (Fault.TIMEOUT_AFTER, httpx.ReadTimeout, True),
        (Fault.TORN_BODY, httpx.RemoteProtocolError, True),
    ],
)
def test_a_broken_connection_says_nothing_of_what_was_committed(sandbox, crm, fault, raised, committed):
    sandbox.organisations["dev"].door.faults.next_calls(None, fault)
    crm.call("GET", "WhoAmI")
    with pytest.raises(raised):
        crm.call("PATCH", ROW, {"name": "A"})
    assert (crm.call("GET", ROW).status_code == 200) == committed


def test_a_slow_answer_takes_the_sites_time(sandbox, store, clock):
    before = clock.now()
    sandbox.shops["dev"].door.faults.next_calls(Fault.SLOW)
    assert store.call("GET", "/OrderStatus").status_code == 200
    assert (clock.now() - before).total_seconds() == 2


def test_the_same_seed_fails_the_same_calls(sandbox, store):
    faults = sandbox.shops["dev"].door.faults

    def codes():
        faults.seeded(3, 0.3, (Fault.SERVER_ERROR, Fault.UNAVAILABLE))
        return [store.call("GET", "/OrderStatus").status_code for _ in range(40)]

    first = codes()
    assert first == codes()
    assert set(first) == {200, 500, 503}
    faults.seeded(3, 0)
    assert store.call("GET", "/OrderStatus").status_code == 200
