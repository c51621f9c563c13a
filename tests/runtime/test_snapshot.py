"""What counts as a record that ended, and as one that became a dead letter."""

from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta

from tests.runtime.making import START, make_hint, make_store

from tagline.clock import VirtualClock
from tagline.errors import RecordError
from tagline.runtime.inbox import Dead, Done
from tagline.runtime.places import Place
from tagline.runtime.snapshot import RATE_OVER, take
from tagline.runtime.store import Store

FLOW = ("orders", "sync")


def run(store: Store, clock: VirtualClock, keys: Sequence[str], *, dead: bool) -> None:
    store.receive([make_hint(key) for key in keys])
    rows = store.claim([row.id for row in store.ready("orders", clock.now(), 99)], "holder")
    refused = RecordError("no such SKU", code="unknown-sku")
    finished = [Dead(row, refused) if dead else Done(row, "") for row in rows]
    store.finish(finished, holder="holder", deployment="orders-000001", read_at=clock.now())


def test_a_record_counts_once_however_often_it_was_run(place: Place) -> None:
    clock = VirtualClock(START)
    with closing(make_store(place, clock)) as store:
        for _ in range(3):
            run(store, clock, "abcd", dead=True)
        run(store, clock, "cde", dead=False)
        found = take(store.database, clock.now())
        assert (found.ended[FLOW], found.dead[FLOW]) == (5, 4)


def test_a_known_letter_that_is_refused_again_is_no_new_one(place: Place) -> None:
    clock = VirtualClock(START)
    with closing(make_store(place, clock)) as store:
        run(store, clock, "abcd", dead=True)
        clock.advance((RATE_OVER + timedelta(minutes=1)).total_seconds())
        run(store, clock, "abcdx", dead=True)
        found = take(store.database, clock.now())
        assert (found.ended[FLOW], found.dead[FLOW]) == (5, 1)
