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


def test_a_page_of_html_comes_instead_of_the_answer(sandbox, finance, store, crm):
    for call, door in (
        (lambda: finance.call("POST", "SalesPriceAgreements", {}), sandbox.finance["dev"].door),
        (lambda: store.call("GET", "/Orders"), sandbox.shops["dev"].door),
        (lambda: crm.call("PATCH", ROW, {"name": "A"}), sandbox.organisations["dev"].door),
    ):
        door.faults.next_calls(Fault.HTML_PAGE)
        answer = call()
        assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html")
        assert answer.text.startswith("<!DOCTYPE html>")
    assert crm.call("GET", ROW).status_code == 404


def test_a_token_counts_as_expired_once(sandbox, finance, crm, store):
    for remote, path, door in (
        (finance, "Currencies", sandbox.finance["dev"].door),
        (crm, "WhoAmI", sandbox.organisations["dev"].door),
    ):
        door.faults.next_calls(Fault.TOKEN_EXPIRED)
        answer = remote.call("GET", path)
        assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (401, True)
        assert remote.call("GET", path).status_code == 200
    sandbox.shops["dev"].door.faults.next_calls(Fault.TOKEN_EXPIRED)
    assert store.call("GET", "/OrderStatus").status_code == 200  # a key trio does not expire


def test_the_login_goes_wrong_as_well(sandbox, client):
    url = f"https://login.sandbox.test/{sandbox.login.tenant}/v2.0/.well-known/openid-configuration"
    sandbox.login.door.faults.next_calls(Fault.SERVER_ERROR, Fault.HTML_PAGE)
    assert [client.get(url).status_code for _ in range(3)] == [500, 502, 200]


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
