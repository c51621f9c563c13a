"""
The rules by which an environment raises an alarm: pure functions of facts.

A rule that fires goes on until the facts are clearly better than what made it fire, so that a value that trembles about a
threshold does not ring twice. What is not known now changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from tagline.domain.alerting import (
    HEARTBEAT,
    BudgetFacts,
    Facts,
    Finding,
    FlowFacts,
    Judged,
    Key,
    Kind,
    Trouble,
    lasting,
)
from tagline.domain.environment import AlertsSection

CLEAR_SHARE: Final = 0.5
"""Of a threshold: what a value must have fallen to before the alarm is over."""
FULL_FOR: Final = timedelta(minutes=15)
"""How long a remote's budget must be in use to the brim; a burst is nothing to wake anybody for."""
WORKER_DOWN_FOR: Final = timedelta(minutes=1)
CALM_FOR: Final = timedelta(minutes=1)
"""How long a remote must have been well before its alarm is over."""
KEY_RING_BEHIND: Final = "key-ring-behind"


def judge(facts: Facts, rules: AlertsSection, standing: Iterable[Key]) -> Judged:
    """
    Hold the facts to the rules.

    Args:
        standing: Alarms that are on: each needs clearly better facts to be over.
    """
    on = frozenset(standing)
    judged: dict[Kind, tuple[Finding, ...]] = {}
    for kind, rule in _RULES.items():
        found = rule(facts, rules, on)
        if found is not None:
            judged[kind] = tuple(found)
    return Judged(tuple(each for found in judged.values() for each in found), frozenset(judged))


Found = Iterator[Finding] | None
"""None where the facts are not known."""


def _dead_letters(facts: Facts, rules: AlertsSection, on: frozenset[Key]) -> Found:
    if facts.flows is None:
        return None
    return (
        Finding(
            Kind.DEAD_LETTERS,
            flow.name,
            f"{flow.dead} of {flow.ended} records of {flow.name} became dead letters within an hour",
            f"tagline dead-letters list --env {facts.environment}",
        )
        for flow in facts.flows
        if _too_many_dead(flow, rules, (Kind.DEAD_LETTERS, flow.name) in on)
    )


def _too_many_dead(flow: FlowFacts, rules: AlertsSection, is_on: bool) -> bool:
    factor = CLEAR_SHARE if is_on else 1.0
    least = rules.dead_letters_least * factor
    return flow.dead >= max(1, least) and flow.dead >= rules.dead_letters_share * factor * flow.ended


def _oldest(facts: Facts, rules: AlertsSection, on: frozenset[Key]) -> Found:
    if facts.oldest is None:
        return None
    longest = timedelta(minutes=rules.oldest_minutes)
    return (
        Finding(
            Kind.OLDEST,
            integration,
            f"a record of {integration} has waited for {lasting(facts.at - came)}",
            f"tagline status --env {facts.environment}",
            came + longest,
        )
        for integration, came in sorted(facts.oldest.items())
        if facts.at - came >= longest * (CLEAR_SHARE if (Kind.OLDEST, integration) in on else 1.0)
    )


def _silence(facts: Facts, rules: AlertsSection, on: frozenset[Key]) -> Found:
    if facts.flows is None:
        return None
    return (
        Finding(
            Kind.SILENCE,
            flow.name,
            f"no record of {flow.name} came for {lasting(facts.at - flow.last_at)}"
            + (
                f"; {lasting(flow.usual_gap)} is the most that is usual at this hour"
                if flow.usual_gap
                else ""
            ),
            f"tagline doctor {flow.integration} --env {facts.environment}",
            flow.last_at,
        )
        for flow in facts.flows
        if flow.last_at is not None and _is_silent(flow, facts, rules, (Kind.SILENCE, flow.name) in on)
    )


def _is_silent(flow: FlowFacts, facts: Facts, rules: AlertsSection, is_on: bool) -> bool:
    """Once silent, only a record ends it: that the shop would be asleep by now says nothing of the day it lost."""
    if flow.last_at is None or flow.usual_gap is None or not rules.silence_gaps:
        return is_on
    heard_since = max(flow.last_at, facts.observed_since)
    if facts.at - heard_since > flow.usual_gap * rules.silence_gaps:
        return True
    return is_on and facts.at - flow.last_at > flow.usual_gap


def _expiry(facts: Facts, rules: AlertsSection, on: frozenset[Key]) -> Found:
    del on  # a day that comes nearer does not tremble
    if facts.expiries is None:
        return None
    today = facts.at.date()
    return (
        Finding(
            Kind.EXPIRY,
            credential,
            f"the {credential} ended on {last}" if last < today else f"the {credential} ends on {last}",
            "make a new one, store it where the old one is read, then set `expires`",
        )
        for credential, last in sorted(facts.expiries.items())
        if last - today <= timedelta(days=rules.expiry_days)
    )


def _budget(facts: Facts, rules: AlertsSection, on: frozenset[Key]) -> Found:
    if facts.budgets is None:
        return None
    return (
        Finding(
            Kind.BUDGET,
            budget.connection,
            f"{budget.connection} has used {budget.used_today:.0%} of the requests it is granted for the day"
            if budget.used_today >= budget.used
            else f"{budget.connection} has used its request budget to the brim for {lasting(FULL_FOR)} and longer",
            f"tagline status --env {facts.environment}",
            None if budget.used_today >= budget.used else budget.full_since,
        )
        for budget in facts.budgets
        if _is_exhausted(budget, facts.at, rules, (Kind.BUDGET, budget.connection) in on)
    )


def _is_exhausted(budget: BudgetFacts, now: datetime, rules: AlertsSection, is_on: bool) -> bool:
    if budget.used_today >= rules.budget_share:
        return True
    if budget.full_since is not None and now - budget.full_since >= FULL_FOR:
        return True
    return is_on and max(budget.used, budget.used_today) >= rules.budget_share * 0.9


def _remotes(facts: Facts, rules: AlertsSection, on: frozenset[Key]) -> Found:
    if facts.remotes is None:
        return None
    return _lasting_troubles(
        facts.remotes,
        facts,
        on,
        Kind.REMOTE,
        timedelta(minutes=rules.remote_down_minutes),
        lambda trouble: f"{trouble.integration} cannot work with a remote ({_about(trouble)}{trouble.code})",
        lambda trouble: f"tagline doctor {trouble.integration} --env {facts.environment}",
    )


def _workers(facts: Facts, rules: AlertsSection, on: frozenset[Key]) -> Found:
    del rules
    if facts.workers is None:
        return None
    return _lasting_troubles(
        facts.workers,
        facts,
        on,
        Kind.WORKER,
        WORKER_DOWN_FOR,
        lambda trouble: f"no worker of {trouble.integration} works ({trouble.code})",
        lambda _trouble: f"tagline status --env {facts.environment}",
    )


def _stops(facts: Facts, rules: AlertsSection, on: frozenset[Key]) -> Found:
    if facts.stops is None:
        return None
    return _lasting_troubles(
        facts.stops,
        facts,
        on,
        Kind.STOPPED,
        timedelta(minutes=rules.remote_down_minutes),
        lambda trouble: (
            f"the worker of {trouble.integration} has stopped and what comes in waits ({trouble.code})"
        ),
        lambda trouble: _to_go_on(trouble, facts.environment),
    )


def _to_go_on(stop: Trouble, environment: str) -> str:
    if stop.code == KEY_RING_BEHIND:
        return (
            f"copy the key ring to this machine; where `agent.state_key` was changed, tagline deploy {stop.integration}/v… "
            f"--env {environment} again, since workers read the deployed configuration"
        )
    return f"tagline status --env {environment}"


def _failed(facts: Facts, rules: AlertsSection, on: frozenset[Key]) -> Found:
    del rules, on  # one attempt that failed is news, and another decision or attempt ends it
    if facts.failed is None:
        return None
    return (
        Finding(
            Kind.DEPLOYMENT,
            each.integration,
            f"{each.about} is decided and does not work here ({each.code})",
            f"tagline status --env {facts.environment}",
            each.since,
        )
        for each in facts.failed
    )


def _about(trouble: Trouble) -> str:
    return f"{trouble.about}, " if trouble.about else ""


def _lasting_troubles(
    troubles: tuple[Trouble, ...],
    facts: Facts,
    on: frozenset[Key],
    kind: Kind,
    longest: timedelta,
    what: Callable[[Trouble], str],
    command: Callable[[Trouble], str],
) -> Iterator[Finding]:
    worst: dict[str, Trouble] = {}
    for trouble in sorted(troubles, key=lambda each: each.since, reverse=True):
        is_over = trouble.ended is not None and facts.at - trouble.ended >= CALM_FOR
        if not is_over:
            worst[trouble.integration] = trouble
    for integration, trouble in sorted(worst.items()):
        holds = trouble.ended is None and facts.at - trouble.since >= longest
        if holds or (kind, integration) in on:
            yield Finding(kind, integration, what(trouble), command(trouble), trouble.since)


def _agents(facts: Facts, rules: AlertsSection, on: frozenset[Key]) -> Found:
    del rules, on
    if facts.gone is None:
        return None
    return (
        Finding(
            Kind.AGENT,
            agent,
            f"nothing is heard of agent {agent}; the others have taken its work over",
            f"start it on its machine: tagline run --env {facts.environment}",
            since,
        )
        for agent, since in sorted(facts.gone.items())
    )


def _state(facts: Facts, rules: AlertsSection, on: frozenset[Key]) -> Found:
    if facts.state_bytes is None:
        return None
    del rules
    budget = facts.state_budget
    is_on = (Kind.STATE, facts.environment) in on
    if not budget or facts.state_bytes < budget * (0.9 if is_on else 1.0):
        return iter(())
    return iter(
        [
            Finding(
                Kind.STATE,
                facts.environment,
                f"the state database has {facts.state_bytes / 1e6:,.0f} MB of the {budget / 1e6:,.0f} MB it may have",
                f"tagline status --env {facts.environment}",
            )
        ]
    )


def _webhooks(facts: Facts, rules: AlertsSection, on: frozenset[Key]) -> Found:
    del rules, on
    if facts.webhooks is None:
        return None
    return (
        Finding(
            Kind.WEBHOOKS,
            name,
            f"the webhooks of {name} are not registered; changes wait for the sweep",
            f"tagline doctor {name.partition('/')[0]} --env {facts.environment}",
            since,
        )
        for name, since in sorted(facts.webhooks.items())
    )


def _channels(facts: Facts, rules: AlertsSection, on: frozenset[Key]) -> Found:
    del rules, on
    if facts.channels is None:
        return None
    return (
        Finding(
            Kind.CHANNEL,
            channel,
            "nothing outside takes the heartbeat: nobody would be told if the agent died"
            if channel == HEARTBEAT
            else f"the alert channel at {channel} takes nothing; what it should have told waits",
            f"tagline alerts test --env {facts.environment}",
            since,
        )
        for channel, since in sorted(facts.channels.items())
    )


_RULES: Final[Mapping[Kind, Callable[[Facts, AlertsSection, frozenset[Key]], Found]]] = {
    Kind.DEAD_LETTERS: _dead_letters,
    Kind.OLDEST: _oldest,
    Kind.SILENCE: _silence,
    Kind.EXPIRY: _expiry,
    Kind.BUDGET: _budget,
    Kind.REMOTE: _remotes,
    Kind.WORKER: _workers,
    Kind.STOPPED: _stops,
    Kind.DEPLOYMENT: _failed,
    Kind.AGENT: _agents,
    Kind.STATE: _state,
    Kind.WEBHOOKS: _webhooks,
    Kind.CHANNEL: _channels,
}
