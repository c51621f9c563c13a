"""Years of orders by seed: believable, repeatable, and read without looking at all of them."""

import re
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagline.sandbox.shop_fields import amount_of

API = "https://shop-dev.sandbox.test/3dCartWebAPI/v2"


@pytest.fixture
def told(shop, http):
    """A shop with a history, as it is told."""
    shop.place_history(1500, seed=3)
    found = []
    for offset in range(1, 1500, 300):
        found += http.get(f"{API}/Orders?limit=300&offset={offset}").json()
    return found


def test_the_same_seed_tells_the_same_history(make_shop):
    def placed(seed):
        shop = make_shop()
        shop.place_history(40, seed)
        return list(shop.orders.values())

    assert placed(1) == placed(1)
    assert placed(1) != placed(2)


def test_a_history_is_what_a_store_of_some_years_looks_like(told, shop, http):
    assert [o["OrderID"] for o in told] == sorted(shop.orders)
    statuses = Counter(o["OrderStatusID"] for o in told)
    assert 0.78 < statuses[4] / 1500 < 0.9
    assert {1, 5, 7, 8} < set(statuses)
    guests = sum(o["CustomerID"] == 0 for o in told) / 1500
    assert 0.4 < guests < 0.54
    customers = Counter(o["CustomerID"] for o in told if o["CustomerID"])
    assert max(customers.values()) > 10
    assert customers.keys() <= shop_customers(http)
    dates = [o["OrderDate"] for o in told]
    assert dates[0] < "2022-12"
    assert "2026-06" < dates[-1] <= "2026-07-01T11:30:00"
    assert any(b < a for a, b in pairwise(dates)), "an order completed late has an earlier number"
    assert all(o["OrderDate"] <= o["LastUpdate"] <= "2026-07-01T11:30:00" for o in told)


def shop_customers(http):
    found, offset = set(), 1
    while (answer := http.get(f"{API}/Customers?limit=500&offset={offset}")).is_success:
        found |= {c["CustomerID"] for c in answer.json()}
        offset += 500
    return found


def test_amounts_are_right_whatever_happened_to_an_order(told, shop):
    assert all(o["OrderAmount"] == amount_of(o) for o in shop.orders.values())


def test_a_history_has_what_integrations_stumble_over(told, http):
    amazon = [o for o in told if o["OrderType"] == "Amazon"]
    assert amazon
    assert all(re.fullmatch(r"114-\d{7}-\d{7}", o["AlternateOrderID"]) for o in amazon)
    assert {len(o["TransactionList"]) for o in amazon if o["OrderStatusID"] != 4} == {2}
    several = [o for o in told if len(o["ShipmentList"]) > 1]
    assert several
    for order in several:
        ids = {s["ShipmentID"] for s in order["ShipmentList"]}
        assert 0 not in ids
        assert {i["ItemShipmentID"] for i in order["OrderItemList"]} <= ids
    assert all(not o["TransactionList"] for o in told if o["OrderStatusID"] == 7)
    refunds = [t for o in told for t in o["TransactionList"] if t["TransactionType"] == "Credit"]
    assert refunds
    assert all(t["TransactionAmount"] < 0 for t in refunds)
    shipped = {s["ShipmentShippedDate"] for o in told for s in o["ShipmentList"]}
    assert "" in shipped
    assert any(re.fullmatch(r"\d\d/\d\d/\d{4}", day) for day in shipped)
    assert any(re.fullmatch(r"\d+/\d+/\d{4} \d+:\d\d:\d\d [AP]M", day) for day in shipped)
    assert any(o["InternalComments"].startswith("admin - ") for o in told)
    returned = http.get(f"{API}/RMA?limit=500").json()
    assert {r["OrderID"] for r in returned} <= {o["OrderID"] for o in told}
    sku = returned[0]["RMAItemList"][0]["SKU"]
    assert returned[0] in http.get(f"{API}/RMA?limit=500&sku={sku}").json()
    assert http.get(f"{API}/RMA/{returned[0]['RMAID']}/Items").json() == returned[0]["RMAItemList"]


def test_numbers_of_a_history_are_given_once(told):
    items = [i["ItemIndexID"] for o in told for i in o["OrderItemList"]]
    rows = [t["TransactionIndexID"] for o in told for t in o["TransactionList"]]
    assert len(items) == len(set(items))
    assert len(rows) == len(set(rows))


FIRST_DAY = datetime(2022, 6, 20)  # noqa: DTZ001 - store-local by definition
DAYS = st.integers(0, 1490).map(lambda n: FIRST_DAY + timedelta(days=n))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parameter=st.sampled_from(["datestart", "dateend", "lastupdatestart", "lastupdateend"]),
    day=DAYS,
    other=st.none() | DAYS,
)
def test_dates_find_exactly_the_orders_of_that_time(shop, http, parameter, day, other):
    """What is changed afterwards is found at its new time, whichever way the shop looks."""
    if not shop.orders:
        numbers = shop.place_history(120, seed=5)
        shop.change_status(numbers[7], 6)
        http.put(f"{API}/Orders/{numbers[9]}", json={"OrderDate": "2023-01-05T10:00:00"})
    text, date = day.strftime("%m/%d/%Y"), day.isoformat()
    tests = {
        "datestart": lambda o: o["OrderDate"] >= date,
        "dateend": lambda o: o["OrderDate"] < (day + timedelta(days=1)).isoformat(),
        "lastupdatestart": lambda o: o["LastUpdate"] >= date,
        "lastupdateend": lambda o: o["LastUpdate"] <= date,
    }
    query, wanted = f"{parameter}={text}", [o for o in shop.orders.values() if tests[parameter](o)]
    if other is not None:
        query += f"&datestart={other:%m/%d/%Y}" if parameter != "datestart" else ""
        if parameter != "datestart":
            wanted = [o for o in wanted if o["OrderDate"] >= other.isoformat()]
    answer = http.get(f"{API}/Orders?limit=300&{query}")
    found = [o["OrderID"] for o in answer.json()] if answer.status_code == 200 else []
    assert found == [o["OrderID"] for o in wanted]
