"""What the sandbox assumes, held against a system that does so, and against one that does not."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from tagline.clock import VirtualClock
from tagline.domain.environment import DataverseConnection, FinanceConnection, Shift4ShopConnection
from tagline.sandbox.conformance import TABLE, Basis
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.verify import GUESSED_SETS, QUESTIONS, Agreement, Compared, compare


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


def _compared(name: str, part: str = "", answer: httpx.Response | None = None) -> dict[str, Compared]:
    sandbox = Sandbox(VirtualClock(datetime(2026, 11, 2, 15, tzinfo=UTC)))
    sandbox.shops["dev"].place_orders(301, seed=1)
    given = sandbox.connection_configs("dev")
    model = {"shop": Shift4ShopConnection, "crm": DataverseConnection, "finance": FinanceConnection}[name]
    transport = Altered(sandbox.transport(), part, answer)
    found = compare(
        name,
        model.model_validate(given[name]),
        clock=sandbox.clock,
        secrets=lambda reference: str(given["secrets"][reference.removeprefix("env:")]),
        transport=transport,
    )
    told = {c.constant or c.what: c for c in found}
    assert transport.methods == {"GET"}
    return told


@pytest.mark.parametrize(
    ("name", "system"), [("shop", "shift4shop"), ("crm", "dataverse"), ("finance", "finance")]
)
def test_the_sandbox_agrees_with_itself_and_every_assumption_is_listed(name, system):
    found = _compared(name)
    assert [c for c in found.values() if c.agreement is Agreement.DIFFERS] == []
    assumed = [b.constant or b.what for b in TABLE if b.system == system and b.basis is Basis.ASSUMED]
    assert list(found) == assumed
    shown = {n for n, c in found.items() if c.agreement is Agreement.AGREES}
    assert shown == set(QUESTIONS) & set(assumed) - {"decimals of money"}


@pytest.mark.parametrize(
    ("name", "part", "answer", "constant"),
    [
        ("shop", "limit=301", httpx.Response(400), "LIMIT_ABOVE_CAP_IS_CLAMPED"),
        ("finance", "~none~", httpx.Response(404, json=[]), "FINANCE_MISSING_ROW_MESSAGE"),
        (
            "finance",
            "Currencies?",
            httpx.Response(200, json={"@odata.nextLink": "https://fin/data/Currencies?$skip=1"}),
            "FINANCE_PAGE_OPTION",
        ),
        ("finance", "/CurrencyCode", httpx.Response(404), "FINANCE_PATHS_GO_BELOW_ROWS"),
        (
            "finance",
            "/data/",
            httpx.Response(
                200, json={"value": [{"name": "SalesOrderLines"}, {"name": "ReleasedProductsV3"}]}
            ),
            ", ".join(GUESSED_SETS),
        ),
        ("shop", "offset=0", httpx.Response(400), "OFFSET_ZERO_IS_ONE"),
        (
            "shop",
            "StoreSettings",
            httpx.Response(200, json=[{"StoreStandards": {"StoreTimeZone": "Eastern"}}]),
            "StoreTimeZone holds an IANA name",
        ),
        (
            "shop",
            "Events",
            httpx.Response(200, json=[{"EventType": 9, "EventName": "Order New"}]),
            "WEBHOOK_EVENTS",
        ),
        (
            "crm",
            "deltatoken",
            httpx.Response(400, json={"error": {"code": "0x80044352"}}),
            "DELTA_EXPIRED_STATUS",
        ),
        ("shop", "offset=100000", httpx.Response(400), "ERROR_BODIES"),
        (
            "shop",
            "offset=100000",
            httpx.Response(400, json=[{"Key": "Error", "Value": "0", "Status": "Failure"}]),
            "ERROR_VALUE",
        ),
        (
            "shop",
            "OrderStatus?limit=100",
            httpx.Response(200, json=[{"OrderStatusID": 12, "StatusDefinition": "Review"}]),
            "STATUS_12",
        ),
        ("crm", "$count", httpx.Response(200, content=b"4"), "COUNT_HAS_BOM"),
        (
            "crm",
            "isocurrencycode",
            httpx.Response(404, json={"error": {"code": "0x80060891"}}),
            "UNSAFE_KEY_CHARACTERS",
        ),
    ],
)
def test_a_system_that_does_otherwise_is_shown_beside_the_assumption(name, part, answer, constant):
    found = _compared(name, part, answer)[constant]
    assert found.agreement is Agreement.DIFFERS
    assert found.observed != found.assumed


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
