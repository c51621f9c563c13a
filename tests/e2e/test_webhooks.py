"""Webhooks are hints: delivered three times in any order, they make the remotes see what one delivery makes them see."""

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random

import httpx
from tests.e2e.ground import (
    INTEGRATION,
    await_orders,
    ground,
    is_quiet,
    release,
    start_agent,
    store,
    wait_until,
)
from tests.e2e.oracle import assert_equal_to_shop

from tagline.harness.scratch import Scratch
from tagline.sandbox.door import Door
from tagline.sandbox.shop_webhooks import Delivery

ORDERS = 30


class Courier:
    """Carries the webhooks of a shop instead of the sandbox: everything thrice, shuffled, several at a time."""

    def __init__(self, made: Scratch, environment: str, random: Random) -> None:
        self._webhooks = made.sandbox.shops[environment].webhooks
        self._webhooks.on_queued = lambda: None
        self._random = random
        self.carried: list[Delivery] = []

    def carry(self) -> int:
        """Take what waits and deliver it; how many deliveries that were."""
        taken: list[Delivery] = []

        def keep(due: Sequence[Delivery]) -> Sequence[Delivery]:
            taken.extend(due)
            return ()

        self._webhooks.deliver(lambda _: None, order=keep)
        self.carried += taken
        return self.deliver(taken)

    def deliver(self, deliveries: Iterable[Delivery]) -> int:
        thrice = list(deliveries) * 3
        self._random.shuffle(thrice)
        with closing(httpx.Client(trust_env=False)) as client, ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda each: client.post(each.url, content=each.body).status_code, thrice)
            assert set(answers) <= {202}
        return len(thrice)


def writes(door: Door) -> Counter[tuple[str, str]]:
    """Calls that wrote, by method and table."""
    with door.lock:
        return Counter(
            (entry.method, entry.path.rsplit("/", 1)[-1].partition("(")[0])
            for entry in door.log
            if entry.method not in ("GET", "HEAD") and not entry.path.endswith(("/$batch", "/token"))
        )


def test_webhooks_delivered_thrice_in_random_order_make_no_second_write(tmp_path: Path):
    with ground(tmp_path, "dev", "qa") as made:
        release(made)
        start_agent(made, "dev", "qa")
        made.tagline("deploy", "order_to_cash/v1.0.0", "--env", "dev")
        made.tagline("promote", INTEGRATION, "--from", "dev", "--to", "qa")

        once = made.sandbox.shops["dev"].place_orders(ORDERS, 1)
        courier = Courier(made, "qa", Random(1))
        thrice = made.sandbox.shops["qa"].place_orders(ORDERS, 1)
        await_orders(made, once, "dev")
        with store(made, "qa") as opened:

            def is_worked_off() -> bool:
                return not courier.carry() and is_quiet(made, opened, "qa")

            wait_until(is_worked_off, "every webhook carried thrice, and worked off")
            for environment, ids in (("dev", once), ("qa", thrice)):
                assert_equal_to_shop(made, ids, environment)
            crm, shop = (site["qa"].door for site in (made.sandbox.organisations, made.sandbox.shops))
            assert writes(made.sandbox.organisations["dev"].door) == writes(crm)
            assert len(courier.carried) == 2 * ORDERS, "each order was placed, and changed once by us"

            before = (writes(crm), writes(shop), made.sandbox.organisations["qa"].rows.changes)
            reads = len(shop.log)
            courier.deliver(courier.carried)
            wait_until(is_worked_off, "all of them worked off once more")
            assert len(shop.log) > reads
            assert before == (writes(crm), writes(shop), made.sandbox.organisations["qa"].rows.changes)
            assert opened.dead_letters.list(state=None) == []
