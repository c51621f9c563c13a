"""What this machine knows of an environment: whether agents work, how they fare, what waits and how long that takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagline.alm.git import Repository
from tagline.cli.output import counted, lasting, say
from tagline.clock import SystemClock
from tagline.errors import TaglineError

if TYPE_CHECKING:
    from tagline.runtime.agents import Seen
    from tagline.runtime.load import Load
    from tagline.runtime.standing import Standing

CLOCK = SystemClock()


@dataclass(frozen=True)
class Here:
    """What this machine knows of an environment whose agent runs, or ran, on it."""

    load: Load
    agent: int | None
    """The process of the agent on this machine; None while none runs."""
    is_shared: bool
    """Whether agents of other machines may work on the same state database."""
    standing: Standing

    def to_json(self) -> dict[str, Any]:
        load = self.load
        drains = {"drain_s": load.drain_s, "back_fill_drain_s": load.back_fill_drain_s}
        waits = {"drain_waits_for": list(self.obstacles)}
        return {"agent_process": self.agent, "load": {**asdict(load), **drains, **waits}, **self._standing()}

    @property
    def heard_of(self) -> tuple[Seen, ...]:
        return tuple(each for each in self.standing.agents if not _is_silent(each))

    @property
    def obstacles(self) -> tuple[str, ...]:
        """What has to work again before what waits can drain: connections, and workers that have stopped everywhere."""
        stopped = [{stop["integration"] for stop in each.health.get("stopped", ())} for each in self.heard_of]
        return (
            *(away.connection for away in self.load.away),
            *(f"the worker of {name}" for name in sorted(set.intersection(*stopped) if stopped else ())),
        )

    def _standing(self) -> dict[str, Any]:
        return {
            "agents": [
                {
                    **each.health,
                    "well": bool(each.health.get("well")) and not _is_silent(each),
                    "heard_s": _heard_s(each),
                }
                for each in self.standing.agents
            ],
            "alerts": [asdict(alert) for alert, _ in self.standing.alerts],
        }


def explained(here: Here) -> list[str]:
    load = here.load
    used = ", ".join(
        f"{b.connection} {b.used:.0%}" + (f" ({b.used_today:.0%} of the day's)" if b.used_today else "")
        for b in load.budgets
    )
    return [
        _runs(here),
        f"{_waiting(load.waiting, 'live record')}, {_to_drain(here, load.drain_s, ' at most')}; budget in use: {used}",
        *(
            [
                f"{_waiting(load.back_fill, 'record')} in back-fills, {_to_drain(here, load.back_fill_drain_s)} behind them"
            ]
            if load.back_fill
            else []
        ),
        *(str(away) for away in load.away),
        *([f"{counted(load.dead_letters, 'open dead letter')}"] if load.dead_letters else []),
        *(line for each in here.standing.agents for line in _told_by(each)),
        *(
            f"alert {alert.kind}, {alert.state}: {alert.what}; next: {alert.command}"
            for alert, _ in here.standing.alerts
        ),
    ]


def _runs(here: Here) -> str:
    own = f"(process {here.agent})"
    if not here.is_shared:
        return f"the agent runs {own}" if here.agent else "no agent runs on this machine"
    heard = here.heard_of
    if not heard:
        return f"the agent of this machine runs {own}" if here.agent else "no agent is heard of"
    told = f"{counted(len(heard), 'agent')} {'is' if len(heard) == 1 else 'are'} heard of"
    return f"{told}, one of them runs on this machine {own}" if here.agent else told


def _to_drain(here: Here, seconds: float, most: str = "") -> str:
    """How long what waits takes, which nobody knows of what waits for something else first."""
    if here.obstacles:
        return f"to drain once {' and '.join(here.obstacles)} work{'s' * (len(here.obstacles) == 1)} again"
    return f"{lasting(seconds)}{most} to drain"


def _heard_s(agent: Seen) -> float:
    return max(0.0, (CLOCK.now() - agent.beat_at).total_seconds())


def _is_silent(agent: Seen) -> bool:
    from tagline.runtime.agents import GONE_AFTER

    return _heard_s(agent) >= GONE_AFTER.total_seconds()


def _told_by(agent: Seen) -> list[str]:
    """What an agent last said of itself; of one that is silent nothing is known any more."""
    if _is_silent(agent):
        return [f"agent {agent.name}: not heard of for {lasting(_heard_s(agent))}"]
    health = agent.health
    fares = "well" if health.get("well") else "; ".join(health.get("faults", ())) or "not well"
    return [
        f"agent {agent.name}, {lasting(_heard_s(agent))} ago: {fares}",
        *(
            f"  the worker of {each['integration']} has stopped: {each['message']} ({each['code']}){_next(each)}"
            for each in health.get("stopped", ())
        ),
        *(
            f"  {each['deployment']} ({each['version']}) does not work here: {each['message']} ({each['code']})"
            f"{_next(each)}; {_again(each)}"
            for each in health.get("failed", ())
        ),
    ]


def _next(trouble: Mapping[str, Any]) -> str:
    return f"; next: {trouble['hint']}" if trouble["hint"] else ""


def _again(failed: Mapping[str, Any]) -> str:
    if failed["again_at"] is None:
        return "it is tried again when it is decided once more"
    return f"it is tried again by itself at {failed['again_at'][11:16]}Z"


def _waiting(number: int, noun: str) -> str:
    return f"{counted(number, noun)} {'waits' if number == 1 else 'wait'}"


def known(repo: Repository, names: set[str]) -> dict[str, Here]:
    """What is known of the environments whose agent runs on this machine."""
    from tagline.alm import environments
    from tagline.runtime import locks
    from tagline.runtime.load import load_of
    from tagline.runtime.places import state_place
    from tagline.runtime.standing import standing_of

    found: dict[str, Here] = {}
    for name in names:
        try:
            config = environments.render(repo, name).config
            state = Path(config.agent.state)
            place = state_place(state, name)
            load = load_of(place, state, config.connections, CLOCK)
        except TaglineError as error:
            say(f"what waits in {name} cannot be told: {error.message}")
            continue
        if load is not None:
            agent = locks.holder(state / locks.AGENT)
            found[name] = Here(load, agent, place.is_shared, standing_of(place))
    return found
