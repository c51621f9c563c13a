import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.runtime.making import KEY, START, make_deployment, make_hint, make_store

from tagline.clock import VirtualClock
from tagline.domain.exchange import Change, Changes, Unread
from tagline.domain.model import Model
from tagline.errors import RecordError, UsageError
from tagline.runtime.inbox import release_claims
from tagline.runtime.store import Dead, Done, Later

NOW = START + timedelta(hours=1)


@pytest.fixture
def clock():
    return VirtualClock(START)


@pytest.fixture
def store(place, clock: VirtualClock):
    with closing(make_store(place, clock)) as opened:
        yield opened


def take(store, *, now=NOW):
    return store.claim([row.id for row in store.ready("orders", now, 100)], "orders-000001")


def finish(store, *finished, read_at=START):
    return store.finish(finished, holder="orders-000001", deployment="orders-000001", read_at=read_at)


def die(store):
    """The worker of `take` is taken for dead."""
    with store.database.write() as conn:
        return release_claims(conn, "orders", ["orders-000001"])


def dead(row, cause="sku-unknown"):
    return Dead(
        row,
        RecordError("no such SKU", code=cause, hint="add it", details=({"field": "ItemID", "reason": "?"},)),
    )


def page(*changes: tuple[str, str], cursor="c1", at=None) -> Changes:
    return Changes([Change(Model, key, version, at) for key, version in changes], cursor, more=False)


class TestInbox:
    def test_hints_of_a_waiting_record_become_one_row_with_the_newest_version(self, store):
        assert store.receive([make_hint("1", version="a"), make_hint("1", version="b"), make_hint("2")]) == 2
        assert store.receive([make_hint("1")]) == 0
        assert [(row.key, row.version) for row in store.ready("orders", NOW, 10)] == [("1", "b"), ("2", "")]

    def test_the_same_key_in_two_flows_is_two_records(self, store):
        assert store.receive([make_hint("1"), make_hint("1", flow="other")]) == 2

    def test_a_hint_while_the_record_is_in_hand_waits_until_it_ended(self, store):
        """The run may have read the source before the change."""
        store.receive([make_hint("1")])
        (row,) = take(store)
        assert store.receive([make_hint("1")]) == 1
        assert store.ready("orders", NOW, 10) == []
        finish(store, Done(row))
        assert [each.key for each in store.ready("orders", NOW, 10)] == ["1"]

    def test_a_retried_record_takes_over_hints_that_came_meanwhile_and_keeps_its_wait(self, store):
        store.receive([make_hint("1", version="a")])
        (row,) = take(store)
        store.receive([make_hint("1", version="b")])
        finish(store, Later(row, NOW + timedelta(minutes=5), "throttled"))
        store.receive([make_hint("1")])
        assert store.ready("orders", NOW, 10) == []
        (again,) = store.ready("orders", NOW + timedelta(minutes=5), 10)
        assert (again.id, again.version, again.attempts) == (row.id, "b", 1)

    def test_a_pause_is_no_attempt(self, store):
        store.receive([make_hint("1")])
        (row,) = take(store)
        finish(store, Later(row, NOW, "not-authorised", counted=False))
        (again,) = store.ready("orders", NOW, 10)
        assert (again.attempts, again.runs) == (0, 1)

    def test_a_row_is_claimed_once(self, store):
        store.receive([make_hint("1")])
        ready = store.ready("orders", NOW, 10)
        assert len(store.claim([row.id for row in ready], "a")) == 1
        assert store.claim([row.id for row in ready], "b") == []

    def test_a_dead_workers_rows_come_back_once_and_remember_it(self, store):
        store.receive([make_hint("1"), make_hint("2")])
        take(store)
        store.receive([make_hint("1", version="b")])
        assert die(store) == 2
        rows = store.ready("orders", NOW, 10)
        assert [(row.key, row.version, row.crashes) for row in rows] == [("1", "b", 1), ("2", "", 1)]

    def test_what_another_worker_has_now_is_not_ended_by_the_one_before_it(self, store):
        store.receive([make_hint("1")])
        (row,) = take(store)
        die(store)
        store.claim([row.id], "another")
        assert finish(store, dead(row)) == []
        assert store.dead_letters.list() == []
        assert store.counts("orders")["received"] == 1

    def test_ending_twice_ends_once(self, store):
        store.receive([make_hint("1")])
        (row,) = take(store)
        finish(store, Done(row))
        finish(store, Later(row, NOW, "late"))
        finish(store, dead(row))
        assert store.counts("orders") == {"received": 0, "done": 1, "dead": 0}

    def test_next_due_is_the_earliest_row_that_can_be_taken(self, store, clock):
        assert store.next_due("orders") is None
        store.receive([make_hint("1")])
        assert store.next_due("orders") == START
        (row,) = take(store)
        assert store.next_due("orders") is None
        finish(store, Later(row, NOW, "throttled"))
        assert store.next_due("orders") == NOW

    def test_what_was_received_survives_the_process(self, place, store):
        store.receive([make_hint("1")])
        store.close()
        with closing(make_store(place)) as again:
            assert [row.key for row in again.ready("orders", NOW, 10)] == ["1"]


class TestDeadLetters:
    def test_a_dead_letter_says_everything_but_the_payload(self, store):
        store.activate(make_deployment(1, version="1.4.2"), {})
        store.receive([make_hint("7")])
        (row,) = take(store)
        finish(store, dead(row))
        (letter,) = store.dead_letters.list()
        assert store.dead_letters.show(letter.id) == letter
        assert (letter.key, letter.cause, letter.hint, letter.version, letter.state, letter.attempts) == (
            "7",
            "sku-unknown",
            "add it",
            "1.4.2",
            "open",
            1,
        )
        assert letter.details == ({"field": "ItemID", "reason": "?"},)

    def test_dying_again_updates_the_open_letter(self, store, clock):
        for cause in ("sku-unknown", "order-total-differs"):
            store.receive([make_hint("7")])
            (row,) = take(store)
            finish(store, dead(row, cause))
            clock.advance(60)
        (letter,) = store.dead_letters.list(state=None)
        assert (letter.cause, letter.attempts) == ("order-total-differs", 2)
        assert (letter.first_at, letter.last_at) == (START, START + timedelta(seconds=60))

    def test_ending_well_later_resolves_it(self, store):
        store.receive([make_hint("7"), make_hint("8")])
        seven, eight = take(store)
        finish(store, dead(seven), dead(eight))
        store.receive([make_hint("7")])
        (row,) = take(store)
        finish(store, Done(row))
        assert [(x.key, x.state) for x in store.dead_letters.list(state=None)] == [
            ("7", "resolved"),
            ("8", "open"),
        ]

    def test_redriving_twice_does_not_double(self, store):
        store.receive([make_hint("7")])
        (row,) = take(store)
        finish(store, dead(row))
        assert (store.dead_letters.redrive(), store.dead_letters.redrive()) == (1, 0)
        assert [each.source for each in store.ready("orders", NOW, 10)] == ["redrive"]
        assert [x.state for x in store.dead_letters.list(state=None)] == ["redriven"]

    def test_a_redriven_record_that_dies_again_is_open_again(self, store):
        store.receive([make_hint("7")])
        finish(store, dead(take(store)[0]))
        store.dead_letters.redrive()
        finish(store, dead(take(store)[0]))
        (letter,) = store.dead_letters.list()
        assert (letter.state, letter.attempts) == ("open", 2)

    def test_a_redrive_does_not_wait_for_an_old_retry(self, store):
        """A person who corrected the cause wants it now, with its attempts counted anew."""
        store.receive([make_hint("7")])
        finish(store, dead(take(store)[0]))
        store.receive([make_hint("7")])
        (row,) = take(store)
        finish(store, Later(row, NOW + timedelta(days=1), "throttled"))
        store.dead_letters.redrive()
        assert [each.attempts for each in store.ready("orders", NOW, 10)] == [0]

    @pytest.mark.parametrize(
        ("choice", "keys"),
        [
            ({"ids": [2]}, ["2"]),
            ({"cause": "a"}, ["1", "3"]),
            ({"integration": "other"}, []),
            ({}, ["1", "2", "3"]),
        ],
        ids=["ids", "cause", "integration", "all"],
    )
    def test_redrive_takes_what_was_chosen(self, store, choice, keys):
        store.receive([make_hint(key) for key in "123"])
        finish(store, *(dead(row, cause) for row, cause in zip(take(store), "aba", strict=True)))
        assert store.dead_letters.redrive(**choice) == len(keys)
        assert [row.key for row in store.ready("orders", NOW, 10)] == keys

    def test_an_unknown_number_redrives_nothing(self, store):
        store.receive([make_hint("7")])
        finish(store, dead(take(store)[0]))
        with pytest.raises(UsageError) as refused:
            store.dead_letters.redrive([1, 99])
        assert refused.value.code == "dead-letter-unknown"
        assert [x.state for x in store.dead_letters.list()] == ["open"]
        with pytest.raises(UsageError):
            store.dead_letters.show(99)

    def test_an_unreadable_delivery_is_set_aside_without_a_row(self, store):
        store.activate(make_deployment(3), {})
        store.reject("orders", "sync", "unread-1", RecordError("no JSON", code="webhook-malformed"))
        (letter,) = store.dead_letters.list(cause="webhook-malformed")
        assert (letter.key, letter.deployment) == ("unread-1", "orders-000003")
        assert store.counts("orders")["received"] == 0


class TestSweep:
    def test_changes_and_cursor_arrive_together(self, store):
        assert store.cursor("orders", "sync") is None
        assert store.sweep("orders", "sync", "shop", page(("1", "a"), ("2", "a")), begun_at=START) == 2
        cursor = store.cursor("orders", "sync")
        assert (cursor.value, cursor.updated) == ("c1", START)
        assert [row.key for row in store.ready("orders", NOW, 10)] == ["1", "2"]

    @pytest.mark.parametrize("end", [Done, dead], ids=["done", "dead"])
    def test_a_version_that_was_run_is_not_run_again(self, store, end):
        """A cursor made of dates reads the whole day again with every sweep."""
        store.sweep("orders", "sync", "shop", page(("1", "a")))
        finish(store, end(take(store)[0]))
        assert store.sweep("orders", "sync", "shop", page(("1", "a"))) == 0
        assert store.sweep("orders", "sync", "shop", page(("1", "b"))) == 1

    def test_a_retried_record_is_not_seen_yet(self, store):
        store.sweep("orders", "sync", "shop", page(("1", "a")))
        (row,) = take(store)
        finish(store, Later(row, NOW, "throttled"))
        assert store.sweep("orders", "sync", "shop", page(("1", "a"))) == 1

    def test_a_record_without_version_is_always_run(self, store):
        store.sweep("orders", "sync", "shop", page(("1", "")))
        finish(store, Done(take(store)[0]))
        assert store.sweep("orders", "sync", "shop", page(("1", ""))) == 1

    def test_a_version_read_in_the_moment_of_its_change_is_read_once_more(self, store):
        """Stamps count seconds, so a second change may carry the version of the first."""
        store.sweep("orders", "sync", "shop", page(("1", "a"), at=START))
        finish(store, Done(take(store)[0]), read_at=START + timedelta(seconds=1))
        assert store.sweep("orders", "sync", "shop", page(("1", "a"), at=START)) == 1
        finish(store, Done(take(store)[0]), read_at=START + timedelta(seconds=90))
        assert store.sweep("orders", "sync", "shop", page(("1", "a"), at=START)) == 0


ROUTES = {("shop", "order-placed"): ("sync", "other"), ("shop", "order-changed"): ("sync",)}


class TestDeployments:
    def test_the_active_deployment_comes_back_whole(self, store):
        assert store.active("orders") is None
        fence = store.activate(make_deployment(1), ROUTES)
        active = store.active("orders")
        assert (active.deployment, active.fence, active.routes) == (make_deployment(1), fence, ROUTES)

    def test_each_activation_raises_the_fence_and_retires_the_former(self, store):
        fences = [store.activate(make_deployment(n), {}) for n in (1, 2, 1)]
        assert fences == sorted(set(fences))
        assert store.active("orders").deployment.id == "orders-000001"

    def test_activating_what_runs_changes_nothing(self, store):
        assert store.activate(make_deployment(1), {}) == store.activate(make_deployment(1), {})

    def test_integrations_do_not_disturb_each_other(self, store):
        store.activate(make_deployment(1), {})
        store.activate(make_deployment(1, integration="returns"), {})
        assert store.active("orders").deployment.integration == "orders"


def test_a_store_with_a_bad_key_leaves_no_file(tmp_path):
    with pytest.raises(UsageError):
        make_store(tmp_path, key=b"bad")
    assert not (tmp_path / "state.sqlite").exists()


def test_a_check_writes(store):
    store.check()


class InboxLosesNothing(RuleBasedStateMachine):
    """Whatever happens in whatever order: a change that no finished run can have read has a row that will run."""

    keys = st.sampled_from("abc")

    @initialize()
    def open(self):
        self.folder = tempfile.TemporaryDirectory()
        self.clock = VirtualClock(START)
        self.store = make_store(Path(self.folder.name), self.clock, KEY)
        self.pending: set[str] = set()
        self.in_hand: dict[str, object] = {}

    @rule(key=keys, source=st.sampled_from(["webhook", "sweep", "redrive"]))
    def hint(self, key, source):
        self.store.receive([make_hint(key, source=source)])
        self.pending.add(key)

    @rule(limit=st.integers(1, 3))
    def claim(self, limit):
        ready = self.store.ready("orders", self.clock.now(), limit)
        assert not {row.key for row in ready} & set(self.in_hand), "one record was taken twice at once"
        for row in self.store.claim([row.id for row in ready], "orders-000001"):
            self.in_hand[row.key] = row
            self.pending.discard(row.key)

    @precondition(lambda self: self.in_hand)
    @rule(how=st.sampled_from(["done", "dead", "later"]))
    def end(self, how):
        key, row = self.in_hand.popitem()
        if how == "later":
            finish(self.store, Later(row, self.clock.now() + timedelta(seconds=5), "throttled"))
            self.pending.add(key)
        else:
            finish(self.store, Done(row) if how == "done" else dead(row))

    @rule()
    def crash(self):
        die(self.store)
        self.pending |= set(self.in_hand)
        self.in_hand.clear()

    @rule()
    def redrive(self):
        letters = self.store.dead_letters.list()
        assert self.store.dead_letters.redrive() == len(letters)
        self.pending |= {letter.key for letter in letters}

    @rule()
    def wait(self):
        self.clock.advance(5)

    @invariant()
    def every_pending_record_waits_once(self):
        later = self.store.ready("orders", self.clock.now() + timedelta(days=1), 100)
        waiting = [row.key for row in later]
        assert len(waiting) == len(set(waiting))
        assert set(waiting) == self.pending - set(self.in_hand)

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()


InboxLosesNothing.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestInboxLosesNothing = InboxLosesNothing.TestCase


class TestUnread:
    ROW = Unread("0a1b", "OrderID", "it is missing")

    def sweep(self, store, *rows, cursor="c1"):
        changes = Changes([Change(Model, "1", "a")], cursor, more=False, unread=rows)
        return store.sweep("orders", "sync", "shop", changes, begun_at=START)

    def test_a_row_that_names_no_record_becomes_a_letter_and_the_cursor_moves_on(self, store):
        assert self.sweep(store, self.ROW) == 1
        (letter,) = store.dead_letters.list()
        assert (letter.key, letter.cause, letter.connection) == ("unread-0a1b", "row-without-id", "shop")
        assert letter.details == ({"field": "OrderID", "reason": "it is missing"},)
        assert store.cursor("orders", "sync").value == "c1"
        assert [row.key for row in store.ready("orders", NOW, 10)] == ["1"]

    def test_the_same_row_found_again_makes_no_second_letter(self, store):
        self.sweep(store, self.ROW, self.ROW)
        self.sweep(store, self.ROW, cursor="c2")
        (letter,) = store.dead_letters.list()
        assert letter.attempts == 1

    def test_a_letter_that_was_discarded_stays_so(self, store):
        self.sweep(store, self.ROW)
        store.dead_letters.discard(reason="mended", by="anna")
        self.sweep(store, self.ROW, cursor="c2")
        assert store.dead_letters.list() == []

    def test_another_row_makes_another_letter(self, store):
        self.sweep(store, self.ROW)
        self.sweep(store, Unread("0a1c", "OrderID", "it is missing"), cursor="c2")
        assert [letter.key for letter in store.dead_letters.list()] == ["unread-0a1b", "unread-0a1c"]
