"""
Alarms of an environment: the facts they are judged by, how they begin and end, and what of them is told when.

Nothing of a record is in here: names of integrations, flows and connections, codes and numbers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

REMIND_AFTER: Final = timedelta(days=1)
HEARTBEAT: Final = "alerts.heartbeat_url"
"""The setting that says where the dead man's switch is; an alarm about it is one about a channel of this name."""


class Kind(StrEnum):
    """What an alarm is about."""

    DEAD_LETTERS = "dead-letters"
    OLDEST = "oldest-waiting"
    SILENCE = "silence"
    EXPIRY = "expiry"
    BUDGET = "budget"
    REMOTE = "remote-down"
    WORKER = "worker-down"
    STOPPED = "worker-stopped"
    DEPLOYMENT = "deployment-failed"
    AGENT = "agent-gone"
    STATE = "state-size"
    WEBHOOKS = "webhooks-missing"
    CHANNEL = "alert-channel"


LOCAL: Final = frozenset(
    {
        Kind.REMOTE,
        Kind.WORKER,
        Kind.STOPPED,
        Kind.DEPLOYMENT,
        Kind.WEBHOOKS,
        Kind.EXPIRY,
        Kind.CHANNEL,
    }
)
"""What one agent knows of itself and of its workers; the rest all agents of a shared database see alike."""
Key = tuple[Kind, str]
"""Kind and subject."""


@dataclass(frozen=True)
class FlowFacts:
    """One flow of one integration."""

    integration: str
    flow: str
    ended: int = 0
    """Records that ended within the last hour."""
    dead: int = 0
    """Those of them that were set aside."""
    last_at: datetime | None = None
    """When its last record came by itself, not for a back-fill or a redrive."""
    usual_gap: timedelta | None = None
    """How long it is usually without one at this hour of the week; None while too little is known."""

    @property
    def name(self) -> str:
        return f"{self.integration}/{self.flow}"


@dataclass(frozen=True)
class Trouble:
    """Something that keeps an integration from its work."""

    integration: str
    code: str
    since: datetime
    about: str = ""
    """What of it, for example `connection crm`; empty where its worker does nothing at all."""
    ended: datetime | None = None
    message: str = ""
    """For whoever looks after the agent; an alarm tells the code alone."""
    hint: str = ""


@dataclass(frozen=True)
class BudgetFacts:
    """One connection's budget."""

    connection: str
    used: float
    """Share of the binding limit."""
    used_today: float
    full_since: datetime | None = None
    """Since when the binding limit has been in use to the brim."""


@dataclass(frozen=True)
class Facts:
    """What is known of an environment at an instant; None where it could not be had."""

    environment: str
    at: datetime
    observed_since: datetime
    """When the agent that looks began: what happened before, nobody saw come."""
    flows: tuple[FlowFacts, ...] | None = None
    oldest: Mapping[str, datetime] | None = None
    """By integration: when the live record came that has waited longest."""
    expiries: Mapping[str, date] | None = None
    """By credential, for example `crm client_secret`: its last day."""
    budgets: tuple[BudgetFacts, ...] | None = None
    remotes: tuple[Trouble, ...] | None = None
    workers: tuple[Trouble, ...] | None = None
    stops: tuple[Trouble, ...] | None = None
    """Workers that live and do nothing until something changes."""
    failed: tuple[Trouble, ...] | None = None
    """Decided deployments that could not be brought to work here."""
    webhooks: Mapping[str, datetime] | None = None
    """By `integration/connection` that changes are not told by: since when."""
    gone: Mapping[str, datetime] | None = None
    """By agent: since when nothing is heard of it."""
    channels: Mapping[str, datetime] | None = None
    """By alert channel that takes nothing: since when."""
    state_bytes: int | None = None
    state_budget: int = 0
    """Bytes that the state database may have; 0 sets no budget."""


@dataclass(frozen=True)
class Finding:
    """A rule that holds now."""

    kind: Kind
    subject: str
    what: str
    """One sentence without a full stop."""
    command: str
    """What to look at, or do, first."""
    since: datetime | None = None
    """None where the rule holds since it was noticed."""

    @property
    def key(self) -> Key:
        return self.kind, self.subject


State = Literal["firing", "resolved"]


@dataclass(frozen=True)
class Alert:
    """An alarm as it is held over restarts."""

    kind: Kind
    subject: str
    state: State
    since: datetime
    what: str
    command: str
    ended: datetime | None = None
    told: Literal["", "firing", "resolved"] = ""
    """What people were told last."""
    told_at: datetime | None = None

    @property
    def key(self) -> Key:
        return self.kind, self.subject


@dataclass(frozen=True)
class Judged:
    """What the rules say of some facts."""

    findings: tuple[Finding, ...]
    kinds: frozenset[Kind] = field(default_factory=frozenset)
    """Those that could be judged; the others stay as they are."""


def advance(
    alerts: Iterable[Alert], judged: Judged, now: datetime, mine: Callable[[Kind], bool] = lambda _kind: True
) -> tuple[Alert, ...]:
    """
    The alarms after a look: what fires, what is over, and without what is over and was told.

    Args:
        mine: Whether alarms of a kind are this observer's to judge.
    """
    found = {each.key: each for each in judged.findings if mine(each.kind)}
    after: list[Alert] = []
    for alert in alerts:
        finding = found.pop(alert.key, None)
        if finding:
            again = alert.state == "resolved"
            since = (finding.since or now) if again else alert.since
            state: State = "firing"
            after.append(
                replace(
                    alert, state=state, since=since, what=finding.what, command=finding.command, ended=None
                )
            )
        elif alert.state == "firing" and alert.kind in judged.kinds and mine(alert.kind):
            after.append(replace(alert, state="resolved", ended=now))
        elif not (alert.state == "resolved" and alert.told == "resolved"):
            after.append(alert)
    after += [
        Alert(each.kind, each.subject, "firing", each.since or now, each.what, each.command)
        for each in found.values()
    ]
    return tuple(after)


Occasion = Literal["firing", "reminder", "resolved"]


def occasion(alert: Alert, now: datetime) -> Occasion | None:
    """What is to be told of an alarm now; one that ended before anybody was told is told when it is over."""
    if alert.state == "resolved":
        return "resolved" if alert.told != "resolved" else None
    if alert.told != "firing":
        return "firing"
    return "reminder" if alert.told_at is not None and now - alert.told_at >= REMIND_AFTER else None


def told(alert: Alert, said: Occasion, now: datetime) -> Alert:
    return replace(alert, told="resolved" if said == "resolved" else "firing", told_at=now)


@dataclass(frozen=True)
class Message:
    """What people read."""

    title: str
    body: str
    occasion: Occasion | Literal["test"]


def message(alert: Alert, said: Occasion, environment: str, link: str, now: datetime) -> Message:
    """An alarm in words: what, since when, where to look, what to do first."""
    word = {"firing": "alert", "reminder": "still", "resolved": "resolved"}[said]
    lines = [f"{alert.what}.", f"Since {alert.since:%Y-%m-%d %H:%M}Z, {lasting(now - alert.since)}."]
    if said == "resolved":
        over = alert.ended or now
        lines = [
            f"It was: {alert.what}.",
            f"From {alert.since:%Y-%m-%d %H:%M}Z to {over:%Y-%m-%d %H:%M}Z, {lasting(over - alert.since)}.",
        ]
    else:
        lines.append(f"Next: {alert.command}")
    if link:
        lines.append(link)
    return Message(f"[{environment}] {word}: {alert.kind} {alert.subject}", "\n".join(lines), said)


def lasting(span: timedelta) -> str:
    """`40 s`, `12 min`, `3 h`, `2 d`: enough to see how bad it is."""
    seconds = max(0, round(span.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
