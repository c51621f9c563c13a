"""A sandbox that is started again on its state file goes on where it was, whatever its sites hold."""

import json
from datetime import UTC, datetime

import httpx
import pytest

from tagline.clock import VirtualClock
from tagline.sandbox.faults import Fault
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.state_file import StateFile

START = datetime(2026, 7, 1, 15, 30, tzinfo=UTC)
HOOK = {"Name": "n", "Url": "https://hooks.example.com/h", "Format": "JSON", "EventType": 1, "Enabled": True}


@pytest.fixture
def start(tmp_path):
    """Starts a sandbox on the file, after the one before was killed."""
    files = []

    def start(clock=None):
        for file in files:
            file._database.close()  # what a kill leaves: nothing is written at the end
        sandbox = Sandbox(clock or VirtualClock(START), seed=7)
        file = StateFile(tmp_path / "state.sqlite", {"seed": 7})
        files.append(file)
        if file.is_new:
            sandbox.shops["dev"].place_orders(5, seed=1)
        sandbox.keep(file)
        return sandbox

    yield start
    for file in files:
        file.close()


def held(sandbox):
    """Everything that the sites hold, as the file would have it."""
    return {
        name: sorted(
            ((table, repr(key)), json.dumps(row, default=str)) for table, key, row in site.state.kept()
        )
        for name, site in (
            ("shop", sandbox.shops["dev"]),
            ("crm", sandbox.organisations["dev"]),
            ("finance", sandbox.finance["dev"]),
        )
    }


def test_a_second_start_holds_what_the_first_made(start):
    first = held(start())
    assert held(start()) == first
    assert any(table == "orders" for (table, _), _ in first["shop"])


def test_writes_by_request_by_control_page_and_inside_a_batch_are_kept(
    start, connect_shop, connect_crm, connect_finance
):
    sandbox = start()
    with httpx.Client(transport=sandbox.transport()) as client:
        shop, crm, finance = (
            connect(sandbox, client) for connect in (connect_shop, connect_crm, connect_finance)
        )
        assert shop.call("PUT", "/Orders/1001", {"InternalComments": "kept"}).status_code == 200
        assert (
            client.post(
                "https://shop-dev.sandbox.test/_sandbox/place", json={"count": 2, "seed": 3}
            ).status_code
            == 200
        )
        assert crm.call("PATCH", "accounts(tl_customerkey='k')", {"name": "Kept"}).status_code == 204
        gone = crm.read("contacts?$select=contactid&$top=1")["value"][0]["contactid"]
        assert crm.call("DELETE", f"contacts({gone})").status_code == 204
        number = finance.call(
            "POST", "SalesOrderHeadersV2", {"OrderingCustomerAccountNumber": "C100001"}
        ).json()
        line = {
            "SalesOrderNumber": number["SalesOrderNumber"],
            "ItemNumber": "TEA-001",
            "OrderedSalesQuantity": 2,
        }
        assert finance.call("POST", "SalesOrderLines", line).status_code == 201
    before = held(sandbox)
    sandbox = start()
    assert held(sandbox) == before
    with httpx.Client(transport=sandbox.transport()) as client:
        shop, crm, finance = (
            connect(sandbox, client) for connect in (connect_shop, connect_crm, connect_finance)
        )
        assert shop.read("/Orders/1001")[0]["InternalComments"] == "kept"
        assert crm.read("accounts(tl_customerkey='k')?$select=name")["name"] == "Kept"
        assert crm.call("GET", f"contacts({gone})").status_code == 404
        (again,) = finance.read("SalesOrderHeadersV2?$expand=SalesOrderLines")["value"]
        assert [row["OrderedSalesQuantity"] for row in again["SalesOrderLines"]] == [2]


def test_numbers_go_on_and_ids_are_never_given_twice(start, connect_shop, connect_crm, connect_finance):
    numbers, ids, orders = [], [], []
    for _ in range(3):
        sandbox = start()
        with httpx.Client(transport=sandbox.transport()) as client:
            crm, finance = connect_crm(sandbox, client), connect_finance(sandbox, client)
            made = finance.call(
                "POST", "SalesOrderHeadersV2", {"OrderingCustomerAccountNumber": "C100001"}
            ).json()
            numbers.append(made["SalesOrderNumber"])
            ids.append(crm.call("POST", "accounts", {"name": "A"}).headers["OData-EntityId"])
            answer = client.post("https://shop-dev.sandbox.test/_sandbox/place", json={"count": 1, "seed": 3})
            orders += answer.json()["orders"]
    assert numbers == ["SO-001001", "SO-001002", "SO-001003"]
    assert len(set(ids)) == 3
    assert orders == sorted(set(orders))


def test_who_follows_changes_reads_everything_once_more_after_a_restart(start, connect_crm):
    sandbox = start()
    with httpx.Client(transport=sandbox.transport()) as client:
        crm = connect_crm(sandbox, client)
        first = crm.read("accounts?$select=name", Prefer="odata.track-changes")
        gone, changed = (row["accountid"] for row in first["value"][:2])
        assert crm.call("DELETE", f"accounts({gone})").status_code == 204
        assert crm.call("PATCH", f"accounts({changed})", {"name": "Changed"}).status_code == 204
    sandbox = start()
    with httpx.Client(transport=sandbox.transport()) as client:
        crm = connect_crm(sandbox, client)
        assert crm.call("GET", first["@odata.deltaLink"]).status_code == 410
        again = crm.read("accounts?$select=name", Prefer="odata.track-changes")
        assert gone not in {row["accountid"] for row in again["value"]}
        assert crm.call("PATCH", f"accounts({changed})", {"name": "Once more"}).status_code == 204
        assert [row["name"] for row in crm.read(again["@odata.deltaLink"])["value"]] == ["Once more"]


def test_webhooks_and_what_they_have_not_delivered_yet_are_kept(start, connect_shop):
    sandbox = start()
    with httpx.Client(transport=sandbox.transport()) as client:
        assert connect_shop(sandbox, client).call("POST", "/Webhooks", [HOOK]).status_code in (200, 201)
        client.post("https://shop-dev.sandbox.test/_sandbox/place", json={"count": 2, "seed": 3})
    sandbox = start()
    sent = []
    sandbox.shops["dev"].webhooks.deliver(lambda request: sent.append(request.method) or 200)
    sandbox.save()
    assert sent.count("POST") == 2
    assert start().shops["dev"].webhooks.waiting() == ()


def test_a_changed_schema_is_kept(start, connect_crm):
    sandbox = start()
    with httpx.Client(transport=sandbox.transport()) as client:
        body = {"table": "account", "column": "fax"}
        answer = client.post("https://org-dev.sandbox.test/_sandbox/change-schema", json=body)
        assert answer.status_code == 200
    sandbox = start()
    with httpx.Client(transport=sandbox.transport()) as client:
        assert connect_crm(sandbox, client).call("GET", "accounts?$select=fax").status_code == 400


def test_a_refused_write_leaves_no_trace_in_the_file(start, connect_finance, tmp_path):
    sandbox = start()
    before = held(sandbox)
    with httpx.Client(transport=sandbox.transport()) as client:
        finance = connect_finance(sandbox, client)
        assert finance.call("POST", "CustomersV3", {}).status_code == 400
        number = finance.call("POST", "SalesOrderHeadersV2", {"OrderingCustomerAccountNumber": "nobody"})
        assert number.status_code == 400
    assert held(start()) == before


def test_what_was_done_before_the_connection_broke_is_kept(start, connect_finance):
    sandbox = start()
    with httpx.Client(transport=sandbox.transport()) as client:
        finance = connect_finance(sandbox, client)
        sandbox.finance["dev"].door.faults.next_calls(Fault.RESET_AFTER)
        with pytest.raises(httpx.ReadError):
            finance.call("POST", "SalesOrderHeadersV2", {"OrderingCustomerAccountNumber": "C100001"})
    assert start().finance["dev"].rows.find("SalesOrderHeadersV2", "usmf", "SO-001001")
