"""Deliveries of every site go astray by index and by seed: lost, doubled, late, reordered."""

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagline.sandbox.finance_screens import confirm_sales_order
from tagline.sandbox.mishaps import PASSED_BY, Mishap, Mishaps

URL = "https://agent.test/hooks/x"
NOW = datetime(2026, 7, 1, 15, 30, tzinfo=UTC)


class ShopLine:
    """Orders of the shop."""

    origin = "https://shop-dev.sandbox.test"
    remote = "store"

    def __init__(self, sandbox, remote):
        self.site, self.queue = sandbox.shops["dev"], sandbox.shops["dev"].webhooks
        hook = {"Name": "n", "Url": URL, "EventType": 1, "Enabled": True}
        assert remote.call("POST", "/Webhooks", hook).status_code == 201

    def raise_one(self):
        return str(self.site.place_orders(1, 1)[0])

    @staticmethod
    def told(request):
        return str(json.loads(request.body)[0]["OrderID"]) if request.method == "POST" else None

    def waiting(self):
        return len(self.queue.waiting())


class OrganisationLine:
    """Changes of an account."""

    origin = "https://org-dev.sandbox.test"
    remote = "crm"

    def __init__(self, sandbox, remote):
        self.crm, self.count = remote, 0
        self.site, self.queue = sandbox.organisations["dev"], sandbox.organisations["dev"].webhooks
        self.crm.call("PATCH", "accounts(tl_customerkey='k')", {"name": "A"})
        endpoint = {"name": "h", "url": URL, "contract": 8, "authtype": 4, "authvalue": "s"}
        made = self.crm.call("POST", "serviceendpoints", endpoint).headers["OData-EntityId"]
        (found,) = self.crm.read(
            "sdkmessagefilters?$select=_sdkmessageid_value&$filter=primaryobjecttypecode eq 'account' "
            "and sdkmessageid/name eq 'Update'"
        )["value"]
        body = {
            "name": "h",
            "eventhandler_serviceendpoint@odata.bind": made,
            "sdkmessageid@odata.bind": f"/sdkmessages({found['_sdkmessageid_value']})",
            "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({found['sdkmessagefilterid']})",
            "stage": 40,
            "mode": 1,
            "rank": 1,
            "supporteddeployment": 0,
        }
        assert self.crm.call("POST", "sdkmessageprocessingsteps", body).status_code == 204

    def raise_one(self):
        self.count += 1
        self.crm.call("PATCH", "accounts(tl_customerkey='k')", {"description": f"note-{self.count}"})
        return f"note-{self.count}"

    @staticmethod
    def told(request):
        return re.search(rb'"note-\d+"', request.body)[0].decode().strip('"')

    def waiting(self):
        return self.queue.waiting()


class FinanceLine:
    """Sales orders that people confirm."""

    origin = "https://fin-dev.sandbox.test"
    remote = "finance"

    def __init__(self, sandbox, remote):
        self.finance = remote
        self.site, self.queue = sandbox.finance["dev"], sandbox.finance["dev"].events
        self.queue.activate("SalesOrderConfirmedBusinessEvent", URL)

    def raise_one(self):
        body = {"OrderingCustomerAccountNumber": "C100001"}
        number = self.finance.call("POST", "SalesOrderHeadersV2", body).json()["SalesOrderNumber"]
        confirm_sales_order(self.site.records, "usmf", number)
        return number

    @staticmethod
    def told(request):
        return json.loads(request.body)["SalesOrderNumber"]

    def waiting(self):
        return self.queue.waiting()


@pytest.fixture(params=[ShopLine, OrganisationLine, FinanceLine], ids=["shop", "organisation", "finance"])
def line(request, sandbox):
    return request.param(sandbox, request.getfixturevalue(request.param.remote))


@pytest.fixture
def arrive(line, clock):
    """What a receiver gets in so many seconds, in its order."""

    def arrive(seconds=3, answer=200):
        clock.advance(seconds)
        seen = []
        line.queue.deliver(lambda request: seen.append(line.told(request)) or answer)
        return [each for each in seen if each is not None]

    return arrive


def test_without_mishaps_all_arrive_once_and_in_order(line, arrive):
    raised = [line.raise_one() for _ in range(4)]
    assert arrive() == raised
    assert line.waiting() == 0


def test_a_lost_one_never_arrives_and_nobody_knows(line, arrive):
    line.queue.mishaps.next_deliveries(None, Mishap.LOST)
    one, _two, three = (line.raise_one() for _ in range(3))
    assert arrive() == [one, three]
    assert line.waiting() == 0
    assert arrive(100_000) == []
    assert getattr(line.queue, "given_up", []) == []


def test_a_doubled_one_arrives_twice(line, arrive):
    line.queue.mishaps.next_deliveries(Mishap.DOUBLED)
    one, two = line.raise_one(), line.raise_one()
    assert Counter(arrive()) == {one: 2, two: 1}
    assert line.waiting() == 0


def test_a_late_one_comes_after_later_ones(line, arrive):
    line.queue.mishaps.next_deliveries(Mishap.LATE)
    one, two = line.raise_one(), line.raise_one()
    assert arrive() == [two]
    assert line.waiting() == 1
    three = line.raise_one()
    assert arrive() == [three]
    assert arrive(600) == [one]
    assert line.waiting() == 0


def test_a_reordered_one_is_overtaken_by_the_next(line, arrive):
    line.queue.mishaps.next_deliveries(Mishap.REORDERED)
    one, two, three = (line.raise_one() for _ in range(3))
    assert arrive() == [two, one, three]


def test_one_that_nothing_follows_waits_to_be_overtaken(line, arrive):
    line.queue.mishaps.next_deliveries(Mishap.REORDERED)
    one = line.raise_one()
    assert arrive() == []
    two = line.raise_one()
    assert arrive() == [two]
    assert arrive(PASSED_BY.total_seconds()) == [one]


def test_by_seed_each_goes_wrong_with_its_chance_and_the_same_way_again(line, arrive):
    def arrived(**chances):
        line.queue.mishaps = Mishaps(seed=3, **chances)
        raised = [line.raise_one() for _ in range(12)]
        came = arrive()
        return [raised.index(each) for each in came]

    everyone = list(range(12))
    lost = arrived(lost=0.5)
    assert 0 < len(lost) < 12
    assert lost == arrived(lost=0.5)
    assert sorted(arrived(doubled=1.0)) == sorted(everyone * 2)
    shuffled = arrived(reordered=True)
    assert shuffled != everyone
    assert sorted(shuffled) == everyone
    assert arrived(late=1.0) == []
    line.queue.mishaps = Mishaps()
    assert len(arrive(600)) == 12


def test_one_that_came_late_is_late_once_and_repeated_as_often_as_any(line, arrive, sandbox):
    line.queue.mishaps = Mishaps(late=1.0)
    one = line.raise_one()
    assert arrive() == []
    state = line.site.state
    kept = [(name, key, row) for name, key, row in state.kept()]
    state.restore(kept, state.facts())
    assert arrive(600) == [one], "not put off once more, nor by a restart"


def test_a_script_lets_the_next_ones_go_astray(line, arrive, client):
    page = f"{line.origin}/_sandbox/mishaps"
    assert client.post(page, json={"next": ["lost", None, "doubled"], "seed": 1}).status_code == 200
    _one, two, three = (line.raise_one() for _ in range(3))
    assert Counter(arrive()) == {two: 1, three: 2}
    assert client.post(page, json={"lost": 1}).status_code == 200
    line.raise_one()
    assert client.get(f"{line.origin}/_sandbox/webhooks").json()["waiting"] == 1
    assert arrive() == []
    assert client.get(f"{line.origin}/_sandbox/webhooks").json()["waiting"] == 0


MISUSE = [
    ({"next": ["gone"]}, '"gone" is no mishap; mishaps are lost, doubled, late, reordered'),
    ({"next": "lost"}, "next must be a list of mishaps"),
    ({"next": ["lost"], "late": 2}, "late must be a number from 0 to 1"),
    ({"seed": 1}, "none of next, lost, doubled, late and reordered is given"),
]


def test_what_is_no_mishap_changes_nothing(line, client):
    before = replace(line.queue.mishaps)
    for body, said in MISUSE:
        answer = client.post(f"{line.origin}/_sandbox/mishaps", json=body)
        assert answer.status_code == 400
        assert said in answer.json()["error"]
    assert (line.queue.mishaps, line.queue.mishaps.planned) == (before, {})


def test_what_is_lost_leaves_a_background_operation_that_went_well(sandbox, crm, clock):
    """The organisation believes what somebody on the way answered."""
    line = OrganisationLine(sandbox, crm)
    line.queue.mishaps.next_deliveries(Mishap.LOST)
    line.raise_one()
    clock.advance(3)
    line.queue.deliver(lambda _request: 500)
    (job,) = crm.read("asyncoperations?$select=statuscode&$filter=messagename eq 'Update'")["value"]
    assert job["statuscode"] == 30


@dataclass(frozen=True)
class Parcel:
    name: int
    is_first: bool
    until: datetime | None = None

    def put_off(self, until):
        return replace(self, is_first=False, until=until)


CHANCES = st.floats(0, 1)


@settings(max_examples=50)
@given(
    firsts=st.lists(st.booleans(), max_size=8),
    planned=st.lists(st.sampled_from([None, *Mishap]), max_size=8),
    mishaps=st.builds(
        Mishaps, lost=CHANCES, doubled=CHANCES, late=CHANCES, reordered=st.booleans(), seed=st.integers()
    ),
)
def test_whatever_befalls_them_none_is_forgotten_or_made_up(firsts, planned, mishaps):
    mishaps.next_deliveries(*planned)
    due = [Parcel(name, is_first) for name, is_first in enumerate(firsts)]
    fate = mishaps.befall(due, NOW)
    places = [{p.name for p in place} for place in (fate.going, fate.later, fate.lost)]
    assert sorted(name for place in places for name in place) == list(range(len(due)))
    assert max(Counter(fate.going).values(), default=1) <= 2
    assert all(p.until >= NOW + min(PASSED_BY, timedelta(minutes=10)) for p in fate.later)
    assert all(firsts[p.name] for p in fate.later), "none is put off twice"
    assert mishaps.deliveries == sum(firsts)
