"""Nothing that was acknowledged is lost or doubled by `kill -9`, whenever it strikes."""

from pathlib import Path

import pytest
from tests.campaign.chaos import live_through


@pytest.mark.campaign
def test_fifteen_kills_lose_and_double_nothing(tmp_path: Path):
    run = live_through(tmp_path, cycles=15, events=300, seed=7, settle_s=120)
    assert sum(run.kills.values()) == 15
    assert run.struck["with records in hand"] > 0
    assert run.struck["with writes in doubt"] >= 5
    assert run.unheard


@pytest.mark.campaign
def test_two_hundred_kills_over_a_hundred_thousand_events_lose_and_double_nothing(tmp_path: Path):
    run = live_through(tmp_path, cycles=200, events=100_000, seed=11, settle_s=3600)
    assert sum(run.kills.values()) == 200
    assert run.struck["with records in hand"] > 20
    assert run.struck["with writes in doubt"] >= 67
    assert len(run.unheard) > 200
