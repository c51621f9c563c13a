"""`kill -9` at the worst moments while orders flow: none is lost, none stands twice, all equal the shop."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.e2e.ground import (
    INTEGRATION,
    await_orders,
    ground,
    release,
    select,
    start_agent,
    store,
    wait_until,
)
from tests.e2e.oracle import assert_equal_to_shop

from tagline.harness.scratch import Scratch
from tagline.runtime.tables import effects
from tagline.sandbox.faults import Fault

ORDERS = 200


def the_worker(made: Scratch) -> None:
    """The agent lives on, notices, and starts another."""
    made.kill_workers("dev")


def both(made: Scratch) -> None:
    made.kill_agent("dev")


def the_agent(made: Scratch) -> None:
    """Its worker goes on to the end of its batch, and the next one waits for it."""
    working = made.workers("dev")
    made.kill_agent("dev", workers=False)
    assert len(working) == 1
    assert working == made.workers("dev")


@dataclass(frozen=True)
class Moment:
    """Kill while a call hangs in a fault: whether it was done is known to nobody who lives on."""

    fault: Fault
    kill: Callable[[Scratch], None]
    after_calls: int
    """Calls of the site to let pass first."""
    site: str = "organisations"

    def __str__(self) -> str:
        return f"{self.kill.__name__}-{self.site}-{self.fault}-{self.after_calls}"

    def strike(self, made: Scratch) -> None:
        door = getattr(made.sandbox, self.site)["dev"].door
        since = door.faults.calls
        wait_until(lambda: door.faults.calls >= since + self.after_calls, f"{self.after_calls} calls")
        with door.lock:
            door.faults.next_calls(self.fault)
        wait_until(lambda: not door.faults.planned, f"a call meets {self.fault}")
        self.kill(made)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Scratch]:
    with ground(tmp_path) as made:
        release(made)
        start_agent(made)
        made.tagline("deploy", "order_to_cash/v1.0.0", "--env", "dev")
        yield made


def live_through(made: Scratch, moments: tuple[Moment, ...], orders: int) -> None:
    shop = made.sandbox.shops["dev"]
    share = orders // (2 * len(moments) + 1)
    placed: list[int] = []
    for number, moment in enumerate(moments):
        placed += shop.place_orders(share, 2 * number)
        moment.strike(made)
        placed += shop.place_orders(share, 2 * number + 1)
        if "dev" not in made.agents:
            start_agent(made)
    placed += shop.place_orders(orders - len(placed), 2 * len(moments))
    await_orders(made, placed)
    assert_equal_to_shop(made, placed)
    assert_nothing_is_left(made)


def assert_nothing_is_left(made: Scratch) -> None:
    """No row waits, no record was set aside, and no write is left that nobody looked at."""
    with store(made) as opened:
        assert opened.counts(INTEGRATION)["received"] == 0
        assert opened.dead_letters.list(state=None) == []
        states = Counter(row["state"] for row in select(opened, sa.select(effects.c.state)))
    assert set(states) <= {"done", "failed", "happened", "not-happened"}


def test_no_order_is_lost_or_doubled_by_kills_while_200_flow(made: Scratch):
    moments = (
        Moment(Fault.TIMEOUT_AFTER, the_worker, 4),
        Moment(Fault.TIMEOUT_AFTER, both, 7),
        Moment(Fault.SLOW, the_agent, 2),
        Moment(Fault.TIMEOUT_AFTER, both, 2, site="shops"),
    )
    live_through(made, moments, ORDERS)


@pytest.mark.campaign
@pytest.mark.parametrize("after_calls", range(16))
@pytest.mark.parametrize("fault", [Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER], ids=str)
def test_no_order_is_lost_or_doubled_by_a_kill_at_any_call(made: Scratch, fault: Fault, after_calls: int):
    live_through(made, (Moment(fault, both, after_calls), Moment(fault, the_worker, after_calls)), 60)
