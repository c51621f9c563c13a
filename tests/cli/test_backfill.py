"""`tagline backfill` as a user types it, where no agent runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from tests.cli.telling import NAME, Story

from tagline.clock import SystemClock
from tagline.connectors.pace import Lane
from tagline.runtime import filling
from tagline.runtime.key_ring import KeyRing
from tagline.runtime.store import Store


@pytest.fixture
def fresh(story: Story) -> Iterator[Story]:
    """Dev's state folder is not there yet, and not any more afterwards."""
    shutil.rmtree(story.made.state("dev"), ignore_errors=True)
    yield story
    shutil.rmtree(story.made.state("dev"), ignore_errors=True)


def waiting(story: Story) -> list[str]:
    key = story.made.environ["TAGLINE_DEV_STATE_KEY"]
    path = story.made.state("dev") / "state.sqlite"
    with closing(Store.open(path, ring=KeyRing.of(key), clock=SystemClock())) as store:
        return [row.key for row in store.ready(NAME, SystemClock().now(), 1000, Lane.BACK_FILL)]


def orders(story: Story) -> list[str]:
    return [str(number) for number in story.made.sandbox.shops["dev"].orders]


def test_a_dry_run_counts_and_estimates_and_makes_nothing(fresh: Story) -> None:
    done = fresh.tagline("backfill", NAME, "--env", "dev", "--all", "--dry-run")
    count = len(orders(fresh))
    assert done.code == 0
    assert done.out.startswith(f"{NAME}, all: {count} records; requests about: crm {count}, shop {count}\n")
    assert "time to drain about" in done.out
    assert done.err == "nothing was put into the inbox\n"
    assert not fresh.made.state("dev").exists()


def test_all_records_are_put_into_the_back_fill_lane_before_an_agent_ever_ran(fresh: Story) -> None:
    done = fresh.tagline("backfill", NAME, "--env", "dev", "--all")
    count = len(orders(fresh))
    assert (done.code, done.out) == (
        0,
        f"{NAME}, all: {count} records listed, {count} put into the back-fill lane\n",
    )
    assert f"listed {count} of {count}" in done.err
    assert "no agent runs here: tagline run --env dev works them off" in done.err
    assert orders(fresh) == waiting(fresh)


def test_the_same_again_adds_nothing_that_waits_and_status_tells_what_does(fresh: Story) -> None:
    fresh.tagline("backfill", NAME, "--env", "dev", "--keys", "1001")
    again = fresh.tagline("backfill", NAME, "--env", "dev", "--keys", "1001, 1002,1001", "--json")
    assert (again.json["found"], again.json["added"], again.json["progress"]) == (2, 1, None)
    told = fresh.tagline("status", "--env", "dev").out
    assert "dev: no agent runs on this machine\n" in told
    assert "dev: 0 live records wait, " in told
    assert "dev: 2 records wait in back-fills, " in told
    (first, *_) = fresh.tagline("status", "--env", "dev", "--json").json
    assert first["load"]["back_fill"] == 2
    assert first["agent_process"] is None


def test_keys_that_the_source_does_not_have_are_named_and_left_out(fresh: Story) -> None:
    done = fresh.tagline("backfill", NAME, "--env", "dev", "--keys", "1,1001")
    assert (done.code, waiting(fresh)) == (0, ["1001"])
    assert "not in the source, and left out: 1\n" in done.err
    assert "1 record listed" in done.out
    none = fresh.tagline("backfill", NAME, "--env", "dev", "--keys", "1")
    assert (none.code, none.out) == (1, "")
    assert "(record-gone)" in none.err


def test_days_choose_by_when_an_order_was_placed(fresh: Story) -> None:
    ahead = SystemClock().now().date() + timedelta(days=3)
    none = fresh.tagline("backfill", NAME, "--env", "dev", "--since", str(ahead), "--json")
    every = fresh.tagline(
        "backfill", NAME, "--env", "dev", "--since", "2001-01-01", "--until", str(ahead), "--json"
    )
    assert (none.code, none.json["found"]) == (0, 0)
    assert every.json["found"] == len(orders(fresh))


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "say which records"),
        (("--all", "--keys", "1"), "say which records"),
        (("--since", "2026-01-01", "--all"), "say which records"),
        (("--keys", " , "), "--keys names no record"),
        (("--since", "yesterday"), "'yesterday' is no day"),
        (("--since", "2026-02-01", "--until", "2026-01-01"), "is before"),
    ],
    ids=["nothing", "two", "days and all", "no key", "no day", "backwards"],
)
def test_wrong_use_is_told_and_makes_nothing(fresh: Story, args: tuple[str, ...], said: str) -> None:
    done = fresh.tagline("backfill", NAME, "--env", "dev", *args)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert not fresh.made.state("dev").exists()


def test_a_flow_that_is_none_is_wrong_use(fresh: Story) -> None:
    done = fresh.tagline("backfill", NAME, "--env", "dev", "--all", "--flow", "nope")
    assert done.code == 2
    assert "(flow-unknown)" in done.err


def test_a_second_one_at_the_same_time_is_refused(fresh: Story) -> None:
    with filling.alone(fresh.made.state("dev"), NAME, NAME):
        done = fresh.tagline("backfill", NAME, "--env", "dev", "--all")
    assert (done.code, done.out) == (3, "")
    assert "(backfill-running)" in done.err
    assert waiting(fresh) == []
