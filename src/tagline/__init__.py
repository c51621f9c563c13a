"""tagline: integration-as-code with a lifecycle. This file is what an integration's author imports; the rest is private.

Every name is fetched from its home when it is first used, so that `import tagline`, and with it the help of the command
line, costs nothing. `flow` and `mapping` are decorators here and also the names of subpackages; `from tagline import flow` is
always the decorator, whatever was imported before, and a module of the room is reached by `from tagline.flow import drive`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tagline.domain.model import KEEP, Model, Ref, ref
    from tagline.domain.query import AnyOf, Comparison, Condition, Expand, Sort
    from tagline.domain.settings import Settings
    from tagline.domain.system import connection, every
    from tagline.flow import flow
    from tagline.flow.effects import (
        Found,
        Written,
        act,
        create_once,
        expect,
        find,
        find_all,
        find_where,
        reject,
        remove,
        require,
        update,
        upsert,
        upsert_all,
    )
    from tagline.flow.schedules import cron
    from tagline.mapping import mapping

__all__ = [
    "KEEP",
    "AnyOf",
    "Comparison",
    "Condition",
    "Expand",
    "Found",
    "Model",
    "Ref",
    "Settings",
    "Sort",
    "Written",
    "act",
    "connection",
    "create_once",
    "cron",
    "every",
    "expect",
    "find",
    "find_all",
    "find_where",
    "flow",
    "mapping",
    "ref",
    "reject",
    "remove",
    "require",
    "update",
    "upsert",
    "upsert_all",
]

_HOMES = {
    "tagline.domain.model": ("KEEP", "Model", "Ref", "ref"),
    "tagline.domain.query": ("AnyOf", "Comparison", "Condition", "Expand", "Sort"),
    "tagline.domain.settings": ("Settings",),
    "tagline.domain.system": ("connection", "every"),
    "tagline.flow": ("flow",),
    "tagline.flow.effects": (
        "Found",
        "Written",
        "act",
        "create_once",
        "expect",
        "find",
        "find_all",
        "find_where",
        "reject",
        "remove",
        "require",
        "update",
        "upsert",
        "upsert_all",
    ),
    "tagline.flow.schedules": ("cron",),
    "tagline.mapping": ("mapping",),
}


def _fetched(home: str, name: str) -> property:
    def fetch(_face: ModuleType) -> Any:
        return getattr(import_module(home), name)

    def keep(_face: ModuleType, _value: object) -> None:
        """The import system binds a subpackage to its parent under the same name; the decorator stays in front."""

    return property(fetch, keep)


# A property wins over the module's own dictionary; a module-level `__getattr__` would lose to an imported subpackage.
_Face = type(
    "_Face", (ModuleType,), {name: _fetched(home, name) for home, names in _HOMES.items() for name in names}
)
sys.modules[__name__].__class__ = _Face
