"""`kill -9` of the back-fill command while it lists: the same command goes on, and every order waits once."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import sqlalchemy as sa
from tests.e2e.ground import INTEGRATION, ground, select, store

from tagline.runtime.tables import inbox
from tagline.sandbox.faults import Fault

ORDERS = 1_000


def test_a_killed_listing_goes_on_and_puts_each_order_into_the_inbox_once(tmp_path: Path) -> None:
    with ground(tmp_path) as made:
        shop = made.sandbox.shops["dev"]
        shop.place_history(ORDERS, 3)
        # A count and a page are answered, the page behind it comes late.
        shop.door.faults.next_calls(None, None, Fault.SLOW)
        command = ["backfill", INTEGRATION, "--env", "dev", "--all"]
        with subprocess.Popen(
            [sys.executable, "-m", "tagline", *command],
            cwd=made.work,
            env=dict(made.environ),
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == f"listed 300 of {len(shop.orders):,}\n"
            process.kill()
        with store(made) as opened:
            (left,) = opened.back_fills.unfinished(INTEGRATION, INTEGRATION)
            assert left.found == 300
            told = made.tagline(*command).stdout
            assert told == (
                f"{INTEGRATION}, all: {len(shop.orders):,} records listed, "
                f"{len(shop.orders):,} put into the back-fill lane\n"
            )
            assert opened.back_fills.unfinished(INTEGRATION, INTEGRATION) == []
            rows = Counter(row["key"] for row in select(opened, sa.select(inbox.c.key)))
            assert rows == {str(number): 1 for number in shop.orders}
