"""When an alarm begins, goes on and ends, and what people are told of it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.domain.alert_rules import judge
from tagline.domain.alerting import (
    REMIND_AFTER,
    Alert,
    BudgetFacts,
    Facts,
    Finding,
    FlowFacts,
    Judged,
    Kind,
    Trouble,
    advance,
    message,
    occasion,
    told,
)
from tagline.domain.environment import AlertsSection

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
RULES = AlertsSection()
LONG_AGO = NOW - timedelta(days=9)


def facts(**known: Any) -> Facts:
    return Facts("prod", NOW, LONG_AGO, **known)


def flow(**known: Any) -> FlowFacts:
    return FlowFacts("shop_sync", "orders", **known)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


BAD = {
    Kind.DEAD_LETTERS: facts(flows=(flow(ended=50, dead=5),)),
    Kind.OLDEST: facts(oldest={"shop_sync": NOW - minutes(16)}),
    Kind.SILENCE: facts(flows=(flow(last_at=NOW - minutes(40), usual_gap=minutes(10)),)),
    Kind.EXPIRY: facts(expiries={"crm secret": date(2026, 3, 20)}),
    Kind.BUDGET: facts(budgets=(BudgetFacts("crm", 0.5, 0.96),)),
    Kind.REMOTE: facts(
        remotes=(Trouble("shop_sync", "connection-away", NOW - minutes(3), "connection crm"),)
    ),
    Kind.WORKER: facts(workers=(Trouble("shop_sync", "worker-died", NOW - minutes(2)),)),
    Kind.STOPPED: facts(stops=(Trouble("shop_sync", "not-authorised", NOW - minutes(3)),)),
    Kind.DEPLOYMENT: facts(
        failed=(Trouble("shop_sync", "secret-missing", NOW - minutes(3), "shop_sync-000002 (1.1.0)"),)
    ),
    Kind.AGENT: facts(gone={"host-2": NOW - minutes(5)}),
    Kind.STATE: facts(state_bytes=21_000_000, state_budget=20_000_000),
    Kind.WEBHOOKS: facts(webhooks={"shop_sync/crm": LONG_AGO}),
    Kind.CHANNEL: facts(channels={"env:CHANNEL": NOW - minutes(1)}),
}
GOOD = {
    Kind.DEAD_LETTERS: facts(flows=(flow(ended=1000, dead=6),)),
    Kind.OLDEST: facts(oldest={"shop_sync": NOW - minutes(1)}),
    Kind.SILENCE: facts(flows=(flow(last_at=NOW - minutes(5), usual_gap=minutes(10)),)),
    Kind.EXPIRY: facts(expiries={"crm secret": date(2026, 9, 1)}),
    Kind.BUDGET: facts(budgets=(BudgetFacts("crm", 0.99, 0.5, NOW - minutes(3)),)),
    Kind.REMOTE: facts(remotes=(Trouble("shop_sync", "connection-away", NOW - minutes(1)),)),
    Kind.WORKER: facts(workers=()),
    Kind.STOPPED: facts(stops=(Trouble("shop_sync", "not-authorised", NOW - minutes(1)),)),
    Kind.DEPLOYMENT: facts(failed=()),
    Kind.AGENT: facts(gone={}),
    Kind.STATE: facts(state_bytes=17_000_000, state_budget=20_000_000),
    Kind.WEBHOOKS: facts(webhooks={}),
    Kind.CHANNEL: facts(channels={}),
}


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_each_kind_fires_by_default_and_not_without_need(kind: Kind):
    assert [each.kind for each in judge(BAD[kind], RULES, ()).findings] == [kind]
    assert judge(GOOD[kind], RULES, ()).findings == ()


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_what_is_not_known_changes_nothing(kind: Kind):
    before = tuple(
        Alert(each.kind, each.subject, "firing", NOW, "", "") for each in judge(BAD[kind], RULES, ()).findings
    )
    after = advance(before, judge(facts(), RULES, [each.key for each in before]), NOW)
    assert after == before


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_an_alarm_says_what_and_what_to_do(kind: Kind):
    (finding,) = judge(BAD[kind], RULES, ()).findings
    (alert,) = advance((), Judged((finding,), frozenset({kind})), NOW)
    text = message(alert, "firing", "prod", "https://dash.example", NOW)
    assert text.title == f"[prod] alert: {kind.value} {finding.subject}"
    what, since, command, link = text.body.splitlines()
    assert what == f"{finding.what}."
    assert since.startswith("Since 20")
    assert command == f"Next: {finding.command}"
    assert link == "https://dash.example"


def test_a_worker_whose_ring_is_behind_is_deployed_again_and_nobody_asks_its_remotes():
    stop = Trouble("shop_sync", "key-ring-behind", NOW - minutes(3), message="lacks key 1a2b3c4d")
    (finding,) = judge(facts(stops=(stop,)), RULES, ()).findings
    assert finding.what.endswith("has stopped and what comes in waits (key-ring-behind)")
    assert "tagline deploy shop_sync/v… --env prod again" in finding.command
    assert "1a2b3c4d" not in f"{finding}", "an alarm tells the code alone"


@given(st.lists(st.floats(7.6, 14.9), max_size=30))
def test_a_value_that_trembles_below_the_threshold_ends_no_alarm_and_begins_none(ages: list[float]):
    calm = [judge(facts(oldest={"a": NOW - minutes(age)}), RULES, ()).findings for age in ages]
    ringing = [
        judge(facts(oldest={"a": NOW - minutes(age)}), RULES, [(Kind.OLDEST, "a")]).findings for age in ages
    ]
    assert not any(calm)
    assert all(ringing)


@given(st.lists(st.booleans(), max_size=40))
def test_people_hear_of_each_change_once(fires: list[bool]):
    """Whatever the facts do, what is told alternates, and ends with what holds."""
    said: list[str] = []
    alerts: tuple[Alert, ...] = ()
    finding = Finding(Kind.OLDEST, "a", "what", "command")
    for number, is_on in enumerate(fires):
        now = NOW + minutes(number)
        judged = Judged((finding,) if is_on else (), frozenset({Kind.OLDEST}))
        alerts = advance(alerts, judged, now)
        for alert in alerts:
            word = occasion(alert, now)
            if word:
                said.append(word)
                alerts = tuple(told(each, word, now) if each is alert else each for each in alerts)
    assert said == [("firing", "resolved")[number % 2] for number in range(len(said))]
    assert (said[-1:] == ["firing"]) == (fires[-1:] == [True])


def test_an_alarm_that_lasts_is_told_again_each_day():
    alert = Alert(Kind.OLDEST, "a", "firing", NOW, "what", "command", told="firing", told_at=NOW)
    assert occasion(alert, NOW + REMIND_AFTER - minutes(1)) is None
    assert occasion(alert, NOW + REMIND_AFTER) == "reminder"
    assert occasion(told(alert, "reminder", NOW + REMIND_AFTER), NOW + REMIND_AFTER) is None


def test_an_alarm_that_ended_and_began_again_before_anybody_was_told_is_no_news():
    alert = Alert(Kind.OLDEST, "a", "resolved", NOW, "what", "c", ended=NOW, told="firing", told_at=NOW)
    (after,) = advance([alert], Judged((Finding(Kind.OLDEST, "a", "w", "c"),), frozenset({Kind.OLDEST})), NOW)
    assert after.state == "firing"
    assert occasion(after, NOW) is None


def test_only_a_record_ends_a_silence():
    """That the shop would be asleep by now says nothing of the day it lost."""
    asleep = flow(last_at=NOW - timedelta(hours=9), usual_gap=timedelta(hours=8))
    on = [(Kind.SILENCE, asleep.name)]
    assert judge(facts(flows=(asleep,)), RULES, ()).findings == ()
    assert judge(facts(flows=(asleep,)), RULES, on).findings
    assert judge(facts(flows=(replace(asleep, last_at=NOW),)), RULES, on).findings == ()


def test_an_agent_that_just_began_calls_nothing_silent_yet():
    quiet = flow(last_at=LONG_AGO, usual_gap=minutes(10))
    began = Facts("prod", NOW, NOW - minutes(5), flows=(quiet,))
    assert judge(began, RULES, ()).findings == ()


def test_a_remote_that_comes_and_goes_keeps_its_alarm():
    on = [(Kind.REMOTE, "shop_sync")]
    well = Trouble("shop_sync", "connection-away", NOW - minutes(9), ended=NOW - minutes(0.5))
    assert judge(facts(remotes=(well,)), RULES, on).findings
    assert judge(facts(remotes=(replace(well, ended=NOW - minutes(1)),)), RULES, on).findings == ()
