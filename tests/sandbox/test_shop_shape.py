"""Records of any kind under any body: never a crash, never a field of another type, totals that add up."""

import json
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagline.sandbox.shop_fields import amount_of
from tagline.sandbox.shop_quirks import ShopQuirks
from tagline.sandbox.shop_resources import RESOURCES
from tagline.sandbox.shop_shape import UnfitError, created, merged
from tagline.sandbox.shop_xml import from_xml, to_xml

API = "https://shop-dev.sandbox.test/3dCartWebAPI/v2"
SHAPES = {name: resource.shape for name, resource in RESOURCES.items()}
TYPES = {"i": int, "d": Decimal, "s": str, "t": str, "b": bool, "[]": list, "{}": dict}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1", "2.5"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=6,
)
FUZZ = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])


def named(shape):
    """Bodies whose names the shape knows, with values of any kind, in lists of parts too."""
    part = (
        st.deferred(lambda: st.sampled_from(list(shape.parts.values())).flatmap(named))
        if shape.parts
        else JSON
    )
    return st.dictionaries(
        st.sampled_from(list(shape.kinds)), JSON | part | st.lists(part, max_size=2), max_size=6
    )


def check(shape, record):
    assert list(record) == list(shape.kinds)
    for name, kind in shape.kinds.items():
        value = record[name]
        assert isinstance(value, TYPES[kind]) or (value is None and shape.blanks[name] is None)
        if kind == "s" and name in shape.lengths:
            assert len(value or "") <= shape.lengths[name]
        if name in shape.parts:
            for inner in value if kind == "[]" else [value]:
                check(shape.parts[name], inner)


@FUZZ
@given(data=st.data())
@pytest.mark.parametrize("name", ["orders", "products"])
def test_what_is_taken_has_every_field_in_its_place_and_type(name, data):
    shape = SHAPES[name]
    sent, then = data.draw(named(shape)), data.draw(named(shape))
    with suppress(UnfitError):
        made = created(shape, sent, ShopQuirks(), lambda _: 7)
        check(shape, made)
        check(shape, merged(shape, made, then, ShopQuirks()))


@FUZZ
@given(data=st.data())
def test_writing_twice_is_writing_once(data):
    shape = SHAPES["products"]
    sent = data.draw(named(shape))
    try:
        once = merged(shape, shape.fresh(), sent, ShopQuirks())
    except UnfitError:
        return
    assert merged(shape, once, sent, ShopQuirks()) == once


@FUZZ
@given(body=JSON, path=st.sampled_from(["Orders", "Products", "Customers", "Webhooks", "Orders/1001/Items"]))
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_any_body_is_answered_in_good_order(shop, http, method, path, body):
    if not shop.orders:
        shop.place_orders(1, 1)
    answer = http.request(
        method, f"{API}/{path}", content=json.dumps(body), headers={"Content-Type": "text/json"}
    )
    assert answer.status_code in (200, 201, 206, 400)
    assert all(set(row) == {"Key", "Value", "Status", "Message"} for row in answer.json())


MONEY = st.decimals(0, 500, places=2).map(str)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.fixed_dictionaries(
                {"Items": st.fixed_dictionaries({"CatalogID": st.just(104), "ItemUnitPrice": MONEY})}
            ),
            st.fixed_dictionaries({"Shipments": st.fixed_dictionaries({"ShipmentCost": MONEY})}),
            st.fixed_dictionaries({"SalesTax": MONEY}),
            st.fixed_dictionaries({"OrderDiscountCoupon": MONEY, "ExternalComments": st.just("c")}),
        ),
        max_size=6,
    )
)
def test_the_total_follows_every_change_of_its_parts(shop, http, steps):
    (number,) = shop.place_orders(1, 1)
    for step in steps:
        for name, value in step.items():
            if isinstance(value, dict):
                assert http.post(f"{API}/Orders/{number}/{name}", json=value).status_code == 201
            else:
                assert http.put(f"{API}/Orders/{number}", json={name: value}).status_code == 200
    order = shop.orders[number]
    assert order["OrderAmount"] == amount_of(order)
    assert order["OrderDiscount"] == order["OrderDiscountCoupon"] + order["OrderDiscountPromotion"]


def test_an_odd_total_stays_until_a_part_of_it_changes(shop, http):
    number = shop.place_awkward()["impossible_total"]
    http.put(f"{API}/Orders/{number}", json={"ExternalComments": "seen", "OrderAmount": 5})
    assert shop.orders[number]["OrderAmount"] == Decimal("1.00")
    http.put(f"{API}/Orders/{number}", json={"SalesTax": 2})
    assert shop.orders[number]["OrderAmount"] == amount_of(shop.orders[number])


LEAVES = st.text(max_size=12).map(lambda t: "".join(c for c in t if c.isprintable())) | st.integers()
RECORDS = st.dictionaries(
    st.sampled_from(["Name", "Note", "SKU", "Empty"]),
    LEAVES | st.none() | st.booleans(),
    min_size=1,
)


@given(st.lists(RECORDS, max_size=3))
def test_xml_comes_back_as_it_was_said_with_its_leaves_as_text(records):
    def text(value):
        return value if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    said = [{name: text(value) for name, value in each.items()} for each in records]
    assert from_xml(to_xml(records, "Row").encode()) == said
    nested = {"RowList": records}
    assert from_xml(to_xml(nested, "Outer").encode()) == {"RowList": said}


@pytest.mark.parametrize("body", [b"", b"<a>", b"<!DOCTYPE a><a/>", b"<a>" * 40 + b"</a>" * 40, b"\xff\xfe"])
def test_xml_that_is_none_is_refused(body):
    with pytest.raises(ValueError):
        from_xml(body)
