"""Plans and the decisions they become: the gate, races, promotion, rollback, and never anything half-done."""

from __future__ import annotations

import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.alm import branches, deciding, evidence, planning, tags
from tagline.alm.git import Repository
from tagline.domain.lifecycle import DecisionKind, Hold, StageKind, Verdict
from tagline.errors import RefusedError, TaglineError, TryAgainError, UsageError

from .conftest import ANN, BOB, NOW, OWN, World, git, integration_files


@pytest.fixture
def world(released_world: World) -> World:
    return released_world


def _state(world: World, environment: str = "dev") -> branches.EnvironmentBranch:
    world.ann.refresh()
    return branches.read(world.ann, environment)


def test_a_plan_says_what_would_happen_and_changes_nothing(world: World) -> None:
    made = world.released()
    before = world.hub_refs()
    plan = world.plan(made)
    assert [s.kind for s in plan.stages] == list(StageKind)
    assert "shop and crm" in plan.stages[0].explain
    assert (plan.current, plan.head, plan.release) == (None, None, made)
    assert world.hub_refs() == before


WATCH = """

@flow(on=[crm.account_changed], {sweep}key=lambda account: str(account.accountid))
async def watch(account: Account, settings: OrdersSettings) -> None:
    require(account.name, cause="nameless")
"""


@pytest.mark.parametrize(
    ("sweep", "told"),
    [("sweep=every(minutes=5), ", "changes wait for the sweep"), ("", "nothing ever starts watch")],
    ids=["swept", "unswept"],
)
def test_a_plan_says_whose_events_nobody_will_be_told_of(world: World, sweep: str, told: str) -> None:
    flows = integration_files("1.1.0")["integrations/orders/orders/flows.py"]
    flows = flows.replace("import flow, upsert", "import every, flow, require, upsert")
    flows = flows.replace("connections import shop", "connections import crm, shop")
    flows = flows.replace(
        "from orders.conn", "from tagline.connectors.dataverse import Account\nfrom orders.conn"
    )
    made = world.release(
        "1.1.0", files={"integrations/orders/orders/flows.py": flows + WATCH.format(sweep=sweep)}
    )
    world.prove(made)
    (warning,) = world.plan(made).warnings
    assert "[connections.crm] has no webhook_token" in warning
    assert told in warning


def test_a_decision_puts_code_configuration_evidence_and_its_own_record_on_the_branch(world: World) -> None:
    made = world.released()
    deployment = world.deploy(made)
    head = _state(world).head
    assert head is not None
    files = world.ann.files(head)
    assert deployment.id == "orders-000001"
    assert (
        files["orders/code/orders/flows.py"]
        == world.ann.files(f"{made.commit}:integrations/orders")["orders/flows.py"]
    )
    assert tomllib.loads(files["orders/config.toml"].decode())["environment"] == "dev"
    proof = evidence.from_statement(files["orders/evidence/check.json"], "check.json")
    assert (proof.closure, proof.verdict) == (made.closure, Verdict.PASSED)
    assert git(world.hub, "log", "-1", "--format=%an: %s", "env/dev") == "Ann: deploy orders 1.0.0 to dev"


def test_what_is_decided_already_is_an_empty_plan_and_no_second_decision(world: World) -> None:
    made = world.released()
    first = world.deploy(made)
    plan = world.plan(made)
    before = world.hub_refs()
    assert planning.is_empty(plan)
    assert deciding.apply(world.ann, plan, by=ANN, at=NOW) == first
    assert world.hub_refs() == before


def test_what_failed_may_be_decided_again_and_a_rollback_skips_both_attempts(world: World) -> None:
    world.report(world.deploy(world.released()), "verified")
    second = world.released("1.1.0")
    failed = world.deploy(second)
    world.report(failed, "failed", minute=2)
    again = world.deploy(second)
    assert again.id > failed.id
    world.report(again, "verified", minute=3)
    assert planning.is_empty(world.plan(second))
    back = planning.plan_rollback(world.ann, "dev", "orders", by=ANN, at=NOW)
    assert back.release.version == "1.0.0"


def test_a_plan_tells_what_runs_where_what_was_decided_failed(world: World) -> None:
    made = world.released()
    failed = world.deploy(made)
    world.report(failed, "failed")
    plan = world.plan(made)
    assert (plan.current, plan.running) == (failed, None)
    assert "goes on" not in plan.stages[0].explain
    works = world.deploy(made)
    world.report(works, "verified", minute=2)
    failed = world.deploy(world.released("1.1.0"))
    world.report(failed, "failed", minute=3)
    plan = world.plan(made)
    assert (plan.current, plan.running) == (failed, works)
    assert "beside 1.0.0, which goes on" in plan.stages[0].explain
    assert not planning.is_empty(plan), "what runs is not what was decided last"


def test_a_configuration_change_is_a_deployment_of_the_same_closure(world: World) -> None:
    made = world.released()
    world.deploy(made)
    world.commit(
        {
            "environments/dev.toml": OWN.format(name="dev", number=0)
            + '[integrations.orders.settings]\nprefix = "d"\n'
        }
    )
    plan = world.plan(made)
    assert plan.config_changes == ("integrations.orders.settings.prefix: shop -> d (environments/dev.toml)",)
    assert deciding.apply(world.ann, plan, by=ANN, at=NOW).closure == made.closure


def test_settings_of_another_integration_are_no_change_of_this_one(world: World) -> None:
    made = world.released()
    world.deploy(made)
    world.commit(
        {"environments/dev.toml": OWN.format(name="dev", number=0) + "[integrations.other.settings]\nx = 1\n"}
    )
    assert planning.is_empty(world.plan(made))


def test_the_gate_names_every_reason(world: World) -> None:
    made = world.release("1.1.0")
    with pytest.raises(RefusedError, match="has no evidence of check") as error:
        world.plan(made)
    assert (error.value.code, error.value.exit_code) == ("evidence-missing", 3)
    world.prove(made, verdict=Verdict.FAILED)
    with pytest.raises(RefusedError, match="verdict failed"):
        world.plan(made)
    world.prove(made, at=NOW - timedelta(days=91))
    with pytest.raises(RefusedError) as error:
        world.plan(made)
    assert error.value.code == "evidence-stale"


def test_settings_that_do_not_fit_the_released_code_are_refused_before_anything_is_decided(
    world: World,
) -> None:
    made = world.released()
    world.commit(
        {
            "environments/dev.toml": OWN.format(name="dev", number=0)
            + "[integrations.orders.settings]\nprefix = 1\n"
        }
    )
    with pytest.raises(UsageError) as error:
        world.plan(made)
    assert error.value.code == "settings-invalid"
    assert "env/dev" not in world.hub_refs()


def test_of_two_operators_one_wins_and_the_other_is_told_who(world: World) -> None:
    world.deploy(world.released())
    second = world.released("1.1.0")
    ann_plan = world.plan(second)
    third = world.released("1.2.0")
    bob_plan = planning.plan_deploy(world.bob, third.tag, "dev", at=NOW)
    won = deciding.apply(world.bob, bob_plan, by=BOB, at=NOW)
    before = world.hub_refs()
    with pytest.raises(
        TryAgainError, match=r"Bob <bob@example.com> was first with: deploy orders 1\.2\.0 to dev"
    ) as error:
        deciding.apply(world.ann, ann_plan, by=ANN, at=NOW)
    assert (error.value.code, error.value.exit_code) == ("plan-stale", 6)
    assert (world.hub_refs(), _state(world).deployments["orders"]) == (before, won)


def test_a_plan_is_used_once(world: World) -> None:
    plan = world.plan(world.released())
    deciding.apply(world.ann, plan, by=ANN, at=NOW)
    with pytest.raises(TryAgainError) as error:
        deciding.apply(world.ann, plan, by=ANN, at=NOW)
    assert error.value.code == "plan-stale"


def test_over_decisions_about_others_a_plan_goes_on(world: World) -> None:
    plan = world.plan(world.released())
    theirs = world.bob.add("env/dev", {"other/deployment.json": _other(world)}, message="m", by=BOB, at=NOW)
    deciding.apply(world.ann, plan, by=ANN, at=NOW)
    state = _state(world)
    assert sorted(state.deployments) == ["orders", "other"]
    assert state.head is not None
    assert world.ann.is_ancestor(theirs, state.head)


def test_a_movement_of_the_whole_environment_makes_a_plan_stale(world: World) -> None:
    plan = world.plan(world.released())
    world.bob.add("env/dev", {"freeze.json": b"{}"}, message="freeze", by=BOB, at=NOW)
    with pytest.raises(TryAgainError) as error:
        deciding.apply(world.ann, plan, by=ANN, at=NOW)
    assert error.value.code == "plan-stale"


def _other(world: World) -> bytes:
    deployment = deciding._deployment(world.plan(world.release()), by=BOB, at=NOW)
    return branches.to_json(deployment.model_copy(update={"integration": "other", "id": "other-000001"}))


def test_evidence_that_is_taken_back_after_the_plan_stops_the_decision(world: World) -> None:
    made = world.released()
    plan = world.plan(made)
    world.prove(made, verdict=Verdict.FAILED)
    with pytest.raises(RefusedError):
        deciding.apply(world.ann, plan, by=ANN, at=NOW)
    assert "env/dev" not in world.hub_refs()


def test_a_push_that_fails_decides_nothing(world: World) -> None:
    plan = world.plan(world.released())
    hook = world.hub / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    before = world.hub_refs(), git(world.root / "ann", "for-each-ref")
    with pytest.raises(TaglineError):
        deciding.apply(world.ann, plan, by=ANN, at=NOW)
    assert (world.hub_refs(), git(world.root / "ann", "for-each-ref")) == before
    hook.unlink()
    assert deciding.apply(world.ann, plan, by=ANN, at=NOW).id == "orders-000001"


def test_an_unreachable_hub_decides_nothing(world: World) -> None:
    plan = world.plan(world.released())
    git(world.root / "ann", "remote", "set-url", "origin", "../gone.git")
    with pytest.raises(TryAgainError) as error:
        deciding.apply(world.ann, plan, by=ANN, at=NOW)
    assert error.value.code == "remote-unreachable"


def test_promotion_takes_exactly_what_is_verified(world: World) -> None:
    made = world.released()
    deployment = world.deploy(made)
    world.released("1.1.0")
    with pytest.raises(RefusedError, match="is not verified in dev") as error:
        planning.plan_promote(world.ann, "orders", "dev", "qa", at=NOW)
    assert error.value.code == "not-verified"
    world.report(deployment, "verified")
    plan = planning.plan_promote(world.bob, "orders", "dev", "qa", at=NOW)
    promoted = deciding.apply(world.bob, plan, by=BOB, at=NOW)
    assert (promoted.closure, promoted.tag_object) == (made.closure, made.tag_object)
    assert branches.history(world.bob, "qa")[0].kind is DecisionKind.PROMOTE


def test_a_policy_asks_for_another_environment_first(world: World) -> None:
    made = world.released()
    world.commit(
        {"environments/qa.toml": OWN.format(name="qa", number=1) + '[policy]\npromote_from = "dev"\n'}
    )
    with pytest.raises(RefusedError, match="is not verified in dev"):
        world.plan(made, "qa")


def test_what_was_rolled_back_in_an_environment_does_not_pass_for_verified_there(world: World) -> None:
    world.commit(
        {"environments/qa.toml": OWN.format(name="qa", number=1) + '[policy]\npromote_from = "dev"\n'}
    )
    world.report(world.deploy(world.released()), "verified")
    bad = world.released("1.1.0")
    world.report(world.deploy(bad), "verified", minute=2)
    assert world.plan(bad, "qa").stages
    _roll_back(world.ann)
    with pytest.raises(RefusedError, match=r"held in dev since .* by Bob .*: totals are wrong") as error:
        world.plan(bad, "qa")
    assert (error.value.code, error.value.exit_code) == ("held-before", 3)


def test_a_promotion_of_what_is_held_where_it_comes_from_is_refused(world: World) -> None:
    made = world.released()
    world.report(world.deploy(made), "verified")
    hold = Hold(integration="orders", closure=made.closure, version="1.0.0", reason="no", by=BOB, at=NOW)
    world.bob.add("env/dev", {branches.hold_path(hold): branches.to_json(hold)}, message="m", by=BOB, at=NOW)
    with pytest.raises(RefusedError) as error:
        planning.plan_promote(world.ann, "orders", "dev", "qa", at=NOW)
    assert error.value.code == "held-before"


def test_nothing_to_promote_is_wrong_use(world: World) -> None:
    with pytest.raises(UsageError) as error:
        planning.plan_promote(world.ann, "orders", "dev", "qa", at=NOW)
    assert error.value.code == "nothing-deployed"


def _roll_back(repo: Repository) -> None:
    plan = planning.plan_rollback(repo, "dev", "orders", by=BOB, at=NOW, reason="totals are wrong")
    deciding.apply(repo, plan, by=BOB, at=NOW)


def test_a_rollback_restores_the_prior_pair_and_holds_the_bad_closure(world: World) -> None:
    good, bad = world.released(), world.released("1.1.0")
    world.deploy(good)
    world.deploy(bad)
    code = _code(world)
    _roll_back(world.ann)
    state = _state(world)
    assert state.deployments["orders"].closure == good.closure
    assert state.deployments["orders"].id == "orders-000003"
    assert [(h.closure, h.by, h.reason) for h in state.holds] == [(bad.closure, BOB, "totals are wrong")]
    assert _code(world) != code
    with pytest.raises(RefusedError, match="totals are wrong") as error:
        world.plan(bad)
    assert error.value.code == "held"


def _code(world: World) -> str | None:
    head = _state(world).head
    assert head is not None
    return world.ann.tree_id(head, "orders/code")


def test_a_rollback_works_when_tags_commits_and_main_are_gone(world: World) -> None:
    good = world.released()
    world.deploy(good)
    first = _code(world)
    world.deploy(world.released("1.1.0"))
    for tag in tags.names(world.ann):
        git(world.hub, "tag", "-d", tag)
    git(world.hub, "update-ref", "-d", "refs/heads/main")
    git(world.hub, "update-ref", "-d", "refs/heads/evidence")
    git(world.hub, "gc", "--quiet", "--prune=now")
    git(world.root, "clone", "--quiet", "--branch=env/dev", "hub.git", "fresh")
    _roll_back(Repository.open(world.root / "fresh"))
    assert (_code(world), _state(world).deployments["orders"].closure) == (first, good.closure)


def test_rolling_back_twice_goes_further_back_and_never_returns(world: World) -> None:
    releases = [world.released(v) for v in ("1.0.0", "1.1.0", "1.2.0")]
    for made in releases:
        world.deploy(made)
    _roll_back(world.ann)
    _roll_back(world.ann)
    state = _state(world)
    assert state.deployments["orders"].closure == releases[0].closure
    with pytest.raises(RefusedError) as error:
        _roll_back(world.ann)
    assert error.value.code == "nothing-earlier"
    assert "stop" in error.value.hint


def test_a_rollback_passes_over_what_never_ran(world: World) -> None:
    good = world.released()
    world.report(world.deploy(good), "verified")
    world.report(world.deploy(world.released("1.1.0")), "failed", minute=2)
    bad = world.released("1.2.0")
    world.report(world.deploy(bad), "verified", minute=3)
    _roll_back(world.ann)
    state = _state(world)
    assert state.deployments["orders"].closure == good.closure
    assert [h.closure for h in state.holds] == [bad.closure]


def test_what_no_agent_of_a_reporting_environment_verified_is_nothing_to_return_to(world: World) -> None:
    world.report(world.deploy(world.released()), "failed")
    world.report(world.deploy(world.released("1.1.0")), "verified", minute=2)
    before = world.hub_refs()
    with pytest.raises(RefusedError) as error:
        _roll_back(world.ann)
    assert (error.value.code, world.hub_refs()) == ("nothing-earlier", before)


def test_what_returned_by_a_rollback_may_be_returned_to_before_its_agent_says_so(world: World) -> None:
    """It was verified under the id of its first deployment; the rollback gave it another."""
    good = world.released()
    world.report(world.deploy(good), "verified")
    world.report(world.deploy(world.released("1.1.0")), "verified", minute=2)
    _roll_back(world.ann)
    world.report(world.deploy(world.released("1.2.0")), "verified", minute=3)
    _roll_back(world.ann)
    state = _state(world)
    assert (state.deployments["orders"].id, state.deployments["orders"].closure) == (
        "orders-000005",
        good.closure,
    )


def test_a_report_that_cannot_be_understood_keeps_nobody_from_rolling_back(world: World) -> None:
    good = world.released()
    first = world.deploy(good)
    report = {f"orders/{first.id}/verified.json": b'{"schema": 9}'}
    world.bob.add("observed/dev", report, message="m", by=BOB, at=NOW)
    world.deploy(world.released("1.1.0"))
    _roll_back(world.ann)
    assert _state(world).deployments["orders"].closure == good.closure


def _decided(kind: DecisionKind, pair: int, number: int) -> branches.Decision:
    return branches.Decision(
        commit="",
        kind=kind,
        integration="orders",
        version="",
        closure=f"c{pair // 2}",
        config_digest=f"d{pair % 2}",
        deployment=f"orders-{number:06d}",
        tag_object="",
        held="",
        by=ANN,
        at=NOW,
        subject="",
    )


@given(
    st.lists(
        st.tuples(st.sampled_from([DecisionKind.DEPLOY, DecisionKind.ROLLBACK]), st.integers(0, 5)),
        max_size=9,
    ),
    st.sets(st.sampled_from(["c0", "c1", "c2"])),
    st.sets(st.integers(0, 8)),
)
def test_a_rollback_returns_only_to_what_ran_is_not_held_and_is_not_what_is_left(
    told: list[tuple[DecisionKind, int]], holds: set[str], verified: set[int]
) -> None:
    decided = [_decided(kind, pair, n) for n, (kind, pair) in enumerate(told)]
    ids = {f"orders-{n:06d}" for n in verified}
    ran = {(d.closure, d.config_digest) for d in decided if d.deployment in ids}
    found = branches.prior(decided, holds, ids)
    if found is not None:
        assert (found.closure, found.config_digest) in ran
        assert found.closure not in holds
        assert (found.closure, found.config_digest) != (decided[-1].closure, decided[-1].config_digest)
    everything = {d.deployment for d in decided}
    assert branches.prior(decided, holds, None) == branches.prior(decided, holds, everything)


def test_a_rollback_without_a_hold_keeps_its_reason_and_lets_the_release_be_deployed_again(
    world: World,
) -> None:
    good, late = world.released(), world.released("1.1.0")
    world.deploy(good)
    world.deploy(late)
    plan = planning.plan_rollback(
        world.ann, "dev", "orders", by=BOB, at=NOW, reason="the shop was away", hold=False
    )
    assert (plan.hold, "held" in plan.stages[1].explain) == (None, False)
    deciding.apply(world.ann, plan, by=BOB, at=NOW)
    state = _state(world)
    assert (state.deployments["orders"].closure, state.holds) == (good.closure, ())
    assert "the shop was away" in git(world.hub, "log", "-1", "--format=%B", "env/dev")
    assert world.deploy(late).closure == late.closure


def test_rolling_back_only_the_configuration_holds_nothing(world: World) -> None:
    made = world.released()
    first = world.deploy(made)
    world.commit(
        {
            "environments/dev.toml": OWN.format(name="dev", number=0)
            + '[integrations.orders.settings]\nprefix = "d"\n'
        }
    )
    world.deploy(made)
    _roll_back(world.ann)
    state = _state(world)
    assert (state.deployments["orders"].config_digest, state.holds) == (first.config_digest, ())


def test_without_anything_earlier_a_rollback_is_refused(world: World) -> None:
    world.deploy(world.released())
    with pytest.raises(RefusedError) as error:
        _roll_back(world.ann)
    assert error.value.code == "nothing-earlier"


def test_folding_the_history_gives_the_state_of_the_tree(world: World) -> None:
    releases = [world.released(v) for v in ("1.0.0", "1.1.0", "1.2.0")]
    world.deploy(releases[0])
    world.deploy(releases[1])
    _roll_back(world.ann)
    world.deploy(releases[2])
    newest_first = branches.history(world.ann, "dev")
    for decided in range(1, len(newest_first) + 1):
        past = newest_first[-decided:]
        state = branches.read_at(world.ann, "dev", past[0].commit)
        assert branches.fold(reversed(past)) == (
            {name: d.id for name, d in state.deployments.items()},
            {(h.integration, h.closure) for h in state.holds},
        )


def test_without_a_remote_the_whole_story_works_on_local_branches(lone: Repository, world: World) -> None:
    made = world.release()
    world.prove(made)
    assert world.deploy(made).closure == made.closure
    assert git(lone.root, "log", "-1", "--format=%s", "env/dev") == "deploy orders 1.0.0 to dev"


def test_of_operators_who_decide_in_the_same_moment_exactly_one_wins(world: World) -> None:
    made = world.released()
    repos = [world.ann, world.bob, world.bob]
    plans = [planning.plan_deploy(repo, made.tag, "dev", at=NOW) for repo in repos]

    def decide(n: int) -> str:
        try:
            return deciding.apply(repos[n], plans[n], by=f"Nr {n} <n@example.com>", at=NOW).decided_by
        except TryAgainError as error:
            return f"{error.code}: {'was first with: deploy orders 1.0.0 to dev' in error.message}"

    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(decide, range(3)))
    winner = _state(world).deployments["orders"].decided_by
    assert sorted(told) == sorted([winner, "plan-stale: True", "plan-stale: True"])
