"""What is wrong is refused by name, with the next action and the right exit code; the rest goes on, and nothing is half-done."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
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
    write_version,
)
from tests.e2e.oracle import assert_equal_to_shop

from tagline.alm import git
from tagline.harness.scratch import Scratch
from tagline.runtime.tables import deployments, effects
from tagline.sandbox.catalogue import UNKNOWN_SKU
from tagline.sandbox.faults import Fault
from tagline.sandbox.values import Request

REFUSED = {
    "unknown_sku": ("unknown-sku", "OrderItemList.1.ItemID", "create or activate the product in Dataverse"),
    "impossible_total": ("order-total-differs", "OrderAmount", "correct the order in the shop"),
    "unmapped_status": ("status-unmapped", "OrderStatusID", "custom_statuses"),
    "malformed": ("record-malformed", "OrderAmount", "correct the record at its source"),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    """Release 1.0.0 runs in dev, and 1.0.1 is proved and released; what a test deploys stays for those after it."""
    with ground(tmp_path_factory.mktemp("running"), "dev", "qa") as made:
        release(made)
        start_agent(made)
        made.tagline("deploy", "order_to_cash/v1.0.0", "--env", "dev")
        write_version(made, "1.0.1")
        release(made)
        yield made


@pytest.fixture(scope="module")
def unproved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    """Release 1.0.0 without evidence, and no agent; the tests leave it so."""
    with ground(tmp_path_factory.mktemp("unproved")) as made:
        made.tagline("release", INTEGRATION)
        yield made


def refused(made: Scratch, code: str, *args: str, expect: int) -> str:
    """Run a command that is refused: its exit code, its code, a hint, and every branch of the hub where it was."""
    before = hub(made)
    told = made.tagline(*args, expect=expect).stderr
    assert f"({code})" in told
    assert "hint: " in told
    assert "Traceback" not in told
    assert hub(made) == before
    return told


def hub(made: Scratch) -> str:
    """Decisions, evidence, tags and code; agents report whenever they like."""
    refs = git.run(made.folder / "hub.git", "for-each-ref", "--format=%(refname) %(objectname)")
    return "\n".join(line for line in refs.splitlines() if "/observed/" not in line)


def letters(made: Scratch, *args: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(
        made.tagline("dead-letters", "list", "--env", "dev", "--json", *args).stdout
    )
    return found


def test_bad_orders_become_dead_letters_and_the_others_go_on(running: Scratch):
    shop = running.sandbox.shops["dev"]
    awkward = shop.place_awkward()
    usual = shop.place_orders(20, 3)
    good = [*usual, *(order for case, order in awkward.items() if case not in REFUSED)]
    await_orders(running, good)
    assert_equal_to_shop(running, good)

    found = {letter["key"]: letter for letter in letters(running)}
    assert {str(awkward[case]) for case in REFUSED} == set(found)
    for case, (cause, field, hint) in REFUSED.items():
        letter = found[str(awkward[case])]
        assert cause == letter["cause"]
        assert [field] == [detail["field"] for detail in letter["details"]]
        assert hint in letter["hint"]
        assert (letter["flow"], letter["version"]) == ("order_to_cash", "1.0.0")
    number = str(found[str(awkward["unknown_sku"])]["id"])
    shown = running.tagline("dead-letters", "show", number, "--env", "dev").stdout
    for told in (str(awkward["unknown_sku"]), *REFUSED["unknown_sku"]):
        assert told in shown

    control = Request(
        "POST", "https://organisation.test/_sandbox/add-product", {}, b'{"sku": "%s"}' % UNKNOWN_SKU.encode()
    )
    assert running.sandbox.organisations["dev"].handle(control).status == 200
    unknown = awkward["unknown_sku"]
    running.tagline("dead-letters", "redrive", number, "--env", "dev")
    await_orders(running, [*good, unknown])
    assert_equal_to_shop(running, [*good, unknown])
    states = {letter["key"]: letter["state"] for letter in letters(running, "--all")}
    assert states[str(unknown)] == "resolved"


def test_a_delivery_that_nobody_can_read_is_set_aside_and_answered(running: Scratch):
    hook = next(iter(running.sandbox.shops["dev"].webhooks.registered.values()))
    answer = httpx.post(hook["Url"], content=b'[{"OrderID": 7, "CardNumber": "4111', trust_env=False)
    assert answer.status_code == 202
    (letter,) = [each for each in letters(running) if each["key"].startswith("unread-")]
    assert letter["cause"]
    assert letter["hint"]
    assert "4111" not in json.dumps(letter)


def test_a_release_without_evidence_is_refused(unproved: Scratch):
    told = refused(unproved, "evidence-missing", "deploy", "order_to_cash/v1.0.0", "--env", "dev", expect=3)
    assert "tagline check" in told


def test_a_branch_named_env_is_named_as_being_in_the_way(unproved: Scratch):
    git.run(unproved.work, "push", "--quiet", "origin", "main:refs/heads/env")
    try:
        told = refused(
            unproved, "branch-in-the-way", "deploy", "order_to_cash/v1.0.0", "--env", "dev", expect=3
        )
        assert "git branch -m env" in told
    finally:
        git.run(unproved.work, "push", "--quiet", "origin", ":refs/heads/env")


def test_a_missing_secret_is_named_and_never_told(unproved: Scratch):
    names = "TAGLINE_DEV_STATE_KEY"
    without = replace(unproved, environ={k: v for k, v in unproved.environ.items() if k != names})
    told = refused(without, "secret-missing", "run", "--env", "dev", expect=2)
    assert names in told


def test_a_moved_tag_is_refused_with_both_object_ids(running: Scratch):
    tag = "order_to_cash/v1.0.0"
    before = git.run(running.work, "rev-parse", f"refs/tags/{tag}")
    git.run(running.work, "tag", "--force", "--annotate", "--message", "moved", tag, "HEAD")
    after = git.run(running.work, "rev-parse", f"refs/tags/{tag}")
    try:
        git.run(running.work, "push", "--quiet", "--force", "origin", f"refs/tags/{tag}")
        told = refused(running, "tag-moved", "deploy", tag, "--env", "dev", expect=3)
        assert after in told
    finally:
        git.run(running.work, "update-ref", f"refs/tags/{tag}", before)
        git.run(running.work, "push", "--quiet", "--force", "origin", f"refs/tags/{tag}")


@contextmanager
def hub_away(made: Scratch) -> Iterator[None]:
    place, away = made.folder / "hub.git", made.folder / "away.git"
    place.rename(away)
    try:
        yield
    finally:
        away.rename(place)


def test_an_unreachable_hub_stops_decisions_and_no_order(running: Scratch):
    before = standing(running)
    with hub_away(running):
        told = running.tagline("deploy", "order_to_cash/v1.0.1", "--env", "dev", expect=6).stderr
        assert "(remote-unreachable)" in told
        assert "hint: " in told
        await_orders(running, running.sandbox.shops["dev"].place_orders(3, 5))
    assert standing(running) == before


def test_an_agent_without_a_secret_refuses_the_deployment_and_names_the_secret(running: Scratch):
    name = "TAGLINE_QA_CRM_CLIENT_SECRET"
    without = replace(running, environ={k: v for k, v in running.environ.items() if k != name})
    start_agent(without, "qa")
    try:
        told = running.tagline("promote", INTEGRATION, "--from", "dev", "--to", "qa", expect=3).stderr
        assert "(deployment-failed)" in told
        assert "(secret-missing)" in told
        assert name in told
        assert not running.sandbox.shops["qa"].webhooks.registered
    finally:
        without.stop_agent("qa")


def test_a_deployment_whose_remote_is_away_fails_by_name_and_may_be_tried_again(running: Scratch):
    """What ran before goes on meanwhile."""
    before = standing(running)["report"]
    faults = running.sandbox.organisations["dev"].door.faults
    faults.seeded(1, 1.0, [Fault.RESET_BEFORE])
    try:
        told = running.tagline("deploy", "order_to_cash/v1.0.1", "--env", "dev", expect=3).stderr
    finally:
        faults.seeded(1, 0.0)
    assert "(deployment-failed)" in told
    assert "(remote-unreachable)" in told
    assert "what ran before goes on" in told
    await_orders(running, running.sandbox.shops["dev"].place_orders(3, 6))
    assert before["version"] == writers(running)[-1]

    running.tagline("deploy", "order_to_cash/v1.0.1", "--env", "dev")
    await_orders(running, running.sandbox.shops["dev"].place_orders(3, 7))
    assert writers(running)[-1] == "1.0.1"


def standing(made: Scratch) -> Mapping[str, Any]:
    """What is decided for dev, and the agent's last word about it."""
    (found,) = json.loads(made.tagline("status", "--env", "dev", "--json").stdout)
    return {
        name: value
        for name, value in found.items()
        if name not in ("load", "last_report_s", "agents", "alerts")
    }


def writers(made: Scratch) -> list[str]:
    """The release that made each write, oldest first."""
    query = (
        sa.select(deployments.c.version)
        .join(effects, effects.c.deployment == deployments.c.id)
        .order_by(effects.c.id)
    )
    with store(made) as opened:
        return [row["version"] for row in select(opened, query)]
