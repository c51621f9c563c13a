"""Webhooks of the organisation: what is posted, when, with which body and secret, and what a failure does."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tagline.connectors.dataverse.context import read_context
from tagline.sandbox.dataverse_founding import ORGANISATION_ID, USER_ID

URL = "https://intake.test/hooks/token"


class Receiver:
    """Takes what is posted and answers with what it was told to."""

    def __init__(self):
        self.requests = []
        self.answers = []

    def __call__(self, request):
        self.requests.append(request)
        return self.answers.pop(0) if self.answers else 200

    @property
    def contexts(self):
        return [json.loads(request.body, parse_float=Decimal) for request in self.requests]


@pytest.fixture
def receiver(sandbox):
    receiver = Receiver()
    sandbox.organisations["dev"].webhooks.send = receiver
    return receiver


@pytest.fixture
def deliver(sandbox, clock, receiver):
    """Let time pass until asynchronous deliveries are due, and send them."""

    def deliver():
        clock.advance(5)
        return sandbox.organisations["dev"].webhooks.deliver(receiver)

    return deliver


def register(crm, message="Update", table="account", *, mode=1, images=(), endpoint=None, **step):
    facts = {
        "name": "hook",
        "url": URL,
        "contract": 8,
        "authtype": 4,
        "authvalue": "se cret",
        **(endpoint or {}),
    }
    made = crm.call("POST", "serviceendpoints", facts).headers["OData-EntityId"]
    (found,) = crm.read(
        f"sdkmessagefilters?$select=_sdkmessageid_value&$filter=primaryobjecttypecode eq '{table}' "
        f"and sdkmessageid/name eq '{message}'"
    )["value"]
    body = {
        "name": f"hook: {message} of {table}",
        "eventhandler_serviceendpoint@odata.bind": made,
        "sdkmessageid@odata.bind": f"/sdkmessages({found['_sdkmessageid_value']})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({found['sdkmessagefilterid']})",
        "stage": 40,
        "mode": mode,
        "rank": 1,
        "supporteddeployment": 0,
        **step,
    }
    answer = crm.call("POST", "sdkmessageprocessingsteps", body)
    assert answer.status_code == 204, answer.text
    for alias, kind, columns in images:
        image = {
            "name": alias,
            "entityalias": alias,
            "imagetype": kind,
            "attributes": columns,
            "messagepropertyname": "Target",
            "sdkmessageprocessingstepid@odata.bind": answer.headers["OData-EntityId"],
        }
        assert crm.call("POST", "sdkmessageprocessingstepimages", image).status_code == 204
    return answer.headers["OData-EntityId"]


def attributes(entity):
    return {a["key"]: a["value"] for a in entity["Attributes"]}


def named(pairs):
    return {pair["key"]: pair["value"] for pair in pairs}


PATH = "accounts(tl_customerkey='k')"


def test_an_asynchronous_step_is_posted_seconds_after_the_commit(crm, receiver, deliver, sandbox):
    crm.call("PATCH", PATH, {"name": "A"})
    register(crm)
    crm.call("PATCH", PATH, {"name": "B"})
    webhooks = sandbox.organisations["dev"].webhooks
    assert (receiver.requests, webhooks.deliver(receiver)) == ([], 0), "not at once"
    assert deliver() == 1
    (request,) = receiver.requests
    assert request.url == f"{URL}?code=se%20cret"
    assert request.headers["x-ms-dynamics-entity-name"] == "account"
    assert request.headers["x-ms-dynamics-request-name"] == "Update"
    assert request.headers["x-ms-dynamics-organization"] == "org-dev.sandbox.test"
    assert uuid.UUID(request.headers["x-request-id"])
    assert deliver() == 0


def test_an_update_tells_the_changed_columns_and_what_comes_with_them(crm, receiver, deliver):
    crm.call("PATCH", PATH, {"name": "A", "telephone1": "1"})
    account = crm.read(PATH)["accountid"]
    step = register(crm)
    crm.call("PATCH", PATH, {"telephone1": None, "creditlimit": 5, "industrycode": 1})
    deliver()
    (context,) = receiver.contexts
    assert (context["MessageName"], context["PrimaryEntityName"]) == ("Update", "account")
    assert (context["PrimaryEntityId"], context["OrganizationId"]) == (account, ORGANISATION_ID)
    assert (context["Stage"], context["Mode"], context["IsInTransaction"]) == (40, 1, False)
    assert context["InitiatingUserId"] == USER_ID
    assert context["OwningExtension"]["Id"] == step[-37:-1]
    told = attributes(named(context["InputParameters"])["Target"])
    assert set(told) == {"accountid", "telephone1", "creditlimit", "industrycode", "modifiedon", "modifiedby"}
    assert told["telephone1"] is None
    assert told["creditlimit"]["__type"].startswith("Money:")
    assert told["industrycode"]["Value"] == 1
    assert told["modifiedby"]["LogicalName"] == "systemuser"
    assert set(named(context["PostEntityImages"])) == {"AsynchronousStepPrimaryName"}
    assert context["PreEntityImages"] == []


def test_the_connector_reads_what_is_posted(crm, receiver, deliver, clock):
    crm.call("PATCH", PATH, {"name": "A"})
    register(crm)
    register(crm, "Create", "contact", mode=0)
    happened = clock.now()
    crm.call("PATCH", PATH, {"name": "B"})
    crm.call("POST", "contacts", {"lastname": "P"})
    deliver()
    told = [read_context(r.body, r.headers) for r in receiver.requests]
    assert {(t.message, t.entity) for t in told} == {("Create", "contact"), ("Update", "account")}
    assert {t.at for t in told} == {happened.replace(microsecond=0)}


def test_create_tells_the_row_and_delete_a_reference(crm, receiver, deliver):
    register(crm, "Create", "contact")
    register(crm, "Delete", "contact")
    path = crm.call("POST", "contacts", {"firstname": "Ada", "lastname": "L"}).headers["OData-EntityId"]
    crm.call("DELETE", path)
    deliver()
    made, gone = receiver.contexts
    assert attributes(named(made["InputParameters"])["Target"])["fullname"] == "Ada L"
    assert made["OutputParameters"] == [{"key": "id", "value": path[-37:-1]}]
    target = named(gone["InputParameters"])["Target"]
    assert target["__type"].startswith("EntityReference:")
    assert target["Id"] == path[-37:-1]


def test_images_are_those_registered_before_and_after(crm, receiver, deliver):
    crm.call("PATCH", PATH, {"name": "A", "telephone1": "1"})
    register(crm, mode=0, images=[("pre", 0, "name"), ("post", 1, "name,telephone1"), ("both", 2, "name")])
    crm.call("PATCH", PATH, {"name": "B"})
    (context,) = receiver.contexts
    before, after = named(context["PreEntityImages"]), named(context["PostEntityImages"])
    assert (set(before), set(after)) == ({"pre", "both"}, {"post", "both"})
    assert attributes(before["pre"])["name"] == "A"
    assert {k: v for k, v in attributes(after["post"]).items() if k != "accountid"} == {
        "name": "B",
        "telephone1": "1",
    }


def test_a_step_with_a_filter_is_told_of_those_columns_alone(crm, receiver, deliver):
    crm.call("PATCH", PATH, {"name": "A"})
    register(crm, filteringattributes="name,telephone1")
    crm.call("PATCH", PATH, {"description": "x"})
    assert deliver() == 0
    crm.call("PATCH", PATH, {"telephone1": "1", "description": "y"})
    assert deliver() == 1


def test_what_is_taken_back_is_not_told(crm, receiver, deliver):
    register(crm, "Create", "account")
    body = {"name": "firm", "contact_customer_accounts": [{"lastname": "x" * 51}]}
    assert crm.call("POST", "accounts", body).status_code == 400
    assert deliver() == 0


@pytest.mark.parametrize("answer", [500, 404, None], ids=str)
def test_a_failed_synchronous_step_takes_the_write_back(crm, receiver, answer):
    crm.call("PATCH", PATH, {"name": "A"})
    register(crm, mode=0)
    receiver.answers = [answer]
    refused = crm.call("PATCH", PATH, {"name": "B"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "0x80040265")
    assert crm.read(PATH)["name"] == "A"
    (context,) = receiver.contexts
    assert (context["Mode"], context["IsInTransaction"]) == (0, True)
    assert "+" not in context["OperationCreatedOn"]
    assert crm.call("PATCH", PATH, {"name": "C"}).status_code == 204


@pytest.mark.parametrize(("status", "calls"), [(502, 2), (503, 2), (504, 2), (500, 1), (400, 1), (None, 1)])
def test_only_a_receiver_that_is_away_is_tried_once_more(crm, receiver, deliver, status, calls):
    register(crm, "Create", "account")
    crm.call("POST", "accounts", {"name": "A"})
    receiver.answers = [status, status]
    assert deliver() == 0
    assert len(receiver.requests) == calls
    (row,) = crm.read("asyncoperations?$select=statecode,statuscode,message&$filter=operationtype eq 1")[
        "value"
    ]
    assert (row["statecode"], row["statuscode"]) == (3, 31)
    assert (str(status) in row["message"]) or status is None
    assert deliver() == 0, "and never again"


@pytest.mark.parametrize("deletes_itself", [True, False])
def test_a_delivery_is_a_background_operation(crm, receiver, deliver, deletes_itself):
    register(crm, "Create", "account", asyncautodelete=deletes_itself)
    crm.call("POST", "accounts", {"name": "A"})
    query = "asyncoperations?$select=statecode,statuscode&$filter=operationtype eq 1"
    (row,) = crm.read(query)["value"]
    assert row["statecode"] == 0
    deliver()
    assert receiver.contexts[0]["OperationId"] == row["asyncoperationid"]
    left = crm.read(query)["value"]
    assert [r["statuscode"] for r in left] == ([] if deletes_itself else [30])


def test_other_ways_to_authenticate(crm, receiver, deliver):
    settings = '<settings><setting name="X-Key" value="v1" /></settings>'
    register(crm, "Create", "account", endpoint={"authtype": 5, "authvalue": settings})
    register(crm, "Create", "account", endpoint={"url": f"{URL}?a=b", "authtype": 6, "authvalue": settings})
    crm.call("POST", "accounts", {"name": "A"})
    deliver()
    by_header, by_query = receiver.requests
    assert (by_header.url, by_header.headers["x-key"]) == (URL, "v1")
    assert by_query.url == f"{URL}?a=b&X-Key=v1"


def test_a_large_context_is_cut_and_says_so(crm, receiver, deliver):
    register(crm, "Create", "account", images=[(f"i{n}", 1, "description") for n in range(140)])
    for length in (10, 2000):
        crm.call("POST", "accounts", {"name": "A", "description": "x" * length})
    deliver()
    whole, cut = receiver.requests
    assert "x-ms-dynamics-msg-size-exceeded" not in whole.headers
    assert cut.headers["x-ms-dynamics-msg-size-exceeded"] == "true"
    assert len(cut.body) < len(whole.body) < 256 * 1024
    context = receiver.contexts[1]
    dropped = ("ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages")
    assert {context[name] for name in dropped} == {None}
    assert read_context(cut.body, cut.headers).row_id == context["PrimaryEntityId"]


def test_a_disabled_step_and_another_contract_post_nothing(crm, receiver, deliver):
    step = register(crm, "Create", "account")
    register(crm, "Create", "account", endpoint={"contract": 2})
    crm.call("PATCH", step, {"statecode": 1, "statuscode": 2})
    crm.call("POST", "accounts", {"name": "A"})
    assert deliver() == 0


def test_steps_can_be_bypassed_by_header(crm, receiver, deliver):
    register(crm, "Create", "account", mode=0)
    register(crm, "Create", "account", mode=1)
    crm.headers["MSCRM.BypassCustomPluginExecution"] = "true"
    crm.call("POST", "accounts", {"name": "A"})
    assert (len(receiver.requests), deliver()) == (0, 1)
    del crm.headers["MSCRM.BypassCustomPluginExecution"]
    crm.headers["MSCRM.BypassBusinessLogicExecution"] = "CustomAsync"
    crm.call("POST", "accounts", {"name": "A"})
    assert (len(receiver.requests), deliver()) == (2, 0)


def test_the_tag_of_a_request_is_told(crm, receiver, deliver):
    register(crm, "Create", "account")
    crm.call("POST", "accounts?tag=tagline", {"name": "A"})
    deliver()
    assert named(receiver.contexts[0]["SharedVariables"])["tag"] == "tagline"


def test_every_row_of_a_bulk_message_is_told(crm, receiver, deliver):
    register(crm, "Create", "account")
    kind = "Microsoft.Dynamics.CRM.account"
    targets = [{"@odata.type": kind, "name": str(n)} for n in range(3)]
    crm.call("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": targets})
    assert deliver() == 3
    assert [attributes(named(c["InputParameters"])["Target"])["name"] for c in receiver.contexts] == [
        "0",
        "1",
        "2",
    ]


def test_the_instant_of_an_asynchronous_context_is_off_by_its_zone(crm, receiver, deliver, clock):
    register(crm, "Create", "account")
    happened = clock.now()
    crm.call("POST", "accounts", {"name": "A"})
    deliver()
    text = receiver.contexts[0]["OperationCreatedOn"]
    milliseconds, zone = int(text[6:-7]), text[-7:-2]
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:])) * (-1 if zone[0] == "-" else 1)
    assert datetime.fromtimestamp(milliseconds / 1000, UTC) + offset == happened
