"""The calls the connectors make, as routes: each declared call is made as often as said, and no other."""

import httpx
import pytest
import respx

from tagline.connectors.shift4shop import Order
from tagline.errors import NotAuthorisedError

ROOT = "/3dCartWebAPI/v2"


@pytest.fixture
def routes():
    """What is declared and not called fails, and so does what is called and not declared."""
    with respx.MockRouter(assert_all_called=True, assert_all_mocked=True) as router:
        yield router


def test_two_orders_are_two_reads_with_the_three_keys_on_each(routes, make_shop):
    keys = {"SecureUrl": "https://store.example", "PrivateKey": "canary-private-key", "Token": "canary-token"}
    one = routes.get(host="shop.test", path=f"{ROOT}/Orders/1042", headers=keys)
    one.mock(return_value=httpx.Response(200, json=[{"OrderID": 1042, "OrderAmount": 19.95}]))
    none = routes.get(host="shop.test", path=f"{ROOT}/Orders/1043", headers=keys)
    none.mock(return_value=httpx.Response(404))
    fetched = make_shop(routes.handler).fetch(Order, ["1042", "1043"])
    assert list(fetched.records) == ["1042"]
    assert (one.call_count, none.call_count) == (1, 1)


def test_a_throttled_read_waits_as_long_as_it_is_told_and_is_made_again(routes, make_shop, clock):
    began = clock.now()
    counted = routes.get(host="shop.test", path=f"{ROOT}/Orders", params={"countonly": "1"})
    counted.side_effect = [
        httpx.Response(429, headers={"Retry-After": "7"}),
        httpx.Response(200, json={"TotalCount": 3}),
    ]
    assert "holds 3 orders" in make_shop(routes.handler).probe()
    assert counted.call_count == 2
    assert (clock.now() - began).total_seconds() >= 7


def test_a_refused_token_is_renewed_once_and_then_told(routes, make_dataverse):
    who = routes.get(host="org.test", path="/api/data/v9.2/WhoAmI")
    who.mock(return_value=httpx.Response(401))
    with pytest.raises(NotAuthorisedError) as refused:
        make_dataverse(routes.handler).probe()
    assert [call.request.headers["Authorization"] for call in who.calls] == [
        "Bearer canary-access-1",
        "Bearer canary-access-2",
    ]
    assert refused.value.code == "not-signed-in"
    assert "canary" not in f"{refused.value.message} {refused.value.hint} {refused.value.where}"
