"""Control pages: what they answer to whoever types the wrong thing, and that the guide's own lines work."""

import json
import re
import shlex
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tagline
from tagline.clock import SystemClock
from tagline.sandbox.catalogue import UNKNOWN_SKU
from tagline.sandbox.control_given import spans
from tagline.sandbox.dataverse_schema import NAMES
from tagline.sandbox.faults import Fault
from tagline.sandbox.main import stock
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.values import Request

GUIDE = (Path(tagline.__file__).parent / "docs" / "sandbox.md").read_text()
SHOP, CRM, LOGIN, FIN = (
    "https://shop-dev.sandbox.test",
    "https://org-dev.sandbox.test",
    "https://login.sandbox.test",
    "https://fin-dev.sandbox.test",
)
SITES = {
    "https://127.0.0.1:8710": LOGIN,
    "https://127.0.0.1:8711": SHOP,
    "https://127.0.0.1:8712": CRM,
    "https://127.0.0.1:8717": FIN,
}
"""Where `tagline sandbox` puts the sites of dev, and where they stand in process."""


@pytest.fixture
def page(sandbox, client):
    """Calls a control page."""
    sandbox.shops["dev"].place_orders(2, seed=1)

    def call(origin, method, name, body=None):
        return client.request(method, f"{origin}/_sandbox/{name}", content=body)

    return call


@pytest.mark.parametrize(
    ("origin", "call", "body", "said"),
    [
        (
            CRM,
            "GET rows",
            None,
            "which table is missing. Ask for ?table=salesorder; tables are account, contact",
        ),
        (
            CRM,
            "GET rows?table=orders",
            None,
            "there is no table orders. Ask for ?table=salesorder; tables are",
        ),
        (CRM, "POST add-product", b"", 'sku is missing. Expected is a body such as {"sku": "MUG-LTD-07"}'),
        (CRM, "POST add-product", b'{"sku": 7}', "sku must be a text"),
        (CRM, "POST add-product", b'{"sku": "TEA"}', 'the shop sells no "TEA"'),
        (
            CRM,
            "POST add-product",
            b'{"sku": "TEA-001"}',
            "has TEA-001 already; at first it lacks MUG-LTD-07 alone",
        ),
        (
            SHOP,
            "POST place",
            b"count=5",
            'the body is not JSON. Expected is a body such as {"count": 5, "seed": 1}',
        ),
        (SHOP, "POST place", b"[" * 100_000, "the body is not JSON"),
        (SHOP, "POST place", b"[5, 1]", "the body is no JSON object"),
        (SHOP, "POST place", b'{"count": 5}', "seed is missing. Expected is a body such as"),
        (SHOP, "POST place", b'{"count": "5", "seed": 1}', "count must be a whole number"),
        (SHOP, "POST place", b'{"count": 10000000, "seed": 1}', "cannot be 10000000; it may be 1 to 10000"),
        (SHOP, "POST status", b'{"order": 99, "status": 4}', "order cannot be 99; it may be 1001"),
        (SHOP, "POST status", b'{"order": 1001, "status": 20}', "cannot be 20; it may be 1 to 19, 21"),
        (SHOP, "POST remove-line", b'{"order": 1001, "item": 9}', "item cannot be 9; it may be 0"),
        (
            SHOP,
            "POST faults",
            b"{}",
            'next or rate is missing. Expected is a body such as {"next": ["throttled"',
        ),
        (SHOP, "POST faults", b'{"next": "slow"}', "next must be a list of faults"),
        (SHOP, "POST faults", b'{"next": ["sad"]}', '"sad" is no fault; faults are throttled, server-error'),
        (LOGIN, "POST faults", b'{"rate": 2}', "rate must be a number from 0 to 1"),
        (CRM, "POST expire-changes", b'{"table": "\\ud800"}', "there is no table ?"),
        (SHOP, "POST quirks", b"{}", "no quirk is given"),
        (SHOP, "POST quirks", b'{"offset": false}', "there is no quirk offset; quirks are all_failed_status"),
        (SHOP, "POST quirks", b'{"offset_zero_is_one": 0}', "offset_zero_is_one must be true or false"),
        (
            SHOP,
            "POST quirks",
            b'{"throttle_status": 99}',
            "throttle_status cannot be 99; it may be 200 to 599",
        ),
        (
            SHOP,
            "POST quirks",
            b'{"throttle_headers": {"a": 5}}',
            "throttle_headers must be an object such as",
        ),
        (
            SHOP,
            "POST quirks",
            b'{"webhook_retry_after": [-1]}',
            "webhook_retry_after must be a list of seconds",
        ),
        (SHOP, "POST quirks", b'{"webhook_events": {"x": "y"}}', "webhook_events must be an object such as"),
        (SHOP, "POST quirks", b'{"unauthorised_body": 7}', "unauthorised_body must be an object, or null"),
        (SHOP, "POST quirks", b'{"refund_type": 7}', "refund_type must be a text"),
    ],
)
def test_wrong_use_is_answered_with_a_sentence_that_says_what_is_right(page, origin, call, body, said):
    answer = page(origin, *call.split(), body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_a_refused_table_is_answered_with_every_table(page):
    said = page(CRM, "GET", "rows?table=nothing").json()["error"]
    assert all(name in said for name in NAMES)


def test_a_page_that_is_not_there_is_answered_with_those_that_are(page):
    answer = page(SHOP, "GET", "place")
    assert answer.status_code == 404
    assert answer.json()["error"] == (
        "no control page GET place on this site; it has POST place, POST history, POST awkward, POST remove-line, "
        "POST status, GET orders, GET webhooks, GET quirks, POST quirks, POST mishaps, GET log, POST faults"
    )


def test_faults_that_are_refused_in_part_are_not_set_in_part(page, sandbox):
    assert page(SHOP, "POST", "faults", b'{"next": ["throttled"], "rate": "often"}').status_code == 400
    assert not sandbox.shops["dev"].door.faults.planned


def test_kinds_that_are_not_given_are_all_of_them(page, sandbox):
    assert page(SHOP, "POST", "faults", b'{"seed": 4, "rate": 0.5}').status_code == 200
    assert sandbox.shops["dev"].door.faults.kinds == tuple(Fault)


def test_quirks_are_shown_and_turned_over_the_wire(page, sandbox, store):
    """A client that is no Python can be tried against each of them."""
    told = page(SHOP, "GET", "quirks").json()
    assert (told["offset_zero_is_one"], told["throttle_headers"]) == (True, {})
    assert told["webhook_retry_after"] == [5, 30, 120, 600, 3600]
    turned = {
        "offset_zero_is_one": False,
        "throttle_headers": {"Retry-After": "5"},
        "webhook_retry_after": [1, 60],
        "webhook_events": {"9": "Order New"},
        "unauthorised_body": None,
        "refund_type": "Refund",
        "throttle_status": 503,
    }
    answer = page(SHOP, "POST", "quirks", json.dumps(turned))
    assert answer.json() == {**told, **turned}
    assert page(SHOP, "GET", "quirks").json() == answer.json()
    assert store.call("GET", "/Orders?offset=0").status_code == 400
    assert store.call("GET", "/Orders", Token="wrong").content == b""
    assert store.read("/Webhooks/Events") == [{"EventType": 9, "EventName": "Order New"}]


def test_a_quirk_that_is_refused_turns_none(page, sandbox):
    assert page(SHOP, "POST", "quirks", b'{"probe_once": false, "throttle_status": 1}').status_code == 400
    assert sandbox.shops["dev"].quirks.probe_once


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(st.characters(exclude_categories=()))
    | st.sampled_from(list(Fault)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ("count", "seed", "order", "item", "status", "sku", "next", "rate", "kinds", "table", "column")
QUIRKS = ("throttle_status", "throttle_headers", "webhook_retry_after", "webhook_events", "unauthorised_body")
BODIES = st.binary() | st.dictionaries(st.sampled_from((*FIELDS, *QUIRKS)), VALUES).map(
    lambda b: json.dumps(b).encode()
)
CALLS = [
    *((SHOP, page) for page in ("remove-line", "status", "faults", "quirks")),
    *((CRM, page) for page in ("add-product", "change-schema", "expire-changes", "faults")),
    *((FIN, page) for page in ("add-product", "invoice", "post-journal", "strain", "faults")),
    (LOGIN, "faults"),
]
ONE = Sandbox(SystemClock(), seed=7)
"""Shared by the examples: no page can break it for the next."""


@given(st.sampled_from(CALLS), BODIES)
def test_whatever_is_typed_is_answered(call, body):
    origin, name = call
    answer = ONE.sites()[origin].handle(Request("POST", f"{origin}/_sandbox/{name}", {}, body))
    assert answer.status in (200, 400)
    if answer.status == 400:
        assert "Expected is a body such as {" in json.loads(answer.body)["error"]


@given(st.sets(st.integers(0, 12)))
def test_spans_name_every_number_and_no_other(numbers):
    named = [[int(n) for n in part.split(" to ")] for part in spans(sorted(numbers)).split(", ") if part]
    assert [n for part in named for n in range(part[0], part[-1] + 1)] == sorted(numbers)


def test_many_spans_leave_out_the_middle():
    assert spans(range(1, 40, 2)) == "1, 3, 5, 7, 9, 11, 13, …, 39"


def test_every_curl_line_of_the_guide_works_as_it_stands(sandbox, client):
    stock(sandbox, 5)
    lines = re.findall(r"^ {4}(curl .*)$", GUIDE, re.MULTILINE)
    pages = set()
    for line in lines:
        words = shlex.split(line)
        assert words[1:3] == ["--cacert", ".tagline/sandbox-ca.pem"]
        body = words[words.index("-d") + 1] if "-d" in words else None
        method = "POST" if body is not None or words[3:5] == ["-X", "POST"] else "GET"
        origin, _, path = words[-1].partition("/_sandbox/")
        answer = client.request(method, f"{SITES[origin]}/_sandbox/{path}", content=body)
        assert (answer.status_code, line) == (200, line), answer.text
        pages.add(httpx.URL(words[-1]).path.removeprefix("/_sandbox/"))
    assert {"place", "awkward", "rows", "faults"} <= pages


def test_every_body_of_the_guides_table_works_as_it_stands(sandbox, client, finance):
    """In its order: the product that is added is missing until then."""
    stock(sandbox, 5)
    finance.call("POST", "SalesOrderHeadersV2", {"OrderingCustomerAccountNumber": "C100001"})
    finance.call("POST", "CustomerPaymentJournalHeaders", {"JournalName": "CustPay"})
    rows = re.findall(
        r"^\| (shop|organisation|finance): `(GET|POST) ([a-z-]+)` \| (?:`(.*?)`)? ?\|", GUIDE, re.MULTILINE
    )
    assert len(rows) >= 17
    for site, method, name, given_ in rows:
        url = f"{ {'shop': SHOP, 'organisation': CRM, 'finance': FIN}[site] }/_sandbox/{name}"
        query, body = (given_, None) if given_.startswith("?") else ("", given_ or None)
        answer = client.request(method, url + query, content=body)
        assert (answer.status_code, name) == (200, name), answer.text
    assert client.get(f"{CRM}/_sandbox/rows?table=product").text.count(UNKNOWN_SKU) == 1


@pytest.mark.parametrize(
    ("call", "body", "said"),
    [
        ("GET rows", None, "which entity is missing. Ask for ?table=SalesOrderHeadersV2; entities are"),
        (
            "POST add-product",
            b'{"sku": "TEA-001"}',
            "usmf has TEA-001 already; at first it lacks MUG-LTD-07 alone",
        ),
        ("POST add-product", b'{"sku": "TEA"}', 'the shop sells no "TEA"'),
        ("POST invoice", b'{"order": "SO-9"}', "usmf has no open sales order SO-9"),
        ("POST post-journal", b'{"journal": "JN-9"}', "usmf has no journal JN-9"),
        ("POST strain", b'{"seconds": 99999}', "seconds cannot be 99999; it may be 0 to 3600"),
    ],
)
def test_finances_pages_say_what_is_right(page, call, body, said):
    answer = page(FIN, *call.split(), body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_people_at_finances_screens_release_invoice_and_post(page, finance):
    assert page(FIN, "POST", "add-product", b'{"sku": "MUG-LTD-07"}').status_code == 200
    body = {"OrderingCustomerAccountNumber": "C100001"}
    number = finance.call("POST", "SalesOrderHeadersV2", body).json()["SalesOrderNumber"]
    line = {"SalesOrderNumber": number, "ItemNumber": "MUG-LTD-07", "ShippingWarehouseId": ""}
    assert finance.call("POST", "SalesOrderLines", line).status_code == 201
    invoice = page(FIN, "POST", "invoice", json.dumps({"order": number}).encode()).json()["invoice"]
    rows = page(FIN, "GET", "rows?table=SalesInvoiceHeadersV2").json()
    assert [(row["InvoiceNumber"], row["SalesOrderNumber"]) for row in rows] == [(invoice, number)]
    journal = finance.call("POST", "CustomerPaymentJournalHeaders", {"JournalName": "CustPay"}).json()
    posted = json.dumps({"journal": journal["JournalBatchNumber"]}).encode()
    assert page(FIN, "POST", "post-journal", posted).status_code == 200
    assert page(FIN, "POST", "strain", b'{"seconds": 5}').status_code == 200
    assert finance.call("GET", "Currencies").status_code == 429


def test_a_column_that_disappears_or_shrinks_is_gone_or_short_for_clients(page, crm):
    (account,) = crm.read("accounts?$select=name,fax&$top=1")["value"]
    address = f"accounts({account['accountid']})"
    shorter = b'{"table": "account", "column": "fax", "max_length": 5}'
    assert page(CRM, "POST", "change-schema", shorter).status_code == 200
    assert crm.call("PATCH", address, {"fax": "123456"}).status_code == 400
    assert crm.call("PATCH", address, {"fax": "12345"}).status_code == 204
    assert page(CRM, "POST", "change-schema", b'{"table": "account", "column": "fax"}').status_code == 200
    assert "named 'fax'" in crm.call("GET", "accounts?$select=fax").json()["error"]["message"]
    assert "fax" not in crm.read(address)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"table": "account", "column": "nothing"}', "there is no column nothing in a table account"),
        (b'{"table": "nothing", "column": "name"}', "there is no column name in a table nothing"),
        (b'{"table": "account", "column": "name"}', "name is a key of account or its name, which stay"),
        (b'{"table": "account", "column": "tl_customerkey"}', "tl_customerkey is a key of account"),
    ],
)
def test_what_cannot_disappear_is_named(page, body, said):
    answer = page(CRM, "POST", "change-schema", body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_mishaps_are_set_in_whole_or_not_at_all(page, sandbox):
    mishaps = sandbox.shops["dev"].webhooks.mishaps
    given = b'{"lost": 0.1, "doubled": 0.2, "late": 0.3, "reordered": true, "seed": 4}'
    assert page(SHOP, "POST", "mishaps", given).status_code == 200
    assert (mishaps.lost, mishaps.doubled, mishaps.late, mishaps.reordered, mishaps.seed) == (
        0.1,
        0.2,
        0.3,
        True,
        4,
    )
    answer = page(SHOP, "POST", "mishaps", b'{"lost": 0.9, "reordered": "yes"}')
    assert "reordered must be true or false" in answer.json()["error"]
    assert mishaps.lost == 0.1


def test_a_history_is_as_long_as_it_was_ordered(make_sandbox):
    made = make_sandbox()
    stock(made, 150)
    (shop,) = made.shops.values()
    assert len(shop.orders) == 150 + 11
    dates = [order["OrderDate"] for order in list(shop.orders.values())[:50]]
    assert dates[0] < dates[-1] < "2026-07-01"


def test_a_stocked_shop_holds_the_awkward_orders_and_the_ordinary_ones_of_its_seed(make_sandbox):
    def sold(seed):
        made = make_sandbox(seed=seed, environments=("dev", "qa"))
        stock(made, 6)
        return {name: list(shop.orders.values()) for name, shop in made.shops.items()}

    first = sold(3)
    assert [len(orders) for orders in first.values()] == [17, 17]
    assert first == sold(3)
    emails = {name: [o["BillingEmail"] for o in orders[11:]] for name, orders in first.items()}
    assert emails["dev"] != emails["qa"]
    assert emails["dev"] != [o["BillingEmail"] for o in sold(4)["dev"][11:]]
