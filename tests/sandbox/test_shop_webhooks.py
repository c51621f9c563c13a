"""Webhooks of the shop: registered over REST, delivered unsigned, at least once and in no order one can trust."""

import json
from dataclasses import replace

import pytest

HOOK = "https://intake.test/hooks/x"


class Receiver:
    """Keeps what it is sent; answers with the next of its statuses, then 200."""

    def __init__(self, *statuses):
        self.statuses, self.seen = list(statuses), []

    def __call__(self, request):
        self.seen.append(request)
        return self.statuses.pop(0) if self.statuses else 200

    def orders(self):
        return [json.loads(r.body)[0]["OrderID"] for r in self.seen if r.method == "POST"]


@pytest.fixture
def register(store):
    def register(event, url=HOOK):
        body = {"Name": "t", "Url": url, "EventType": event, "Enabled": 1}
        answer = store.call("POST", "/Webhooks", body)
        assert answer.status_code == 201
        return int(answer.json()[0]["Value"])

    return register


def test_registrations_are_listed_changed_and_deleted(store, register):
    hook = register(1)
    assert store.read("/Webhooks")[0] | {"DateCreated": "", "DateUpdated": ""} == {
        "Id": hook,
        "Name": "t",
        "Url": HOOK,
        "EventType": 1,
        "DateCreated": "",
        "DateUpdated": "",
        "Format": "JSON",
        "Enabled": True,
    }
    store.call("PUT", f"/Webhooks/{hook}", {"Id": hook, "Enabled": False, "EventType": 2})
    changed = store.read(f"/Webhooks/{hook}")[0]
    assert (changed["Enabled"], changed["EventType"]) == (False, 1)
    assert store.call("DELETE", f"/Webhooks/{hook}").status_code == 200
    assert store.call("GET", "/Webhooks").status_code == 404
    assert [e["EventType"] for e in store.read("/Webhooks/Events")] == [1, 2, 3, 4, 5, 6, 7]
    assert store.read("/Webhooks/Events?name=inventory") == [
        {"EventType": 7, "EventName": "Inventory Change"}
    ]


def test_the_first_post_is_preceded_by_one_probe_and_carries_one_whole_order(sandbox, store, register):
    register(1)
    ids = sandbox.shops["dev"].place_orders(1, 1)
    receiver = Receiver()
    assert sandbox.shops["dev"].webhooks.deliver(receiver) == 1
    ids += sandbox.shops["dev"].place_orders(1, 2)
    sandbox.shops["dev"].webhooks.deliver(receiver)
    assert [r.method for r in receiver.seen] == ["GET", "POST", "POST"]
    assert receiver.orders() == ids
    post = receiver.seen[1]
    told, read = json.loads(post.body), store.call("GET", f"/Orders/{ids[0]}").json()
    for item in (*told[0]["OrderItemList"], *read[0]["OrderItemList"]):
        del item["ItemUnitStock"]  # the stock of the moment it is told
    assert told == read
    assert set(post.headers) == {"content-type", "content-length"}, "unsigned, no event name"


def test_disabled_registrations_and_other_events_get_nothing(sandbox, store, register):
    hook = register(2)
    store.call("PUT", f"/Webhooks/{hook}", {"Enabled": False})
    sandbox.shops["dev"].place_orders(1, 1)
    sandbox.shops["dev"].change_status(1001, 2)
    assert sandbox.shops["dev"].webhooks.waiting() == ()


def test_a_put_and_a_hand_edit_raise_the_changed_event(sandbox, store, register):
    order_id = sandbox.shops["dev"].place_awkward()["line_removed_later"]
    register(2)
    store.call("PUT", f"/Orders/{order_id}", {"ExternalComments": "a"})
    sandbox.shops["dev"].remove_line(order_id, 0)
    shop = sandbox.shops["dev"]
    shop.quirks = replace(shop.quirks, put_triggers_order_changed=False)
    store.call("PUT", f"/Orders/{order_id}", {"ExternalComments": "b"})
    bodies = [json.loads(d.body)[0] for d in sandbox.shops["dev"].webhooks.waiting()]
    assert [len(body["OrderItemList"]) for body in bodies] == [2, 1]


@pytest.mark.parametrize("failure", [500, 503, None])
def test_a_failed_delivery_is_repeated_later_and_then_given_up(sandbox, clock, register, failure):
    register(1)
    webhooks = sandbox.shops["dev"].webhooks
    ids = sandbox.shops["dev"].place_orders(1, 1)
    receiver = Receiver(200, *[failure] * 6)
    assert webhooks.deliver(receiver) == 0
    assert webhooks.deliver(receiver) == 0
    assert len(receiver.orders()) == 1, "not due yet"
    while (due := webhooks.next_due()) is not None:
        clock.advance((due - clock.now()).total_seconds())
        webhooks.deliver(receiver)
    assert receiver.orders() == ids * 6
    assert [d.record_id for d in webhooks.given_up] == ids


def test_a_client_error_is_not_repeated(sandbox, register):
    register(1)
    sandbox.shops["dev"].place_orders(1, 1)
    sandbox.shops["dev"].webhooks.deliver(Receiver(200, 404))
    assert sandbox.shops["dev"].webhooks.waiting() == ()


def test_deliveries_can_be_lost_doubled_and_reordered_by_seed(sandbox, register):
    register(1)
    shop = sandbox.shops["dev"]

    def delivered(**mishaps):
        for name, value in mishaps.items():
            setattr(shop.webhooks.mishaps, name, value)
        ids = shop.place_orders(30, 1)
        receiver = Receiver()
        shop.webhooks.deliver(receiver)
        return ids, receiver.orders()

    ids, seen = delivered(lost=0.5)
    assert 0 < len(seen) < 30
    ids, seen = delivered(lost=0.0, doubled=1.0)
    assert sorted(seen) == sorted(ids * 2)
    ids, seen = delivered(doubled=0.0, reordered=True)
    assert seen != ids
    assert sorted(seen) == ids


def test_a_test_can_choose_the_order_itself(sandbox, register):
    register(1)
    ids = sandbox.shops["dev"].place_orders(3, 1)
    receiver = Receiver()
    sandbox.shops["dev"].webhooks.deliver(receiver, order=lambda due: [*reversed(due), due[0]])
    assert receiver.orders() == [*reversed(ids), ids[0]]


def test_a_delivery_waits_until_it_was_answered(sandbox, register):
    register(1)
    sandbox.shops["dev"].place_orders(2, 1)
    webhooks = sandbox.shops["dev"].webhooks
    waiting = []
    webhooks.deliver(lambda request: waiting.append(len(webhooks.waiting())) or 200)
    assert waiting == [2, 2, 1]  # the probe, then each order
    assert webhooks.waiting() == ()
