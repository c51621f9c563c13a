"""A table described from samples, and the two ways to sign in."""

import httpx
import pytest
from tests.connectors.shift4shop.tables import Tables, sku_info

from tagline.connectors.shift4shop import AdvancedOption, Category, Order, OrderItem, Product
from tagline.domain.environment import Shift4ShopConnection
from tagline.domain.schema import Basis

STORE = {
    "system": "shift4shop",
    "store_url": "https://store.example",
    "time_zone": "UTC",
    "currency": "USD",
    "webhook_token": "env:HOOK",
}


def test_types_are_told_from_the_values_of_the_newest_orders(make_shop):
    rows = [{"OrderID": n} for n in range(1, 40)] + [
        {
            "OrderID": n,
            "OrderAmount": amount,
            "LastUpdate": "2026-03-10T07:00:00",
            "BillingCity": " ",
            "Referer": None,
            "CardNumber": "XXXX-1111",
            "Odd": odd,
            "OrderItemList": [{"ItemIndexID": 1, "ItemID": "A"}],
            "Hide": True,
            "PluginList": {},
        }
        for n, amount, odd in ((40, 1.5, "x"), (41, 2, 5))
    ]
    shop = Tables({"/Orders": rows})
    schema = make_shop(shop).describe(Order)
    assert (schema.entity, schema.basis, schema.keys, schema.tracks_changes) == (
        "Order",
        Basis.SAMPLES,
        (),
        None,
    )
    assert {name: column.type for name, column in schema.columns.items()} == {
        "OrderID": "integer",
        "OrderAmount": "number",
        "LastUpdate": "date-time",
        "BillingCity": "unknown",
        "Referer": "unknown",
        "Odd": "mixed",
        "OrderItemList": "list",
        "Hide": "boolean",
        "PluginList": "object",
    }
    assert {c.max_length for c in schema.columns.values()} == {None}
    assert [path for _, path, _ in shop.asked] == ["/Orders?countonly=1", "/Orders?limit=10&offset=32"]


def test_what_is_nested_in_a_product_is_described_side_by_side(make_shop):
    row = {**sku_info(1), "AdvancedOptionList": [{"AdvancedOptionCode": "1-2", "AdvancedOptionStock": 1}]}
    client = make_shop(Tables({"/Products": [row]}))
    assert client.describe(Product).columns["SKU"].type == "string"
    assert client.describe(Product).columns["Stock"].type == "number"
    assert set(client.describe(AdvancedOption).columns) == {"AdvancedOptionCode", "AdvancedOptionStock"}


def test_an_empty_shop_tells_nothing(make_shop):
    client = make_shop(Tables())
    assert [client.describe(m).columns for m in (Order, OrderItem, Category)] == [{}, {}, {}]


# --- sign-in


def test_a_bearer_token_takes_the_place_of_the_keys(make_shop):
    seen = []

    def shop(request):
        seen.append(request)
        return httpx.Response(200, json={"TotalCount": 3})

    make_shop(shop, private_key=None, token=None, access_token="env:TOKEN").probe()
    headers = seen[0].headers
    assert headers["Authorization"] == "Bearer canary-token"
    assert not {"PrivateKey", "Token", "SecureUrl"} & set(headers)


def test_both_versions_of_the_api_are_addressed_alike(make_shop):
    seen = []

    def shop(request):
        seen.append(str(request.url))
        return httpx.Response(404)

    for version in ("v1", "v2"):
        make_shop(shop, url=f"https://shop.test/3dCartWebAPI/{version}").fetch(Order, ["1"])
    assert seen == [f"https://shop.test/3dCartWebAPI/{v}/Orders/1" for v in ("v1", "v2")]


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"private_key": "env:A"},
        {"token": "env:A"},
        {"private_key": "env:A", "token": "env:B", "access_token": "env:C"},
        {"private_key": "env:A", "access_token": "env:C"},
    ],
    ids=lambda k: "+".join(k) or "none",
)
def test_anything_but_one_whole_way_in_is_refused(keys):
    with pytest.raises(ValueError, match="private_key and token, or access_token alone"):
        Shift4ShopConnection(**STORE, **keys)
