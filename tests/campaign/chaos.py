"""
`kill -9` of agent and worker while webhooks are acknowledged, and what must be true afterwards.

The integration is the least there is, `tests/bench/order_to_contact`: one row an order and no sweep, so that nothing mends what
an acknowledgement promised and the intake lost. The commands are the real ones, against a served sandbox.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random

import sqlalchemy as sa
from tests.campaign.courier import Courier
from tests.e2e.ground import ROOT, ground, release, rows, select, start_agent, store, wait_until

from tagline.harness.scratch import Scratch
from tagline.runtime.tables import effects, inbox
from tagline.sandbox.values import Request

INTEGRATION = "order_to_contact"
SENT = re.compile(r"/contacts\(tl_customerkey='(order-\d+)'\)")
BURST = 50
"""Orders that are placed together."""
BACKLOG = 400
"""Webhooks under way, from which on shoppers wait."""
LOOK_S = 0.2
LONGEST_S = 1.5
"""From a cycle's first order to its kill, at most twice that."""
SENDING = re.compile(rb"PATCH \S*/contacts\(tl_customerkey=(?:'|%27)(order-\d+)")
"""A write in the body of a batch."""
PATIENCE_S = 30.0
"""For a write to reach the organisation, in a cycle whose kill waits for one."""
SETTLED = {"done", "failed", "happened", "not-happened"}


@contextmanager
def chaos_ground(folder: Path) -> Iterator[Scratch]:
    """A scratch copy whose agent runs the integration of one effect an order."""
    with ground(folder) as made:
        shutil.copytree(
            ROOT / "tests" / "bench" / INTEGRATION,
            made.work / "integrations" / INTEGRATION,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        made.commit(f"{INTEGRATION}: for the campaign")
        release(made, INTEGRATION)
        start_agent(made)
        made.tagline("deploy", f"{INTEGRATION}/v1.0.0", "--env", "dev")
        yield made


def both(made: Scratch) -> None:
    """The machine loses its power."""
    made.kill_agent("dev")


def the_agent(made: Scratch) -> None:
    """Its worker goes on to the end of its batch, and the next one waits for it."""
    made.kill_agent("dev", workers=False)


def the_worker(made: Scratch) -> None:
    """The agent lives on, notices, and starts another after a while that grows with every death in a row."""
    made.kill_workers("dev")


def both_and_the_history(made: Scratch) -> None:
    """What the engine remembers is gone with them."""
    made.kill_agent("dev")
    # Not there where the last life ended before its engine began.
    shutil.rmtree(made.state("dev") / "engine", ignore_errors=True)


KILLS: tuple[Callable[[Scratch], None], ...] = (
    both,
    both,
    the_agent,
    the_worker,
    both_and_the_history,
)

STRIKING: tuple[Callable[[Scratch], None], ...] = (both, the_worker, both_and_the_history)
"""Kills after which nobody hears the answer to a write."""


@contextmanager
def held_at_a_write(made: Scratch) -> Iterator[Callable[[float], frozenset[str]]]:
    """
    Hold back the organisation's answer to the next write until the block ends; the write itself is committed.

    Gives what waits for that for some seconds, and gives the keys that were written; none where no write came.
    """
    door = made.sandbox.organisations["dev"].door
    written: list[str] = []
    committed, ended = threading.Event(), threading.Event()
    before = door.on_done

    def hold(request: Request) -> None:
        before(request)
        keys = [each.decode() for each in SENDING.findall(request.body)]
        if keys and not committed.is_set():
            written.extend(keys)
            committed.set()
            ended.wait(2 * PATIENCE_S)

    def wait(timeout_s: float) -> frozenset[str]:
        return frozenset(written) if committed.wait(timeout_s) else frozenset()

    door.on_done = hold
    try:
        yield wait
    finally:
        door.on_done = before
        ended.set()


@dataclass
class Campaign:
    """One run: shoppers, a courier, and somebody who kills."""

    made: Scratch
    courier: Courier
    random: Random
    events: int
    """Acknowledged webhooks that the run is over."""
    placed: list[int] = field(default_factory=list)
    sends: Counter[str] = field(default_factory=Counter)
    """Writes that reached the organisation, by key."""
    kills: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    """Kills by what they interrupted."""
    unheard: set[str] = field(default_factory=set)
    """Keys whose write was committed and whose answer met nobody."""
    rows_before: int = 0
    """Contacts that the organisation came with."""

    def shop_until(self, acknowledged: int, timeout_s: float, *, orders: int) -> bool:
        """Have that many orders placed in all; whether so many events were acknowledged in all before the time was over."""
        ends = time.monotonic() + timeout_s
        shop = self.made.sandbox.shops["dev"]
        while (left := ends - time.monotonic()) > 0:
            room = min(BURST, orders - len(self.placed))
            if room > 0 and self.courier.waiting < BACKLOG:
                self.placed += shop.place_orders(room, len(self.placed))
            elif self.courier.await_acknowledged(acknowledged, min(LOOK_S, left)):
                return True
        return self.courier.acknowledged >= acknowledged

    def kill(self, cycle: int, cycles: int) -> None:
        """
        Kill while the cycle's share of the events is told and worked off: at a moment drawn by seed, or at a write.

        The shares before it were acknowledged, so that every life but the shortest takes some in.
        """
        before, share = self.events * cycle // cycles, self.events * (cycle + 1) // cycles
        waits_for_a_write = cycle % 2 == 1
        # Where the cycle's own orders are to be met at their write, they come once somebody looks out for it.
        assert self.shop_until(before, 300, orders=before if waits_for_a_write else share), (
            f"{before} events before kill {cycle}: not in 300 s"
        )
        if waits_for_a_write:
            self._strike_at_a_write(share)
        else:
            self._strike_at_any_time(before, share)
        self.note_sends()
        if "dev" not in self.made.agents:
            self.made.start_agent("dev")

    def _strike_at_any_time(self, before: int, share: int) -> None:
        told, wait_s = self.random.randint(before, share), self.random.uniform(0.0, LONGEST_S)
        self.shop_until(told, wait_s, orders=share)
        self.courier.await_acknowledged(self.events + 1, self.random.uniform(0.0, wait_s))
        self._strike(KILLS)

    def _strike_at_a_write(self, share: int) -> None:
        """Kill between the organisation's commit and its answer: the journal must know of each of these writes by then."""
        with held_at_a_write(self.made) as held:
            ends = time.monotonic() + PATIENCE_S
            while not (keys := held(LOOK_S)) and time.monotonic() < ends:
                self.shop_until(share, LOOK_S, orders=share)
            self._strike(STRIKING)
            # Nobody has settled any: that takes a look at the organisation, which answers nobody yet.
            assert keys <= self._in_doubt()
        self.unheard |= keys

    def _strike(self, kills: Sequence[Callable[[Scratch], None]]) -> None:
        kill = self.random.choice(kills)
        kill(self.made)
        self.kills[kill.__name__] += 1
        self.note_hands()

    def _in_doubt(self) -> frozenset[str]:
        """Keys of the writes of which the journal knows the intent alone."""
        with store(self.made) as opened:
            found = select(opened, sa.select(effects.c.record).where(effects.c.state == "intended"))
        return frozenset(f"order-{entry['record']}" for entry in found)

    def note_hands(self) -> None:
        """Count whether the kill struck while records were in hand, and while a write was in doubt."""
        with store(self.made) as opened:
            held = select(opened, sa.select(sa.func.count().label("n")).where(inbox.c.claimed.is_not(None)))
            doubts = select(
                opened, sa.select(sa.func.count().label("n")).where(effects.c.state == "intended")
            )
        self.struck["with records in hand"] += held[0]["n"] > 0
        self.struck["with writes in doubt"] += doubts[0]["n"] > 0

    def note_sends(self) -> None:
        """Count the writes that the organisation's log has, which forgets the oldest."""
        door = self.made.sandbox.organisations["dev"].door
        with door.lock:
            written = [SENT.search(entry.path) for entry in door.log if entry.method in ("PATCH", "POST")]
            assert len(door.log) < (door.log.maxlen or 0), "the log forgot writes"
            door.log.clear()
        self.sends.update(found[1] for found in written if found)

    def settle(self, timeout_s: float) -> None:
        """Wait until every order was acknowledged and nothing waits any more."""
        assert self.shop_until(self.events, timeout_s, orders=self.events), "every event acknowledged"
        with store(self.made) as opened:
            wait_until(
                lambda: not self.courier.waiting and not opened.counts(INTEGRATION)["received"],
                "nothing waits any more",
                timeout_s,
            )
        self.note_sends()


def live_through(folder: Path, *, cycles: int, events: int, seed: int, settle_s: float) -> Campaign:
    """Run the campaign and assert that nothing was lost or doubled, and that no write left without its intent."""
    with chaos_ground(folder) as made, Courier(made.sandbox.shops["dev"].webhooks) as courier:
        run = Campaign(made, courier, Random(seed), events, rows_before=len(rows(made, "contact")))
        for cycle in range(cycles):
            run.kill(cycle, cycles)
        run.settle(settle_s)
        assert_present_once(run)
        assert_every_send_was_intended(run)
        return run


def assert_present_once(run: Campaign) -> None:
    """Every order that was placed stands, and nothing else does."""
    assert len(run.placed) == run.events
    assert run.courier.acknowledged == run.events
    assert_stand_once(run.made, run.placed)
    ours = [row for row in rows(run.made, "contact") if row.get("tl_customerkey")]
    assert len(rows(run.made, "contact")) == len(ours) + run.rows_before


def assert_stand_once(made: Scratch, placed: Sequence[int]) -> None:
    """Each of these orders stands as one row with the shop's values, and no other order does."""
    shop = made.sandbox.shops["dev"]
    ours = [row for row in rows(made, "contact") if row.get("tl_customerkey")]
    standing = {
        row["tl_customerkey"]: (row["emailaddress1"], row["jobtitle"], Decimal(row["description"]))
        for row in ours
    }
    with shop.door.lock:
        wanted = {
            f"order-{order}": (
                shop.orders[order]["BillingEmail"],
                f"status {shop.orders[order]['OrderStatusID']}",
                shop.orders[order]["OrderAmount"],
            )
            for order in placed
        }
    lost, strange = wanted.keys() - standing.keys(), standing.keys() - wanted.keys()
    assert not lost
    assert not strange
    assert wanted == standing
    assert len(ours) == len(standing)


def assert_every_send_was_intended(run: Campaign) -> None:
    """No write reached the organisation that the journal did not know of before, and none is in doubt any more."""
    with store(run.made) as opened:
        assert opened.dead_letters.list(state=None) == []
        journal = select(opened, sa.select(effects.c.record, effects.c.state))
    intents = Counter(f"order-{entry['record']}" for entry in journal)
    unknown = {key: sent for key, sent in run.sends.items() if sent > intents[key]}
    assert not unknown
    assert {entry["state"] for entry in journal} <= SETTLED
    happened = {f"order-{entry['record']}" for entry in journal if entry["state"] == "happened"}
    assert run.unheard <= happened
    assert sum(run.sends.values()) >= run.events
