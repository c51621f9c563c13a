"""From a function object to its definition in the source, and from a name in it to the object it means."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any, Final

UNKNOWN: Final = object()
"""What a name means when it cannot be told without running the code."""


@lru_cache(maxsize=64)
def _definitions(source: str) -> Mapping[tuple[str, int], ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file by name and first line, decorators counted, as code objects count them."""
    found: dict[tuple[str, int], ast.FunctionDef | ast.AsyncFunctionDef] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found[node.name, first] = node
    return found


def definition(function: FunctionType) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """
    The function's definition, with the line numbers of its file; None where there is no source.

    The whole file is parsed instead of the function's own lines, so that nothing has to be dedented or shifted.
    """
    try:
        lines, _ = inspect.findsource(function)
        definitions = _definitions("".join(lines))
    except (OSError, TypeError, SyntaxError):
        return None
    return definitions.get((function.__code__.co_name, function.__code__.co_firstlineno))


def names_of(function: FunctionType) -> dict[str, Any]:
    """The names that the function sees from outside: its module's and those it closes over."""
    closed = dict(_cells(function))
    return {**function.__globals__, **closed}


def _cells(function: FunctionType) -> list[tuple[str, Any]]:
    found = []
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found.append((name, cell.cell_contents))
        except ValueError:  # the enclosing function has not assigned it yet
            continue
    return found


def resolve(node: ast.expr, outside: Mapping[str, Any], local: Mapping[str, Any]) -> Any:
    """The object that a dotted name means outside the function, or `UNKNOWN`; runs no code of the author."""
    if isinstance(node, ast.Name):
        return UNKNOWN if node.id in local else outside.get(node.id, UNKNOWN)
    if isinstance(node, ast.Attribute):
        owner = resolve(node.value, outside, local)
        if isinstance(owner, ModuleType):
            return getattr(owner, node.attr, UNKNOWN)
        if isinstance(owner, type):
            return inspect.getattr_static(owner, node.attr, UNKNOWN)
    return UNKNOWN
