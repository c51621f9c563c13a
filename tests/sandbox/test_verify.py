"""What the sandbox assumes, held against a system that does so, and against one that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tagline.clock import VirtualClock
from tagline.domain.environment import DataverseConnection, FinanceConnection, Shift4ShopConnection
from tagline.sandbox.asked import Asked
from tagline.sandbox.conformance import TABLE, Basis
from tagline.sandbox.dataverse_founding import CUSTOMISER, USER_ID
from tagline.sandbox.dataverse_questions import (
    LOGIN_QUESTIONS,
    ORGANISATION_QUESTIONS,
    empties,
    metadata_cost,
    rounding,
    token_claims,
    week_start,
)
from tagline.sandbox.dataverse_rights import ADMINISTRATOR
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.finance_questions import FINANCE_QUESTIONS, GUESSED_SETS, empty_values
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.shop_questions import SHOP_QUESTIONS, money_back, root_element
from tagline.sandbox.unasked import NO_QUESTION_YET, TAKES_A_WRITE
from tagline.sandbox.verify import QUESTIONS, Agreement, Compared, compare

NOW = datetime(2026, 11, 2, 15, tzinfo=UTC)
"""A Monday."""
MODELS = {"shop": Shift4ShopConnection, "crm": DataverseConnection, "finance": FinanceConnection}
OF_CONNECTION = {
    **dict.fromkeys(SHOP_QUESTIONS, "shop"),
    **dict.fromkeys((*ORGANISATION_QUESTIONS, *LOGIN_QUESTIONS), "crm"),
    **dict.fromkeys(FINANCE_QUESTIONS, "finance"),
}
ASSUMED = [b.constant or b.what for b in TABLE if b.basis is Basis.ASSUMED]


class Altered(httpx.BaseTransport):
    """The sandbox, with one answer replaced."""

    def __init__(self, inner: httpx.BaseTransport, part: str, answer: httpx.Response | None) -> None:
        self._inner = inner
        self._part = part
        self._answer = answer
        self.methods: set[str] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if "login" not in request.url.host:
            self.methods.add(request.method)
        if self._answer is not None and self._part in str(request.url):
            return self._answer
        return self._inner.handle_request(request)


def _asked(sandbox: Sandbox, name: str, transport: httpx.BaseTransport | None = None) -> Asked:
    given = sandbox.connection_configs("dev")
    connection = MODELS[name].model_validate(given[name])
    return Asked(connection, sandbox.clock, sandbox.secret, transport or sandbox.transport())


def _answered(
    sandbox: Sandbox, key: str, part: str = "", answer: httpx.Response | None = None
) -> tuple[str, str]:
    """What is assumed and what was observed, as text; the question may do nothing but GET."""
    transport = Altered(sandbox.transport(), part, answer)
    asked = _asked(sandbox, OF_CONNECTION[key], transport)
    try:
        found = QUESTIONS[key](asked)
    finally:
        asked.close()
    assert transport.methods <= {"GET"}
    assert found is not None, "there is nothing to look at"
    return str(found[0]), str(found[1])


def _compared(name: str, part: str = "", answer: httpx.Response | None = None) -> dict[str, Compared]:
    sandbox = Sandbox(VirtualClock(NOW))
    given = sandbox.connection_configs("dev")
    transport = Altered(sandbox.transport(), part, answer)
    found = compare(
        name,
        MODELS[name].model_validate(given[name]),
        clock=sandbox.clock,
        secrets=sandbox.secret,
        transport=transport,
    )
    told = {c.constant or c.what: c for c in found}
    assert transport.methods == {"GET"}
    return told


def _sold_half(sandbox: Sandbox) -> None:
    """An order of half a piece, whose amount ends in half a cent."""
    organisation = sandbox.organisations["dev"]
    with organisation.entered(), organisation.rows.transaction():
        records = organisation.records
        account = next(iter(organisation.rows.all(tables()["account"])))["accountid"]
        order = records.create(tables()["salesorder"], {"name": "A tie", "customerid": ("account", account)})[
            0
        ]
        line = {
            "salesorderid": ("salesorder", order),
            "isproductoverridden": True,
            "productdescription": "Tea by the leaf",
            "priceperunit": Decimal("0.25"),
            "quantity": Decimal("0.5"),
        }
        records.create(tables()["salesorderdetail"], line)


def _made_on(sandbox: Sandbox, *days: str) -> None:
    """Let the first accounts have been made on those days, the others long ago."""
    organisation, table = sandbox.organisations["dev"], tables()["account"]
    with organisation.entered():
        for index, row in enumerate(organisation.rows.all(table)):
            day = days[index] if index < len(days) else "2020-01-01"
            organisation.rows.put(table, row["accountid"], {**row, "createdon": f"{day}T15:00:00Z"})


@pytest.fixture(scope="module")
def held() -> Sandbox:
    """A sandbox that holds something to look at for every question."""
    sandbox = Sandbox(VirtualClock(NOW))
    sandbox.shops["dev"].place_history(301, seed=1)
    sandbox.finance["dev"].place_history(30, seed=1)
    sandbox.organisations["dev"].place_history(30, seed=1)
    sandbox.finance["dev"].withheld.add("MainAccounts")
    _sold_half(sandbox)
    _made_on(sandbox, "2026-10-31", "2026-11-01", "2026-11-02")
    return sandbox


@contextmanager
def _fewer_rights(sandbox: Sandbox) -> Iterator[None]:
    organisation = sandbox.organisations["dev"]
    organisation.set_roles(USER_ID, CUSTOMISER)
    try:
        yield
    finally:
        organisation.set_roles(USER_ID, ADMINISTRATOR)


def test_every_assumption_has_a_question_or_takes_a_write_or_has_no_question_yet():
    places = [*QUESTIONS, *TAKES_A_WRITE, *NO_QUESTION_YET]
    assert sorted(ASSUMED) == sorted(places)
    assert all((*TAKES_A_WRITE.values(), *NO_QUESTION_YET.values()))


@pytest.mark.parametrize("name", MODELS)
def test_every_assumption_about_a_system_is_listed_and_none_differs(name):
    found = _compared(name)
    assert [c for c in found.values() if c.agreement is Agreement.DIFFERS] == []
    systems = {"shop": ["shift4shop"], "crm": ["dataverse", "login"], "finance": ["finance", "login"]}[name]
    assert list(found) == [
        b.constant or b.what for b in TABLE if b.basis is Basis.ASSUMED and b.system in systems
    ]
    for key, one in found.items():
        if key in TAKES_A_WRITE:
            assert (one.agreement, one.observed) == (Agreement.TAKES_A_WRITE, TAKES_A_WRITE[key])
        if key in NO_QUESTION_YET:
            assert (one.agreement, one.observed) == (Agreement.NO_QUESTION_YET, NO_QUESTION_YET[key])


@pytest.mark.parametrize("key", QUESTIONS)
def test_the_sandbox_agrees_with_itself(held, key):
    if key == "MISSING_PRIVILEGE_CODE":
        with _fewer_rights(held):
            assumed, observed = _answered(held, key)
    else:
        assumed, observed = _answered(held, key)
    assert assumed == observed


SWITCHED: Mapping[str, Mapping[str, Any]] = {
    "UNAUTHORISED_BODY": {"unauthorised_body": None},
    "LIMIT_ABOVE_CAP_IS_CLAMPED": {"limit_above_cap_is_clamped": False},
    "OFFSET_ZERO_IS_ONE": {"offset_zero_is_one": False},
    "WEBHOOK_EVENTS": {"webhook_events": {1: "Order New", 9: "Order Status Change"}},
    "ERROR_BODIES": {"error_bodies": False},
    "NAME_FILTERS_CONTAIN": {"name_filters_contain": False},
    "UNSAFE_KEY_CHARACTERS": {"unsafe_key_characters": frozenset()},
    "DELTA_EXPIRED_STATUS": {"delta_expired_status": 400},
    "UNTRACKED_CODE": {"untracked_code": "0x80040203"},
    "COUNT_HAS_BOM": {"count_has_bom": False},
    "DOP_HINT": {"dop_hint": 48},
    "METADATA_IS_FREE": {"metadata_is_free": False},
    "WEEK_STARTS_ON": {"week_starts_on": 0},
    "MISSING_PRIVILEGE_CODE": {"missing_privilege_code": "0x80048306"},
    "FINANCE_PAGE_OPTION": {"page_option": "$skip"},
    "FINANCE_PATHS_GO_BELOW_ROWS": {"paths_go_below_rows": False},
    "FINANCE_WITHHELD_STATUS": {"withheld_status": 401},
}
"""By question, what a system that does otherwise has for a quirk."""


@pytest.mark.parametrize("key", SWITCHED)
def test_a_quirk_that_is_turned_differs(held, key):
    site = {"shop": held.shops, "crm": held.organisations, "finance": held.finance}[OF_CONNECTION[key]]["dev"]
    before = site.quirks
    site.quirks = replace(before, **SWITCHED[key])
    try:
        if key == "MISSING_PRIVILEGE_CODE":
            with _fewer_rights(held):
                assumed, observed = _answered(held, key)
        else:
            assumed, observed = _answered(held, key)
    finally:
        site.quirks = before
    assert assumed != observed


def _refunded(**turned: Any) -> Sandbox:
    sandbox = Sandbox(VirtualClock(NOW))
    shop = sandbox.shops["dev"]
    shop.quirks = replace(shop.quirks, **turned)
    shop.place_history(301, seed=1)
    return sandbox


def _converted(**turned: Any) -> Sandbox:
    sandbox = Sandbox(VirtualClock(NOW))
    organisation = sandbox.organisations["dev"]
    organisation.quirks = replace(organisation.quirks, **turned)
    organisation.place_history(30, seed=1)
    return sandbox


def _rounded() -> Sandbox:
    sandbox = Sandbox(VirtualClock(NOW))
    organisation = sandbox.organisations["dev"]
    organisation.quirks = replace(organisation.quirks, rounding="ROUND_HALF_EVEN")
    _sold_half(sandbox)
    return sandbox


def _reserved() -> Sandbox:
    sandbox = Sandbox(VirtualClock(NOW))
    finance = sandbox.finance["dev"]
    finance.quirks = replace(finance.quirks, reservation="Manual")
    finance.place_history(30, seed=1)
    return sandbox


LED_ELSEWHERE: Mapping[str, Callable[[], Sandbox]] = {
    "REFUND_TYPE": lambda: _refunded(refund_type="Refund"),
    "REFUND_IS_NEGATIVE": lambda: _refunded(refund_is_negative=False),
    "CONVERTED_ORDER_IS_INVOICED": lambda: _converted(converted_order_is_invoiced=False),
    "CONVERTED_INVOICE_IS_PRICE_LOCKED": lambda: _converted(converted_invoice_is_price_locked=False),
    "ROUNDING": _rounded,
    "FINANCE_RESERVATION": _reserved,
}
"""By question, a system whose records another behaviour has left behind."""


@pytest.mark.parametrize("key", LED_ELSEWHERE)
def test_records_that_another_behaviour_left_behind_differ(key):
    assumed, observed = _answered(LED_ELSEWHERE[key](), key)
    assert assumed != observed


def _json(body: object, status: int = 200) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, json=body)


ANSWERED: Mapping[str, tuple[str, Callable[[], httpx.Response]]] = {
    "StoreTimeZone holds an IANA name": (
        "StoreSettings",
        _json([{"StoreStandards": {"StoreTimeZone": "Eastern"}}]),
    ),
    "ERROR_VALUE": ("offset=100000", _json([{"Key": "Error", "Value": "0", "Status": "Failure"}], 400)),
    "STATUS_12": ("OrderStatus?limit=100", _json([{"OrderStatusID": 12, "StatusDefinition": "Review"}])),
    "XML_NAMES": ("OrderStatus?limit=1", lambda: httpx.Response(200, text="<OrderStatuses/>")),
    "LASTUPDATE_END_IS_MIDNIGHT": ("lastupdateend", _json([{"OrderID": 1001}])),
    "UNAUTHORISED_CHALLENGE": ("WhoAmI", lambda: httpx.Response(401)),
    "UNTRACKED_TABLES": ("EntityDefinitions", _json({"ChangeTrackingEnabled": True})),
    "decimals of money": (
        "salesorders",
        lambda: httpx.Response(200, text='{"value":[{"totalamount":235.40}]}'),
    ),
    "PRIVILEGE_NOUNS": ("privileges", _json({"value": [{"name": "prvReadAccount"}]})),
    "FETCH_LINKED_NAME": ("systemusers", _json({"value": [{"fullname": "SYSTEM", "bu_x002e_name": "s"}]})),
    "COLLECTION_NAME": (
        "OneToMany",
        _json(
            {
                "value": [
                    {
                        "ReferencingEntity": "invoicedetail",
                        "ReferencingAttribute": "productid",
                        "ReferencedEntityNavigationPropertyName": "product_invoice_details",
                    }
                ]
            }
        ),
    ),
    "`ne` includes rows where the column is empty": ("%20ne%20", _json({"@odata.count": 2, "value": []})),
    "FINANCE_CHALLENGE": ("LegalEntities", lambda: httpx.Response(401)),
    "FINANCE_MISSING_ROW_MESSAGE": ("~none~", _json([], 404)),
    ", ".join(GUESSED_SETS): ("/data/", _json({"value": [{"name": "SalesOrderLines"}]})),
    "empty dates of 1900, empty text for null, dates at noon": (
        "SalesPriceAgreements",
        _json({"value": [{"PriceApplicableFromDate": "2026-01-01T00:00:00Z", "PriceWarehouseId": None}]}),
    ),
}
"""By question, what another system answers where the sandbox has no switch."""


@pytest.mark.parametrize("key", ANSWERED)
def test_an_answer_of_another_kind_differs(held, key):
    part, answer = ANSWERED[key]
    assumed, observed = _answered(held, key, part, answer())
    assert assumed != observed


def test_every_question_was_seen_to_differ():
    seen = [*SWITCHED, *LED_ELSEWHERE, *ANSWERED, "LOGIN_TOKEN_VERSION"]
    assert sorted(QUESTIONS) == sorted(seen)


@pytest.mark.parametrize(
    ("claims", "version"),
    [
        ({"appid": "a", "iss": "https://sts.windows.net/t/"}, "1"),
        ({"azp": "a", "iss": "https://login.microsoftonline.com/t/v2.0"}, "2"),
        ({"iss": ["x"]}, "neither 1 nor 2"),
    ],
    ids=["one", "two", "neither"],
)
def test_a_token_tells_its_version_by_its_claims(claims, version):
    found = token_claims(claims)
    assert found is not None
    assert str(found[1]) == version


def test_a_week_begins_between_the_last_row_of_one_and_the_first_of_the_next():
    saturday, sunday, monday = date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2)
    assert week_start(saturday, sunday) == (6, "6")
    assert week_start(sunday, monday) == (6, "0")
    assert week_start(saturday, monday) is None, "it might be either"
    assert week_start(None, monday) is None


def test_lines_without_a_tie_say_nothing_of_rounding():
    line = {"priceperunit": 0.12, "quantity": 1, "baseamount": 0.12}
    assert rounding([line]) is None
    assert rounding([line | {"priceperunit": 0.125, "baseamount": 0.13}]) == (
        "ROUND_HALF_UP",
        "ROUND_HALF_UP",
    )
    assert rounding([line | {"priceperunit": 0.125, "baseamount": 9}]) == (
        "ROUND_HALF_UP",
        "none of those known",
    )
    assert rounding([{"priceperunit": "x"}, {"quantity": []}]) is None


def test_counts_that_somebody_else_moved_or_that_were_cut_off_say_nothing():
    assert metadata_cost(5999, 5990) is None
    assert metadata_cost(None, 5990) is None
    assert empties(5000, 5, 5000) is None
    assert empties(30, 0, 30) is None, "no row is empty there"


def test_judges_take_what_makes_no_sense():
    assert (
        money_back([{"TransactionList": [1, {"TransactionAmount": "n/a"}]}, {"TransactionList": "x"}]) == []
    )
    assert root_element("nothing") == "no XML"
    assert root_element('<?xml version="1.0"?><A xmlns="http://x"/>') == "A in a namespace"
    assert empty_values([]) is None


@pytest.mark.parametrize(
    ("part", "body"),
    [
        ("countonly", {"TotalCount": [1]}),
        ("countonly", {"TotalCount": "many"}),
        ("StoreSettings", [{"StoreStandards": {"StoreTimeZone": ["Eastern"]}}]),
        ("Events", [{"EventType": [1], "EventName": {}}]),
        ("OrderStatus", [[1], "x", {"OrderStatusID": []}]),
    ],
    ids=["count-list", "count-text", "zone", "event", "status"],
)
def test_nonsense_of_a_live_system_is_no_agreement_and_no_traceback(part, body):
    found = _compared("shop", part, httpx.Response(200, json=body))
    assert any(c.agreement is not Agreement.AGREES for c in found.values())


@pytest.mark.parametrize(("name", "part"), [("shop", "/v2/"), ("crm", "/api/data/"), ("finance", "/data/")])
@pytest.mark.parametrize(
    "answer",
    [
        lambda: httpx.Response(200, html="<html>Sign in</html>"),
        lambda: httpx.Response(200, json={"value": ["x", [1], {"name": []}], "@odata.count": "many"}),
        lambda: httpx.Response(404),
    ],
    ids=["page", "values", "nothing"],
)
def test_a_system_that_answers_nonsense_to_everything_is_compared_to_the_end(name, part, answer):
    found = _compared(name, part, answer())
    assert {c.agreement for c in found.values()} >= {Agreement.DIFFERS, Agreement.TAKES_A_WRITE}
