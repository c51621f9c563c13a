"""What a shop holds can be written down row by row and taken up again elsewhere."""

import pytest

API = "https://shop-dev.sandbox.test/3dCartWebAPI/v2"


@pytest.fixture
def follow(shop):
    """A copy that is kept by what the shop tells of its changes, as a state file does."""
    rows = {(name, key): row for name, key, row in shop.state.kept()}

    def changed(name, key):
        row = shop.state.kept_row(name, key)
        if row is None:
            del rows[name, key]
        else:
            rows[name, key] = row

    shop.state.on_change = changed
    return rows


def test_a_shop_goes_on_where_its_copy_left_off(shop, http, follow, make_shop):
    shop.place_history(40, 1)
    (number,) = shop.place_orders(1, 1)
    hook = {"Name": "n", "Url": "https://x.test/", "EventType": 1, "Enabled": True}
    for _ in range(2):
        http.post(f"{API}/Webhooks", json=hook)
    http.delete(f"{API}/Webhooks/1")
    http.put(f"{API}/Products/100", json={"SKUInfo": {"Stock": 3}})
    http.put(f"{API}/Orders/{number}", json={"OrderStatusID": 5})
    http.post(f"{API}/Customers", json={"Email": "new@example.com"})
    http.delete(f"{API}/Customers/501")
    token = shop.grant(frozenset({"orders:read"}))
    shop.place_orders(1, 2)
    copy = make_shop(seed=8)
    copy.state.restore([(name, key, row) for (name, key), row in follow.items()], shop.state.facts())
    assert list(copy.state.kept()) == list(shop.state.kept())
    assert copy.webhooks.waiting() == shop.webhooks.waiting() != ()
    assert copy.access.permits({"authorization": f"Bearer {token}"}, "orders", "GET")
    assert not copy.access.permits({"authorization": f"Bearer {token}"}, "orders", "PUT")
    assert copy.place_orders(5, 3) == shop.place_orders(5, 3)
    assert copy.orders == shop.orders
    assert copy.grant() == shop.grant()


def test_a_copy_finds_by_date_what_the_shop_finds(shop, http, make_shop):
    numbers = shop.place_history(60, 1)
    wanted = http.get(f"{API}/Orders?limit=300&datestart=01/01/2025").json()
    rows, facts = list(shop.state.kept()), shop.state.facts()
    shop.place_history(10, 2)
    shop.state.restore(reversed(rows), facts)
    assert http.get(f"{API}/Orders?limit=300&datestart=01/01/2025").json() == wanted
    assert list(shop.orders) == numbers
