import copy
import json
import re
from functools import partial
from urllib.parse import parse_qs

import httpx
import pytest

from tagline.connectors.dataverse import Account, Dataverse, SalesOrder
from tagline.connectors.dataverse.events import EVENTS
from tagline.connectors.hooks import name_of
from tagline.connectors.odata.batch import requests_of
from tagline.domain.environment import Identity
from tagline.domain.system import Trigger, connection
from tagline.errors import RefusedError, UsageError

URL = "https://in.test/hooks/o2c/crm"
TOKEN = "canary-hook-0123456"
DEPLOY = Identity(client_id="deployer", client_secret="env:KEY")


def guid(number):
    return f"00000000-0000-0000-0000-{number:012}"


class Registry:
    """Service endpoints and steps of an organisation, and the messages it knows on tables."""

    def __init__(self, multipart, unknown=()):
        self.multipart = multipart
        self.unknown = unknown
        self.rows = {"serviceendpoints": {}, "sdkmessageprocessingsteps": {}}
        self.written = []
        self.queries = []
        self.refuse = ""
        self.forbidden = ""
        self.callers = []
        self.last = 0

    def __call__(self, request):
        path = request.url.path.removeprefix("/api/data/v9.2/")
        self.queries.append(str(request.url))
        caller = request.headers["authorization"].rpartition("canary-access-of-")[2]
        inner = (
            requests_of(request.headers["content-type"], request.content) if path == "$batch" else [request]
        )
        self.callers += [(each.method, caller) for each in inner]
        if caller == self.forbidden:
            return httpx.Response(403, json={"error": {"code": "0x80048306", "message": ""}})
        if path == "$batch":
            if inner[0].method == "POST":
                return self._together(inner)
            return self.multipart(*[(200, {}, self._filters(part.url)) for part in inner])
        return self._one(request)

    def _one(self, request):
        path = request.url.path.removeprefix("/api/data/v9.2/")
        collection, row_id = re.fullmatch(r"(\w+)(?:\(([^)]*)\))?", path).groups()
        if request.method == "GET":
            return httpx.Response(
                200, json={"value": self._listed(collection, request.url.params["$filter"])}
            )
        self.written.append((request.method, collection))
        if self.refuse in (collection, f"{request.method} {collection}"):
            return httpx.Response(403, json={"error": {"code": "0x80040220", "message": ""}})
        if request.method == "DELETE":
            del self.rows[collection][row_id]
        elif request.method == "PATCH":
            self.rows[collection][row_id] |= json.loads(request.content)
        else:
            self.last += 1
            row_id = guid(self.last)
            self.rows[collection][row_id] = {"statecode": 0, **json.loads(request.content)}
        at = f"https://org.test/api/data/v9.2/{collection}({row_id})"
        return httpx.Response(204, headers={"OData-EntityId": at})

    def _together(self, parts):
        """A change set: all of it, or nothing but its refusal."""
        before, made = copy.deepcopy(self.rows), {}
        for number, part in enumerate(parts, 1):
            body = part.body.decode()
            for known, address in made.items():
                body = body.replace(f'"${known}"', f'"{address}"')
            answer = self._one(httpx.Request("POST", f"https://org.test{part.url}", content=body))
            if answer.status_code >= 400:
                self.rows = before
                return self.multipart((answer.status_code, {}, answer.json()))
            made[number] = answer.headers["OData-EntityId"].partition("/api/data/v9.2")[2]
        return self.multipart(*((204, {"OData-EntityId": address}, None) for address in made.values()))

    def _filters(self, url):
        entity, message = re.findall(r"'(\w+)'", url)
        if entity in self.unknown:
            return {"value": []}
        numbers = (hash_of(entity, message), hash_of("", message))
        return {
            "value": [
                {"sdkmessagefilterid": guid(numbers[0]), "_sdkmessageid_value": guid(numbers[1])},
            ]
        }

    def _listed(self, collection, condition):
        found = []
        for row_id, row in self.rows[collection].items():
            if collection == "serviceendpoints":
                assert condition == "contract eq 8"
                found.append({"serviceendpointid": row_id, "url": row["url"]})
            elif row["eventhandler_serviceendpoint@odata.bind"].endswith(f"({condition.split()[-1]})"):
                bound = re.search(r"\((.*)\)", row["sdkmessagefilterid@odata.bind"])[1]
                found.append(
                    {
                        "sdkmessageprocessingstepid": row_id,
                        "_sdkmessagefilterid_value": bound,
                        "filteringattributes": row.get("filteringattributes"),
                        "statecode": row["statecode"],
                    }
                )
        return found


def hash_of(entity, message):
    return sum(ord(c) * 31**n for n, c in enumerate(f"{entity}/{message}")) % 10**11


@pytest.fixture
def make_dataverse(make_dataverse, sign_in):
    """Tokens say whose they are."""

    def login(request):
        if request.method != "POST":
            return sign_in(request)
        (who,) = parse_qs(request.content.decode())["client_id"]
        return httpx.Response(
            200, json={"token_type": "Bearer", "expires_in": 3599, "access_token": f"canary-access-of-{who}"}
        )

    return partial(make_dataverse, login=login)


@pytest.fixture
def make(make_dataverse, multipart):
    def build(**traits):
        registry = Registry(multipart, **traits)
        return registry, make_dataverse(registry, webhook_token="env:HOOK", deploy=DEPLOY)

    return build


def test_an_event_is_an_endpoint_with_the_token_and_a_step_after_the_operation(make):
    registry, client = make()
    assert client.subscribe(["account-changed", "account-deleted"], URL) == [
        "account-changed",
        "account-deleted",
    ]
    endpoints = list(registry.rows["serviceendpoints"].values())
    assert endpoints[0] == {
        "statecode": 0,
        "name": "tagline account-changed",
        "url": f"{URL}/account-changed/{name_of(TOKEN)}",
        "contract": 8,
        "authtype": 5,
        "authvalue": f'<settings><setting name="x-tagline-token" value="{TOKEN}" /></settings>',
        "messageformat": 2,
    }
    changed, deleted = registry.rows["sdkmessageprocessingsteps"].values()
    assert (changed["stage"], changed["mode"], changed["rank"]) == (40, 1, 1)
    assert changed["sdkmessageid@odata.bind"] != deleted["sdkmessageid@odata.bind"]
    watched = changed["filteringattributes"].split(",")
    assert ("name" in watched, "accountid" in watched) == (True, False)
    assert "filteringattributes" not in deleted


def test_registering_again_changes_nothing(make):
    registry, client = make()
    client.subscribe(["account-changed", "salesorder-created"], URL)
    registry.written.clear()
    assert client.subscribe(["account-changed", "salesorder-created"], URL) == []
    assert registry.written == []


def test_a_step_is_enabled_and_widened_and_never_narrowed(make):
    registry, client = make()
    client.subscribe(["account-changed"], URL)
    [step] = registry.rows["sdkmessageprocessingsteps"].values()
    full = step["filteringattributes"]
    step |= {"statecode": 1, "filteringattributes": "custom,name"}
    assert client.subscribe(["account-changed"], URL) == ["account-changed"]
    assert (step["statecode"], step["filteringattributes"].split(",")[:2]) == (0, ["custom", "name"])
    assert set(step["filteringattributes"].split(",")) == {"custom", *full.split(",")}


def test_a_step_that_tells_of_every_column_is_left_so(make):
    registry, client = make()
    client.subscribe(["account-changed"], URL)
    [step] = registry.rows["sdkmessageprocessingsteps"].values()
    step["filteringattributes"] = None
    assert client.subscribe(["account-changed"], URL) == []
    assert step["filteringattributes"] is None


def test_an_endpoint_that_lost_its_step_gets_one(make):
    registry, client = make()
    client.subscribe(["account-changed"], URL)
    registry.rows["sdkmessageprocessingsteps"].clear()
    assert client.subscribe(["account-changed"], URL) == ["account-changed"]
    assert len(registry.rows["serviceendpoints"]) == 1


def test_nothing_is_added_where_a_registration_fails(make):
    """An endpoint without its step would be told of nothing, and look like one that is."""
    registry, client = make()
    client.subscribe(["account-created"], URL)
    registry.refuse = "POST sdkmessageprocessingsteps"
    with pytest.raises(RefusedError, match="registering webhooks") as caught:
        client.subscribe(["account-created", "account-changed"], URL)
    assert caught.value.code == "webhook-not-registered"
    assert "account-changed are not registered" in caught.value.message
    assert [e["name"] for e in registry.rows["serviceendpoints"].values()] == ["tagline account-created"]
    assert ("DELETE", "serviceendpoints") not in registry.written


def _away(make_dataverse, registry, **changes):
    """A machine that has no secret of the application that sets up."""

    def secrets(reference):
        if reference == "env:KEY":
            raise UsageError("none", code="secret-missing")
        return TOKEN

    return make_dataverse(registry, webhook_token="env:HOOK", secrets=secrets, **changes)


@pytest.mark.parametrize("deploy", [None, DEPLOY], ids=["unnamed", "absent"])
def test_without_the_deploy_application_it_is_only_looked_whether_they_are_there(
    make, make_dataverse, deploy
):
    registry, client = make()
    client.subscribe(["account-created"], URL)
    registry.written.clear()
    away = _away(make_dataverse, registry, deploy=deploy)
    assert away.subscribe(["account-created"], URL) == []
    with pytest.raises(RefusedError) as caught:
        away.subscribe(["account-created", "account-changed"], URL)
    assert caught.value.code == "webhook-not-registered"
    assert "account-changed are not" in caught.value.message
    assert "solution import" in caught.value.hint
    assert registry.written == []


def test_who_registers_is_the_application_that_sets_up_and_who_looks_is_the_one_that_runs(
    make, make_dataverse
):
    registry, client = make()
    client.subscribe(["account-created"], URL)
    assert {who for method, who in registry.callers if method == "POST"} == {"deployer"}
    registry.callers.clear()
    _away(make_dataverse, registry).subscribe(["account-created"], URL)
    assert {who for _, who in registry.callers} == {"client"}


def test_a_deploy_application_that_is_refused_leaves_the_webhooks_that_stand_in_use(make):
    registry, client = make()
    client.subscribe(["account-created"], URL)
    registry.forbidden = "deployer"
    assert client.subscribe(["account-created"], URL) == []


def test_webhooks_that_are_still_used_stay_whatever_else_stands_there(make, make_dataverse):
    registry, client = make()
    client.subscribe(["account-created", "account-changed"], URL)
    for row in list(registry.rows["serviceendpoints"].values())[:1]:
        older = dict(row, url=f"{URL}/account-created/an-older-token")
        registry.rows["serviceendpoints"][guid(77)] = older
    assert client.unsubscribe(URL, ["account-created"]) == ["account-changed", "account-created"]
    assert [e["url"] for e in registry.rows["serviceendpoints"].values()] == [
        f"{URL}/account-created/{name_of(TOKEN)}"
    ]
    registry.written.clear()
    assert client.unsubscribe(URL, ["account-created"]) == []
    assert registry.written == []


def test_only_what_lies_below_the_address_is_removed(make):
    registry, client = make()
    client.subscribe(["account-created", "account-changed"], URL)
    client.subscribe(["account-created"], f"{URL}-other")
    assert client.unsubscribe(f"{URL}/") == ["account-created", "account-changed"]
    assert [e["url"] for e in registry.rows["serviceendpoints"].values()] == [
        f"{URL}-other/account-created/{name_of(TOKEN)}"
    ]
    assert len(registry.rows["sdkmessageprocessingsteps"]) == 1
    assert client.unsubscribe(URL) == []


def test_the_token_stands_in_no_address_and_no_answer(make):
    registry, client = make()
    client.subscribe(["account-changed"], f"{URL}-other")
    told = [*client.subscribe(["account-created"], URL), *client.unsubscribe(URL)]
    addresses = [endpoint["url"] for endpoint in registry.rows["serviceendpoints"].values()]
    assert TOKEN not in "".join([*registry.queries, *told, *addresses])


def test_an_unknown_event_or_table_is_refused_before_anything_is_registered(make):
    registry, client = make(unknown=("invoice",))
    for events in (["account-eaten"], ["account-created", "invoice-created"]):
        with pytest.raises(UsageError) as caught:
            client.subscribe(events, URL)
        assert caught.value.code == "event-unknown"
    assert registry.written == []


def test_events_need_a_token(make_dataverse):
    client = make_dataverse(lambda r: pytest.fail("sent"))
    with pytest.raises(UsageError) as caught:
        client.subscribe(["account-created"], URL)
    assert caught.value.code == "webhook-token-missing"
    assert client.subscribe([], URL) == []


@pytest.mark.parametrize("url", [7, None])
def test_an_endpoint_without_an_address_is_none_of_ours(make, url):
    registry, client = make()
    registry.rows["serviceendpoints"][guid(99)] = {"url": url}
    assert client.unsubscribe(URL) == []


def test_a_connection_has_a_trigger_for_every_event():
    crm = connection(Dataverse)
    assert crm.account_changed == Trigger(crm, "account-changed", Account)
    assert crm.salesorder_created == Trigger(crm, "salesorder-created", SalesOrder)
    assert {"account-created", "product-changed", "invoice-deleted"} <= EVENTS.keys()
    assert all(name == event.name for name, event in EVENTS.items())
