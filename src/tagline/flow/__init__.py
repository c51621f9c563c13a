"""What an author of flows uses: the decorator, the effects and their answers."""

from tagline.flow.declare import Flow, flow
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

__all__ = [
    "Flow",
    "Found",
    "Written",
    "act",
    "create_once",
    "expect",
    "find",
    "find_all",
    "find_where",
    "flow",
    "reject",
    "remove",
    "require",
    "update",
    "upsert",
    "upsert_all",
]
