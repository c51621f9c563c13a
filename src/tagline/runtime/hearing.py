"""What an agent gathers from the lines of its workers: what pauses them, how often they sweep, what they counted."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from tagline.domain.alert_rules import CALM_FOR
from tagline.domain.alerting import Trouble
from tagline.runtime.counts import Count, from_plain
from tagline.runtime.endings import FENCED, LOST

HANDED_OVER: Final = frozenset({FENCED, LOST})
"""Codes of a worker that has a successor, which is no trouble."""
_CODE: Final = re.compile(r"\(([a-z][a-z0-9-]*)\)$")
"""How a reason ends."""


class Hearing:
    """Takes the lines of all workers, from their threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._troubles: dict[tuple[str, str], Trouble] = {}
        """By integration and what is troubled."""
        self._sweeps: dict[str, Mapping[str, timedelta]] = {}
        """By deployment, of each flow: its period."""
        self._counts: list[tuple[str, Count]] = []

    def hear(self, deployment: str, message: Mapping[str, Any], now: datetime) -> None:
        integration = deployment.rpartition("-")[0]
        with self._lock:
            if "hello" in message:
                sweeps = message["hello"].get("sweeps", {})
                self._sweeps[deployment] = {name: timedelta(seconds=every) for name, every in sweeps.items()}
            if "activity" in message:
                code = message["activity"].get("stopped", "")
                self._note(
                    integration, "", "" if code in HANDED_OVER else code, now, message.get("stopped", {})
                )
            if "trouble" in message:
                told = message["trouble"]
                code = _CODE.search(told["reason"])
                # Without a code it is over: every trouble of ours has one.
                self._note(integration, told["topic"], code[1] if code else "", now)
            self._counts += [(integration, count) for count in from_plain(message.get("counts"))]
            if "exited" in message:
                self._sweeps.pop(deployment, None)
                for of, what in [key for key in self._troubles if key[0] == integration]:
                    self._note(of, what, "", now)

    def troubles(self, now: datetime) -> tuple[Trouble, ...]:
        """Those that last, and those that ended a moment ago."""
        with self._lock:
            self._troubles = {
                key: each
                for key, each in self._troubles.items()
                if each.ended is None or now - each.ended < 2 * CALM_FOR
            }
            return tuple(self._troubles.values())

    def sweeps(self, deployment: str) -> Mapping[str, timedelta]:
        with self._lock:
            return self._sweeps.get(deployment, {})

    def take_counts(self) -> list[tuple[str, Count]]:
        """What workers counted since the last call, each with its integration."""
        with self._lock:
            taken, self._counts = self._counts, []
        return taken

    def _note(
        self,
        integration: str,
        what: str,
        code: str,
        now: datetime,
        words: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        known = self._troubles.get((integration, what))
        if not code:
            if known and known.ended is None:
                self._troubles[integration, what] = replace(known, ended=now)
            return
        # One that comes back at once is the same: between two tries a paused worker looks well.
        since = known.since if known and (known.ended is None or now - known.ended < CALM_FOR) else now
        self._troubles[integration, what] = Trouble(
            integration,
            code,
            since,
            what,
            message=words.get("message", ""),
            hint=words.get("hint", ""),
        )
