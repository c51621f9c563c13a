"""What the agent makes of a deployment that is not verified: who works meanwhile, what it says, and what it decides."""

import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.runtime.test_agent import CRASHED, KEY, ONE, TOKEN, TWO, House, make_deployment

from tagline.domain.lifecycle import Deployment
from tagline.errors import NotAuthorisedError, TaglineError, TryAgainError, UsageError
from tagline.runtime.key_ring import KeyRing
from tagline.runtime.posts import VERIFY_AGAIN_S
from tagline.runtime.store import Store
from tagline.runtime.supervisor import ANSWER_S, RESTART_MAX_S

DENIED = NotAuthorisedError("no", code="not-authorised")
AWAY = TryAgainError("the shop is away", code="remote-away")
THREE = make_deployment(3, closure=ONE.closure)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.agent.start()
    yield house
    house.agent.stop()


def words(house: House, deployment: Deployment) -> list[str]:
    return [state for state, _ in house.branch.states(deployment)]


def pass_time(house: House, seconds: float) -> None:
    for _ in range(int(seconds)):
        house.clock.advance(1)
        house.agent.step()


def die(house: House) -> None:
    """The worker dies, and another is started once the wait is over."""
    process = house.processes[-1]
    process.exit_code = 1
    while house.processes[-1] is process:
        pass_time(house, 1)


# What is called verified


def test_a_deployment_that_failed_is_not_verified_by_a_restart_of_the_agent(house: House) -> None:
    house.fails["probe"] = [None, DENIED, DENIED]
    house.deploy(ONE)
    house.restart()
    pass_time(house, 3)
    assert words(house, ONE) == ["activated", "failed", "failed"]
    assert house.working() == []


def test_an_agent_killed_before_it_verified_verifies_and_rolls_back_when_it_is_back(house: House) -> None:
    house.deploy(ONE)
    house.fails["started"] = [KeyboardInterrupt(), CRASHED]
    with pytest.raises(KeyboardInterrupt):
        house.deploy(TWO)
    house.restart()
    house.agent.step()
    assert words(house, TWO) == ["activated", "failed"]
    assert house.branch.rolled_back == [(TWO.id, True)]


def test_without_a_hub_a_resumed_deployment_is_verified_all_the_same(house: House) -> None:
    house.fails["started"] = [KeyboardInterrupt(), CRASHED]
    with pytest.raises(KeyboardInterrupt):
        house.deploy(ONE)
    house.agent.stop()
    house.branch.away = True
    house.restart()
    house.agent.step()
    assert house.working() == []
    house.branch.away = False
    house.agent.step()
    assert words(house, ONE) == ["activated", "failed"]


def test_one_death_of_a_verified_worker_is_an_accident(house: House) -> None:
    house.deploy(ONE)
    die(house)
    assert words(house, ONE) == ["activated", "verified", "failed", "verified"]


def test_a_worker_that_dies_again_and_again_is_not_called_verified_in_between(house: House) -> None:
    """A promotion takes the last word."""
    house.deploy(ONE)
    die(house)
    for _ in range(5):
        pass_time(house, RESTART_MAX_S - 5)
        die(house)
        assert words(house, ONE)[-1] == "failed"
    pass_time(house, RESTART_MAX_S + 1)
    assert words(house, ONE)[-1] == "verified"


@pytest.mark.parametrize("error", [DENIED, AWAY], ids=lambda e: e.code)
def test_a_deployment_verified_once_works_on_through_a_bad_day_of_its_remote(
    house: House, error: TaglineError
) -> None:
    house.deploy(ONE)
    house.fails["probe"] = [error] * 4
    house.restart()
    pass_time(house, 5)
    assert house.working() == [ONE.id]
    assert words(house, ONE)[2:] == ([] if error is AWAY else ["failed"])
    pass_time(house, 60)
    assert words(house, ONE)[-1] == "verified"
    assert house.branch.rolled_back == []


def test_a_deployment_prepared_anew_has_to_be_verified_anew(house: House) -> None:
    house.deploy(ONE)
    house.deploy(TWO)
    house.fails["started"] = [CRASHED]
    house.deploy(ONE)
    assert house.branch.rolled_back == [(ONE.id, True)]


# A remote that is away


def test_a_remote_that_is_away_for_a_moment_rolls_nothing_back(house: House) -> None:
    house.deploy(ONE)
    house.fails["probe"] = [None, AWAY, AWAY]
    house.deploy(TWO)
    assert words(house, TWO) == ["activated"]
    pass_time(house, 4)
    assert words(house, TWO) == ["activated", "verified"]
    assert house.branch.rolled_back == []


def test_a_remote_that_stays_away_rolls_back_and_holds_nothing(house: House) -> None:
    house.deploy(ONE)
    house.fails["probe"] = [None] + [AWAY] * 7
    house.deploy(TWO)
    pass_time(house, VERIFY_AGAIN_S - 1)
    assert house.working() == [TWO.id]
    pass_time(house, 1)
    assert house.branch.states(TWO) == [("activated", ""), ("failed", "remote-away")]
    assert house.branch.rolled_back == [(TWO.id, False)]
    assert house.working() == [ONE.id]


def test_who_waits_for_a_remote_keeps_no_other_integration_waiting(house: House) -> None:
    other = make_deployment(1, "zoo")
    silent = TryAgainError("not yet", code="worker-silent")
    house.fails["started"] = [silent]
    process = house.deploy(ONE)
    house.deploy(other)
    assert words(house, other) == ["activated", "verified"]
    house.fails["started"] = [silent]
    pass_time(house, 5)
    assert process.waits == [ANSWER_S, 0, 0]


def test_a_worker_that_dies_while_its_remote_is_away_is_given_up_at_once(house: House) -> None:
    house.deploy(ONE)
    house.fails["probe"] = [None, AWAY]
    process = house.deploy(TWO)
    process.exit_code = 1
    house.agent.step()
    assert house.branch.states(TWO)[-1] == ("failed", "worker-died")
    assert house.branch.rolled_back == [(TWO.id, True)]


@pytest.mark.parametrize(
    ("error", "held"),
    [
        (UsageError("no such setting", code="settings-invalid"), True),
        (CRASHED, True),
        (DENIED, False),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_only_a_fault_of_the_release_itself_holds_it(house: House, error: TaglineError, held: bool) -> None:
    house.deploy(ONE)
    house.fails["started"] = [error]
    house.deploy(TWO)
    assert house.branch.rolled_back == [(TWO.id, held)]


# Who is held


@pytest.mark.parametrize("error", [AWAY, OSError("disk full")], ids=["ours", "not-ours"])
@pytest.mark.parametrize("held", [True, False], ids=["held", "free"])
def test_what_is_held_stops_even_when_nothing_can_take_over(
    house: House, error: Exception, held: bool
) -> None:
    house.deploy(TWO)
    if held:
        house.hold(TWO)
    house.fails["probe"] = [error]
    house.deploy(THREE)
    house.agent.step()
    assert house.working() == ([] if held else [TWO.id])
    assert words(house, TWO)[2:] == (["drained"] if held else [])
    assert any("is held and stops" in line for line in house.lines) is held


def test_what_comes_in_while_nobody_works_is_kept(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.listen = "127.0.0.1:0"
    house.agent = house.make_agent()
    house.agent.start()
    house.deploy(TWO)
    house.hold(TWO)
    house.fails["probe"] = [AWAY]
    house.deploy(THREE)
    assert house.agent.server
    hook = f"http://127.0.0.1:{house.agent.server.port}/hooks/orders/shop/order-placed/{TOKEN}"
    assert httpx.post(hook, json=[], trust_env=False).status_code == 202
    house.agent.stop()
    store = Store.open(house.state / "state.sqlite", ring=KeyRing.of(KEY), clock=house.clock)
    assert store.counts("orders")["received"] == 1
    store.close()


def test_what_is_held_does_not_work_again_when_what_took_over_fails(house: House) -> None:
    house.deploy(TWO)
    house.hold(TWO)
    house.fails["started"] = [CRASHED]
    house.deploy(THREE)
    house.agent.step()
    assert house.working() == []
    assert any("does not work again" in line for line in house.lines)


# Errors that are not ours


@pytest.mark.parametrize("stage", ["start", "started"])
def test_an_unexpected_error_ends_the_new_worker_and_gives_the_post_back(house: House, stage: str) -> None:
    house.deploy(ONE)
    house.fails[stage] = [OSError("disk full of cards")]
    house.deploy(TWO)
    house.agent.step()
    house.agent.step()
    new = next(p for p in house.processes if p.deployment == TWO)
    assert new.exit_code == -9
    assert house.working() == [ONE.id]
    assert house.branch.states(TWO)[-1] == ("failed", "stage-failed")
    assert house.told.count(("spawn", TWO.id)) == 1
    assert not any("cards" in text for text in [*house.lines, *(r.message for r in house.branch.reports)])


def test_an_interrupted_hand_over_leaves_no_worker_behind(house: House) -> None:
    house.deploy(ONE)
    house.fails["start"] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        house.deploy(TWO)
    assert house.working() == [ONE.id]
    house.agent.stop()
    assert [p for p in house.processes if p.exit_code is None] == []


def test_an_old_worker_that_cannot_be_started_again_is_tried_again(house: House) -> None:
    house.deploy(ONE)
    house.fails["start"] = [OSError("disk full"), OSError("disk full")]
    house.deploy(TWO)
    pass_time(house, 2)
    assert house.working() == [ONE.id]


def test_the_state_folder_is_for_its_owner_alone(house: House) -> None:
    assert stat.S_IMODE(house.state.stat().st_mode) == 0o700
