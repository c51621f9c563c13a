import json
from datetime import datetime
from decimal import Decimal
from importlib.resources import files

import pytest

from tagline.connectors.dataverse import Account, Contact, Invoice, Product, SalesOrder
from tagline.connectors.dataverse.actions import ACTIONS, FULFIL_PATHS
from tagline.connectors.dataverse.events import EVENTS
from tagline.connectors.odata.batch import requests_of
from tagline.domain.exchange import Write, WriteKind
from tagline.errors import Disposition

ROOT = "/api/data/v9.2"
ONE = "00000000-0000-0000-0000-000000000001"
TWO = "00000000-0000-0000-0000-000000000002"
DONE, DEAD = Disposition.DONE, Disposition.DEAD_LETTER
UNKNOWN = (404, {}, {"error": {"code": "0x8006088a", "message": "Resource not found for the segment 'x'."}})


def act(model, action, *, row_id=ONE, **fields):
    return Write(WriteKind.ACT, model, (("x", "k"),), fields, id=row_id, etag='W/"1"', action=action)


@pytest.fixture
def serving(multipart, make_dataverse):
    """A client, the inner requests it sent, and how many batches they were; `answer` gives the parts."""

    def make(answer):
        seen, batches = [], []

        def organisation(request):
            inner = requests_of(request.headers["content-type"], request.content)
            seen.extend(inner)
            batches.append(len(inner))
            return multipart(*[answer(part) for part in inner])

        return make_dataverse(organisation), seen, batches

    return make


@pytest.mark.parametrize(
    ("model", "action", "state"),
    [
        (SalesOrder, "SubmitSalesOrder", (1, 3)),
        (SalesOrder, "ReopenSalesOrder", (0, 1)),
        (Invoice, "PayInvoice", (2, 100001)),
        (Invoice, "CancelInvoice", (3, 100003)),
        (Product, "PublishProduct", (0, 1)),
        (Product, "ReviseProduct", (3, 3)),
        (Product, "RetireProduct", (1, 2)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_of_state_is_conditional_and_tells_the_new_version(serving, model, action, state):
    row = {"@odata.etag": 'W/"2"', model.remote.primary_id: ONE}
    client, seen, _ = serving(lambda _: (200, {}, row))
    [outcome] = client.perform([act(model, action)])
    assert (outcome.disposition, outcome.id, outcome.etag) == (DONE, ONE, 'W/"2"')
    assert (seen[0].method, seen[0].headers["If-Match"]) == ("PATCH", 'W/"1"')
    assert tuple(json.loads(seen[0].body).values()) == state


def test_an_invoice_can_be_paid_in_part(serving):
    client, seen, _ = serving(lambda _: (204, {}, None))
    client.perform([act(Invoice, "PayInvoice", Status=100002)])
    assert json.loads(seen[0].body) == {"statecode": 2, "statuscode": 100002}


def test_a_conversion_tells_the_invoice_it_made_and_keeps_the_orders_id(serving):
    client, seen, _ = serving(lambda _: (200, {}, {"@odata.etag": 'W/"9"', "invoiceid": TWO}))
    [outcome] = client.perform([act(SalesOrder, "ConvertSalesOrderToInvoice")])
    assert (outcome.disposition, outcome.id, outcome.result_id, outcome.etag) == (DONE, ONE, TWO, None)
    assert seen[0].url == f"{ROOT}/ConvertSalesOrderToInvoice"
    assert json.loads(seen[0].body) == {
        "SalesOrderId": ONE,
        "ColumnSet": {"AllColumns": False, "Columns": ["invoiceid"]},
    }


@pytest.mark.parametrize("model", [Account, Contact])
def test_a_merge_names_who_stays_and_who_goes(serving, model):
    client, seen, _ = serving(lambda _: (204, {}, None))
    [outcome] = client.perform([act(model, "Merge", Subordinate=TWO)])
    body = json.loads(seen[0].body)
    assert (outcome.disposition, seen[0].url) == (DONE, f"{ROOT}/Merge")
    assert (body["Target"][model.remote.primary_id], body["Subordinate"][model.remote.primary_id]) == (
        ONE,
        TWO,
    )
    assert body["Target"]["@odata.type"] == f"Microsoft.Dynamics.CRM.{model.remote.entity}"


@pytest.mark.parametrize(
    "write",
    [
        act(Account, "Merge"),
        act(Account, "Merge", Subordinate="canary"),
        act(SalesOrder, "ConvertSalesOrderToInvoice", row_id=None),
    ],
    ids=["no-subordinate", "no-guid", "no-id"],
)
def test_an_action_without_the_ids_it_needs_is_a_dead_letter(make_dataverse, write):
    [outcome] = make_dataverse(lambda r: pytest.fail("sent")).perform([write])
    assert (outcome.disposition, outcome.code) == (DEAD, "key-not-addressable")
    assert "canary" not in str(outcome)


@pytest.mark.parametrize(
    "fields",
    [{"Status": Decimal("NaN")}, {"subject": object()}, {"actualend": datetime(2026, 1, 2)}],  # noqa: DTZ001
    ids=["not-finite", "no-json", "no-zone"],
)
def test_a_parameter_without_a_form_is_its_own_dead_letter(serving, fields):
    client, seen, _ = serving(lambda _: (204, {}, None))
    bad, good = client.perform(
        [act(SalesOrder, "FulfillSalesOrder", **fields), act(SalesOrder, "FulfillSalesOrder")]
    )
    assert (bad.disposition, bad.code, good.disposition) == (DEAD, "value-not-sendable", DONE)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("model", "action"), [(model, action) for model, known in ACTIONS.items() for action in known]
)
def test_a_parameter_of_another_action_is_refused(make_dataverse, model, action):
    [outcome] = make_dataverse(lambda r: pytest.fail("sent")).perform([act(model, action, Colour="red")])
    assert (outcome.disposition, outcome.code) == (DEAD, "not-supported")


def test_the_other_address_of_a_fulfilment_is_learned_once(serving):
    client, seen, batches = serving(lambda part: (204, {}, None) if part.url == FULFIL_PATHS[1] else UNKNOWN)
    outcomes = client.perform([act(SalesOrder, "FulfillSalesOrder"), act(SalesOrder, "FulfillSalesOrder")])
    assert [o.disposition for o in outcomes] == [DONE, DONE]
    assert batches == [2, 2]
    client.perform([act(SalesOrder, "FulfillSalesOrder")])
    assert (batches, seen[-1].url) == ([2, 2, 1], FULFIL_PATHS[1])


def test_a_fulfilment_that_no_address_knows_is_a_dead_letter_and_nothing_is_learned(serving):
    client, seen, _ = serving(lambda _: UNKNOWN)
    for _ in range(2):
        [outcome] = client.perform([act(SalesOrder, "FulfillSalesOrder")])
        assert (outcome.disposition, outcome.code) == (DEAD, "query-refused")
    assert [part.url for part in seen] == [*FULFIL_PATHS, *FULFIL_PATHS]


def test_a_fulfilment_that_is_refused_for_its_order_is_not_sent_again(serving):
    client, _, batches = serving(lambda _: (400, {}, {"error": {"code": "0x80040203", "message": ""}}))
    [outcome] = client.perform([act(SalesOrder, "FulfillSalesOrder")])
    assert (outcome.code, batches) == ("argument-refused", [1])


def test_the_guide_names_every_action_and_event():
    guide = (files("tagline") / "docs" / "connect.md").read_text("utf-8")
    actions = {action for known in ACTIONS.values() for action in known}
    assert [action for action in sorted(actions) if f"`{action}`" not in guide] == []
    tables = {event.model.remote.entity.removeprefix("msdyn_") for event in EVENTS.values()}
    assert [t for t in sorted(tables) if f"`{t}`" not in guide and f"`{t}_changed`" not in guide] == []
