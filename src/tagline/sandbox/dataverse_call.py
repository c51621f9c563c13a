"""One call of the Web API, understood as far as every operation needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tagline.sandbox.dataverse_render import Preferences
from tagline.sandbox.dataverse_rows import Rows
from tagline.sandbox.dataverse_scope import Scope
from tagline.sandbox.values import Request

Resolve = Callable[[str], str]
"""Replaces a `$n` content-id reference by the address it stands for."""


@dataclass(frozen=True)
class Call:
    """A request below the service root."""

    request: Request
    root: str
    """The service root as the caller addressed it, with its closing slash."""
    preferences: Preferences
    resolve: Resolve
    now: datetime
    user_id: str
    business_unit_id: str

    def scope(self, rows: Rows) -> Scope:
        """What a query of this call is evaluated against."""
        return Scope(rows, self.now, self.user_id, self.business_unit_id)
