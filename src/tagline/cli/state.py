"""The state database of an environment, as commands that tend it open it: on the agent's machine, or any where it is shared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tagline.alm import environments
from tagline.cli.top import at_top
from tagline.clock import SystemClock
from tagline.domain.environment import EnvironmentConfig
from tagline.errors import UsageError

if TYPE_CHECKING:
    from tagline.runtime.store import Store


@dataclass(frozen=True)
class State:
    """An environment's configuration and its opened state database."""

    config: EnvironmentConfig
    store: Store
    folder: Path


@contextmanager
def state_of(environment: str) -> Iterator[State]:
    """
    Open the state database that the environment's configuration names.

    Raises:
        UsageError: There is none yet (code `state-missing`).
    """
    from tagline.runtime.key_ring import ring_at
    from tagline.runtime.places import SqliteFile, state_place
    from tagline.runtime.store import Store

    config = environments.render(at_top(), environment).config
    folder = Path(config.agent.state)
    place = state_place(folder, config.environment)
    if isinstance(place, SqliteFile) and not place.path.exists():
        raise UsageError(
            f"there is no state database at {place}",
            code="state-missing",
            where={"environment": environment},
            hint="run this where the agent of the environment runs, in the folder it was started in",
        )
    with closing(Store.open(place, ring=ring_at(config.agent.state_key), clock=SystemClock())) as store:
        yield State(config, store, folder)
