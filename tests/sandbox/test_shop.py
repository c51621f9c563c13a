"""The shop's REST API as a stranger's client meets it."""

import json
import re
from decimal import Decimal

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("missing", ["SecureUrl", "PrivateKey", "Token"])
def test_each_header_of_the_trio_is_needed(store, missing):
    assert store.call("GET", "/OrderStatus", **{missing: "wrong"}).status_code == 401


def test_secure_url_may_be_a_bare_host_in_any_case(store):
    bare = store.headers["SecureUrl"].removeprefix("https://").upper()
    assert store.call("GET", "/OrderStatus", SecureUrl=bare).status_code == 200


def test_paths_and_query_names_are_case_insensitive(sandbox, store):
    ids = sandbox.shops["dev"].place_orders(2, 1)
    base = store.base.replace("3dCartWebAPI/v2", "3DCartWebAPI/V1")
    found = store.read(f"{base}/orders?OrderId={ids[1]}")
    assert [order["OrderID"] for order in found] == [ids[1]]


def test_an_empty_list_is_404_but_countonly_counts_it(store):
    assert store.call("GET", "/Orders").status_code == 404
    assert store.read("/Orders?countonly=1") == {"TotalCount": 0}


def test_pages_are_one_based_default_to_ten_and_end_with_400(sandbox, store):
    ids = sandbox.shops["dev"].place_orders(12, 1)
    assert [o["OrderID"] for o in store.read("/Orders")] == ids[:10]
    assert [o["OrderID"] for o in store.read("/Orders?limit=5&offset=11")] == ids[10:]
    past = store.call("GET", "/Orders?limit=5&offset=13")
    assert past.status_code == 400
    assert past.json()[0]["Message"] == "Offset amount exceeds the total number of records"


def test_at_most_three_hundred_orders_come_at_once(sandbox, store):
    sandbox.shops["dev"].place_orders(305, 1)
    assert len(store.read("/Orders?limit=1000")) == 300


def test_one_order_is_an_array_of_one_and_an_unknown_one_404(sandbox, store):
    order_id = sandbox.shops["dev"].place_orders(1, 1)[0]
    assert [o["OrderID"] for o in store.read(f"/Orders/{order_id}")] == [order_id]
    assert store.call("GET", "/Orders/999999").status_code == 404


def test_filters_by_invoice_status_mail_and_date(sandbox, store, clock):
    cases = sandbox.shops["dev"].place_awkward()
    old = store.read(f"/Orders/{cases['old_shipped']}")[0]

    def found(query: str) -> set[int]:
        return {o["OrderID"] for o in store.read(f"/Orders?limit=300&{query}")}

    assert found("orderstatus=18") == {cases["unmapped_status"]}
    assert found(f"invoicenumber={old['InvoiceNumber']}") == {cases["old_shipped"]}
    assert found("billingemail=GRACE%2Btea%2F2@example.net") == {cases["plus_email"]}
    assert found("dateend=12/31/2025") == {cases["old_shipped"]}
    assert cases["old_shipped"] in found("lastupdatestart=07/01/2026")
    assert store.call("GET", "/Orders?lastupdatestart=07/02/2026").status_code == 404
    assert store.call("GET", "/Orders?lastupdatestart=07/01/2026 10:00:00").status_code == 400


def test_times_are_local_to_the_store_and_carry_no_zone(sandbox, store):
    order_id = sandbox.shops["dev"].place_orders(1, 1)[0]
    assert store.read(f"/Orders/{order_id}")[0]["OrderDate"] == "2026-07-01T11:30:00"


def test_json_is_compact_and_doubles_have_a_point(sandbox, store):
    order_id = sandbox.shops["dev"].place_awkward()["header_tax"]
    text = store.call("GET", f"/Orders/{order_id}").text
    assert '"ItemQuantity":3.0' in text
    assert '"OrderDiscount":0.0' in text
    assert '"CustomerID":504' in text
    assert re.search(r'[,:] (?=["\d{\[])', re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)) is None


def test_amounts_add_up_and_shipment_zero_mirrors_the_order(sandbox, store):
    sandbox.shops["dev"].place_orders(60, 3)
    found = store.read("/Orders?limit=300")
    for order in found:
        lines = sum(
            (i["ItemUnitPrice"] + i["ItemOptionPrice"]) * i["ItemQuantity"] for i in order["OrderItemList"]
        )
        (shipment,) = order["ShipmentList"]
        taxes = order["SalesTax"] + order["SalesTax2"] + order["SalesTax3"]
        assert order["OrderAmount"] == lines + shipment["ShipmentCost"] + taxes - order["OrderDiscount"]
        assert shipment["ShipmentID"] == 0
        assert shipment["ShipmentTax"] == order["SalesTax"]
        assert shipment["ShipmentOrderStatus"] == order["OrderStatusID"]
        assert all(t["TransactionCaptured"] == 0 for t in order["TransactionList"])
    assert 0.25 < sum(o["CustomerID"] == 0 for o in found) / len(found) < 0.65
    assert any(i["ItemDescription"].startswith("Bundle Item: ") for o in found for i in o["OrderItemList"])


def test_the_awkward_cases_are_what_they_are_called(sandbox, store):
    cases = sandbox.shops["dev"].place_awkward()
    order = {name: store.read(f"/Orders/{order_id}")[0] for name, order_id in cases.items()}
    assert order["guest"]["CustomerID"] == 0
    assert "+" in order["plus_email"]["BillingEmail"]
    assert order["header_tax"]["SalesTax"] > 0
    assert order["gift_certificate"]["TransactionList"][0]["TransactionMethod"] == "Gift Certificate"
    assert order["old_shipped"]["OrderStatusID"] == 4
    assert len(order["old_shipped"]["ShipmentList"][0]["ShipmentTrackingCode"]) == 50
    assert order["malformed"]["OrderAmount"] == "n/a"
    assert order["card_data"]["CardNumber"].startswith("XXXX-XXXX-XXXX-")
    assert order["card_data"]["CardVerification"]


def test_the_same_seed_places_the_same_orders(make_sandbox):
    def placed(seed: int) -> list[object]:
        shop = make_sandbox(seed=1).shops["dev"]
        shop.place_orders(5, seed)
        return list(shop.orders.values())

    assert placed(4) == placed(4)
    assert placed(4) != placed(5)


def test_put_merges_and_stamps_order_and_shipment(sandbox, store, clock):
    order_id = sandbox.shops["dev"].place_orders(1, 1)[0]
    before = store.read(f"/Orders/{order_id}")[0]
    clock.advance(60)
    answer = store.call("PUT", f"/Orders/{order_id}", {"InternalComments": "crm 17"})
    expected = [
        {"Key": "OrderID", "Value": str(order_id), "Status": "200", "Message": "updated successfully"}
    ]
    assert answer.json() == expected
    after = store.read(f"/Orders/{order_id}")[0]
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"InternalComments", "LastUpdate", "ShipmentList"}
    assert after["LastUpdate"] == after["ShipmentList"][0]["ShipmentLastUpdate"] == "2026-07-01T11:31:00"


def test_bulk_put_answers_each_item_and_206_when_some_fail(sandbox, store):
    ids = sandbox.shops["dev"].place_orders(2, 1)
    sent = [
        {"OrderID": str(ids[0]), "ExternalComments": "ok"},
        {"OrderID": 999_999, "ExternalComments": "ok"},
        {"OrderID": ids[1], "ExternalComments": "x" * 51},
    ]
    answer = store.call("PUT", "/Orders", sent)
    assert answer.status_code == 206
    assert [item["Status"] for item in answer.json()] == ["200", "404", "400"]
    assert store.read(f"/Orders/{ids[0]}")[0]["ExternalComments"] == "ok"


def test_a_shipment_takes_tracking_and_its_status_is_the_orders(sandbox, store):
    order_id = sandbox.shops["dev"].place_orders(1, 1)[0]
    body = {"ShipmentTrackingCode": "1Z", "ShipmentOrderStatus": 4}
    assert store.call("PUT", f"/Orders/{order_id}/Shipments/0", body).status_code == 200
    order = store.read(f"/Orders/{order_id}")[0]
    assert order["OrderStatusID"] == 4
    assert order["ShipmentList"][0]["ShipmentTrackingCode"] == "1Z".ljust(50)
    assert store.call("PUT", f"/Orders/{order_id}/Shipments/9", body).status_code == 404
    refused = store.call("PUT", f"/Orders/{order_id}/Shipments/0", {"ShipmentMethodName": "UPS & co"})
    assert refused.status_code == 400


def test_sub_resources_and_small_lists(sandbox, store):
    order_id = sandbox.shops["dev"].place_awkward()["header_tax"]
    assert len(store.read(f"/Orders/{order_id}/Items")) == 3
    assert store.call("GET", f"/Orders/{order_id}/Questions").status_code == 404
    assert store.read("/Products?sku=mug-ltd-07")[0]["SKUInfo"]["CatalogID"] == 190
    assert store.read("/OrderStatus/4")[0]["StatusDefinition"] == "Shipped"
    assert store.read("/StoreSettings")[0]["StoreStandards"]["CurrencyCode"] == "USD"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/Orders/1001", 405),
        ("POST", "/Products/100/AdvancedOptions", 405),
        ("POST", "/RMA", 405),
        ("GET", "/Orders/Search", 404),
        ("GET", "/Inventory", 404),
        ("GET", "/Orders/1001/Notes", 404),
        ("GET", "/PaymentTokens", 404),
    ],
)
def test_what_the_shop_does_not_have_is_told_apart_from_what_cannot_be_done_there(
    sandbox, store, method, path, status
):
    sandbox.shops["dev"].place_orders(1, 1)
    assert store.call(method, path, None).status_code == status


def test_other_media_types_are_415_and_broken_json_400(store):
    assert store.call("GET", "/Orders", Accept="text/csv").status_code == 415
    broken = store.client.put(
        store.base + "/Orders", headers={**store.headers, "content-type": "application/json"}, content=b"[{"
    )
    assert broken.status_code == 400


def test_removing_a_line_lowers_the_total_and_leaves_the_payment(sandbox, store):
    shop = sandbox.shops["dev"]
    order_id = shop.place_awkward()["line_removed_later"]
    before = store.read(f"/Orders/{order_id}")[0]
    shop.remove_line(order_id, 1)
    after = store.read(f"/Orders/{order_id}")[0]
    gone = before["OrderItemList"][1]
    assert after["OrderItemList"] == before["OrderItemList"][:1]
    assert before["OrderAmount"] - after["OrderAmount"] == gone["ItemUnitPrice"] * gone["ItemQuantity"]
    assert after["TransactionList"] == before["TransactionList"]


def test_the_bucket_holds_fifty_and_drains_two_a_second(clock, make_sandbox, connect_shop):
    sandbox = make_sandbox(clock, rate_limits=True)
    with httpx.Client(transport=sandbox.transport()) as limited:
        store = connect_shop(sandbox, limited)
        codes = [store.call("GET", "/OrderStatus").status_code for _ in range(51)]
        assert codes == [200] * 50 + [429]
        clock.advance(1)
        codes = [store.call("GET", "/OrderStatus").status_code for _ in range(3)]
        assert codes == [200, 200, 429]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(limit=st.integers(1, 30), count=st.integers(1, 40))
def test_paging_by_rows_received_meets_every_order_once(make_sandbox, connect_shop, limit, count):
    """Whatever the page size, next offset = offset + rows received sees each order once and ends with 400."""
    sandbox = make_sandbox()
    ids = sandbox.shops["dev"].place_orders(count, 1)
    seen: list[int] = []
    with httpx.Client(transport=sandbox.transport()) as client:
        store = connect_shop(sandbox, client)
        while (
            answer := store.call("GET", f"/Orders?limit={limit}&offset={len(seen) + 1}")
        ).status_code == 200:
            seen += [order["OrderID"] for order in json.loads(answer.text, parse_float=Decimal)]
    assert seen == ids
