"""Calls that make a mapping depend on more than its parameters, or that do more than compute."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from tagline.mapping.syntax import UNKNOWN, resolve

_MODULES: Final = frozenset(
    {
        *("time", "random", "secrets", "uuid", "os", "posix", "io", "_io", "pathlib", "shutil", "tempfile"),
        *(
            "socket",
            "ssl",
            "http",
            "urllib",
            "httpx",
            "requests",
            "sqlite3",
            "subprocess",
            "logging",
            "threading",
        ),
    }
)
_BUILTINS: Final = frozenset(
    {"open", "print", "input", "eval", "exec", "compile", "__import__", "id", "hash"}
)
_NOW: Final = frozenset({"now", "utcnow", "today"})


def impure_call(node: ast.AST, outside: Mapping[str, Any], local: Mapping[str, Any]) -> str | None:
    """What a call reaches for beside its arguments, for people; None for a pure one or one that cannot be told."""
    if not isinstance(node, ast.Call):
        return None
    called = resolve(node.func, outside, local)
    if called is UNKNOWN and isinstance(node.func, ast.Name) and node.func.id not in local:
        called = vars(builtins).get(node.func.id, UNKNOWN)
    if called is UNKNOWN:
        return None
    owner = getattr(called, "__objclass__", None) or type(getattr(called, "__self__", None))
    name = getattr(called, "__name__", "")
    module = getattr(called, "__module__", None) or owner.__module__
    if owner in (date, datetime) and name in _NOW:
        return "the clock"
    if module.split(".")[0] in _MODULES:
        return f"module {module.split('.')[0]}"
    return f"{name}()" if module == "builtins" and name in _BUILTINS else None
