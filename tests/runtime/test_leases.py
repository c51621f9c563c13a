"""Who has which records, when workers come, go, die and stand still."""

from __future__ import annotations

import itertools
from contextlib import closing
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.making import START, make_hint, make_store

from tagline.clock import VirtualClock
from tagline.errors import RefusedError
from tagline.runtime.leases import ALL, BEAT, DEAD_AFTER, Leases, shares
from tagline.runtime.partitions import partition_of
from tagline.runtime.tables import inbox

names = st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=1, max_size=8, unique=True)


@given(names)
def test_each_partition_is_one_workers_share(holders):
    dealt = list(itertools.chain.from_iterable(shares(holders).values()))
    assert sorted(dealt) == sorted(ALL)


@given(names, st.permutations(range(8)))
def test_everybody_finds_the_same_shares(holders, order):
    shuffled = [holders[place] for place in order if place < len(holders)]
    assert shares(shuffled) == shares(holders)


@given(names.filter(lambda found: len(found) > 1))
def test_one_who_leaves_moves_only_its_own(holders):
    before, after = shares(holders), shares(holders[1:])
    assert all(before[name] <= after[name] for name in holders[1:])


def test_nobody_has_nothing():
    assert shares([]) == {}


@given(st.text(min_size=1, max_size=200))
def test_a_key_has_one_partition(key):
    assert partition_of(key) in ALL
    assert partition_of(key) == partition_of(key)


def test_the_partition_of_a_key_never_changes():
    """Rows of an earlier release wait in the database."""
    assert [partition_of(key) for key in ("1", "1042", "SO-7")] == [7, 15, 13]


@pytest.fixture
def clock():
    return VirtualClock(START)


@pytest.fixture
def shared(postgres_schema, clock):
    """A database that workers of many machines share."""
    with closing(make_store(postgres_schema, clock)) as store:
        yield store


@pytest.fixture
def join(shared, clock):
    def make(holder: str) -> Leases:
        leases = Leases(shared.database, "orders", holder, clock)
        leases.begin()
        return leases

    return make


def live(clock, *workers: Leases, seconds: float = 60) -> None:
    """Time in which these workers beat and balance, and nobody else does."""
    for _ in range(int(seconds / BEAT.total_seconds())):
        clock.advance(BEAT.total_seconds())
        for worker in workers:
            worker.beat()
            worker.balance()


def claim(store, holder: str, *keys: str) -> None:
    store.receive([make_hint(key) for key in keys])
    rows = store.ready("orders", store.clock.now(), 100)
    store.claim([row.id for row in rows if row.key in keys], holder)


class TestOnOneMachine:
    def test_the_one_worker_has_everything_and_nothing_to_renew(self, tmp_path, clock):
        with closing(make_store(tmp_path, clock)) as store:
            only = Leases(store.database, "orders", "a", clock)
            only.begin()
            assert (only.held, only.next_balance()) == (ALL, None)

    def test_another_name_takes_over_at_once(self, tmp_path, clock):
        """The machine was renamed, or the folder moved: no other process can have the file."""
        with closing(make_store(tmp_path, clock)) as store:
            Leases(store.database, "orders", "a", clock).begin()
            claim(store, "a", "1")
            later = Leases(store.database, "orders", "b", clock)
            later.begin()
            assert later.held == ALL
            assert [row.crashes for row in store.ready("orders", START, 9)] == [1]


class TestOnManyMachines:
    def test_workers_share_what_there_is(self, join, clock):
        first, second = join("a"), join("b")
        live(clock, first, second)
        assert first.held | second.held == ALL
        assert not first.held & second.held
        assert first.held
        assert second.held

    def test_nothing_is_taken_from_a_worker_before_it_gave_it_up(self, join):
        first = join("a")
        second = join("b")
        assert (first.held, second.held) == (ALL, frozenset())
        first.balance()
        second.balance()
        assert first.held | second.held == ALL

    def test_one_who_leaves_is_followed_at_once(self, join, shared):
        first, second = join("a"), join("b")
        first.balance()
        second.balance()
        claim(shared, "b", "1")
        second.end()
        assert first.balance() == ALL
        assert [row.crashes for row in shared.ready("orders", START, 9)] == [0]

    def test_one_who_dies_is_followed_when_it_was_silent_for_long(self, join, shared, clock):
        first, second = join("a"), join("b")
        live(clock, first, second)
        claim(shared, "b", "1")
        live(clock, first, seconds=DEAD_AFTER.total_seconds() - BEAT.total_seconds())
        assert first.held != ALL
        live(clock, first, seconds=2 * BEAT.total_seconds())
        assert first.held == ALL
        assert [row.crashes for row in shared.ready("orders", clock.now(), 9)] == [1]

    def test_one_who_beats_in_a_long_batch_is_not_dead(self, join, clock):
        first, second = join("a"), join("b")
        live(clock, first, second)
        before = first.held
        for _ in range(30):
            clock.advance(BEAT.total_seconds())
            second.beat()
            first.balance()
        assert first.held == before

    def test_one_who_was_taken_for_dead_writes_nothing_and_takes_part_again(self, join, shared, clock):
        first, second = join("a"), join("b")
        live(clock, first, second)
        mine = next(key for key in map(str, range(100)) if partition_of(key) in second.held)
        live(clock, first)
        with pytest.raises(RefusedError) as refused, shared.database.write() as conn:
            second.check(conn, [mine])
        assert refused.value.code == "lease-lost"
        with pytest.raises(RefusedError):
            second.balance()
        second.begin()
        live(clock, first, second)
        assert second.held
        with shared.database.write() as conn:
            second.check(conn, [mine])

    def test_a_record_of_another_worker_is_not_written(self, join, shared, clock):
        first, second = join("a"), join("b")
        live(clock, first, second)
        others = next(key for key in map(str, range(100)) if partition_of(key) in first.held)
        with pytest.raises(RefusedError), shared.database.write() as conn:
            second.check(conn, [others])

    def test_an_earlier_life_of_the_same_name_writes_nothing_more(self, join, shared):
        """Two machines of one name, or a process that its agent gave up."""
        first = join("a")
        claim(shared, "a", "1")
        join("a")
        with pytest.raises(RefusedError), shared.database.write() as conn:
            first.check(conn, ["1"])
        first.end()
        with shared.database.read() as conn:
            assert conn.execute(sa.select(inbox.c.claimed)).scalars().all() == [None]

    def test_integrations_do_not_disturb_each_other(self, join, shared, clock):
        join("a")
        other = Leases(shared.database, "stock", "b", clock)
        other.begin()
        assert other.held == ALL

    def test_clocks_of_machines_need_not_agree(self, shared, clock):
        """Beats are counted, not dated."""
        first = Leases(shared.database, "orders", "a", clock)
        ahead = VirtualClock(START + timedelta(days=1))
        second = Leases(shared.database, "orders", "b", ahead)
        first.begin()
        second.begin()
        for _ in range(20):
            for each, its in ((first, clock), (second, ahead)):
                its.advance(BEAT.total_seconds())
                each.beat()
                each.balance()
        assert first.held | second.held == ALL
        assert second.held
