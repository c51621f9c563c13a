"""Deploy, roll back and try again while orders flow: none lost, each under exactly one deployment at a time."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from tests.e2e.ground import (
    Shoppers,
    await_orders,
    ground,
    release,
    rows,
    select,
    start_agent,
    store,
    wait_until,
    write_version,
)
from tests.e2e.oracle import TITLE, assert_equal_to_shop

from tagline.harness.scratch import Scratch
from tagline.runtime.tables import deployments, effects

NEW_TITLE, LAST_TITLE = "Web order", "Shop order"
OLD, NEW, BACK, LAST = (f"order_to_cash-{n:06d}" for n in (1, 2, 3, 4))


def named(made: Scratch, title: str) -> list[Mapping[str, Any]]:
    return [row for row in rows(made, "salesorder") if row["name"].startswith(title)]


def test_orders_flow_through_deploy_and_rollback_each_under_one_deployment_at_a_time(tmp_path: Path):
    with ground(tmp_path) as made:
        release(made)
        start_agent(made)
        made.tagline("deploy", "order_to_cash/v1.0.0", "--env", "dev")
        with Shoppers(made) as shoppers:
            wait_until(lambda: named(made, TITLE), "the first release writes")
            write_version(made, "1.1.0", ("order_to_cash/transforms.py", f'f"{TITLE} ', f'f"{NEW_TITLE} '))
            release(made)
            made.tagline("deploy", "order_to_cash/v1.1.0", "--env", "dev")
            wait_until(lambda: named(made, NEW_TITLE), "the second release writes")
            made.tagline("rollback", "order_to_cash", "--env", "dev", "--reason", "titles changed")
            told = made.tagline("deploy", "order_to_cash/v1.1.0", "--env", "dev", expect=3).stderr
            assert "(held)" in told
            assert "titles changed" in told
            assert "hint: " in told
            since = len(shoppers.placed)
            wait_until(lambda: len(shoppers.placed) > since, "orders are placed after the rollback")
            write_version(
                made, "1.2.0", ("order_to_cash/transforms.py", f'f"{NEW_TITLE} ', f'f"{LAST_TITLE} ')
            )
            release(made)
            made.tagline("deploy", "order_to_cash/v1.2.0", "--env", "dev")
            wait_until(lambda: named(made, LAST_TITLE), "the corrected release writes")
        await_orders(made, shoppers.placed)
        assert_equal_to_shop(made, shoppers.placed, titles=(TITLE, NEW_TITLE, LAST_TITLE))

        shop = made.sandbox.shops["dev"]
        later = {shop.orders[i]["ExternalComments"] for i in shoppers.placed[since:]}
        assert later <= {row["salesorderid"] for row in (*named(made, TITLE), *named(made, LAST_TITLE))}
        with store(made) as opened:
            assert opened.dead_letters.list(state=None) == []
            ran = select(opened, sa.select(deployments).order_by(deployments.c.fence))
            written = select(opened, sa.select(effects))
        assert_one_at_a_time(ran, written)


def assert_one_at_a_time(ran: Sequence[Mapping[str, Any]], written: Sequence[Mapping[str, Any]]) -> None:
    """Every effect was intended and settled while its deployment was the active one, and each of them wrote."""
    assert [each["id"] for each in ran] == [OLD, NEW, BACK, LAST]
    assert ran[0]["closure"] == ran[2]["closure"]
    assert len({each["closure"] for each in ran}) == 3
    assert [each["state"] for each in ran] == ["retired", "retired", "retired", "active"]
    assert {effect["deployment"] for effect in written} == {OLD, NEW, BACK, LAST}
    began = {each["id"]: each["activated_at"] for each in ran}
    ended = {old["id"]: new["activated_at"] for old, new in pairwise(ran)}
    for effect in written:
        assert began[effect["deployment"]] <= effect["intended_at"] <= effect["settled_at"]
        assert effect["deployment"] == LAST or effect["settled_at"] <= ended[effect["deployment"]]
