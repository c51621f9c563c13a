"""`$apply`: filter, group, aggregate. Source: Web API notes, section 5."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tagline.sandbox.dataverse_aggregate import aggregate, check_limit
from tagline.sandbox.dataverse_errors import bad_uri
from tagline.sandbox.dataverse_filter import Operand, TableSubject, parse_filter
from tagline.sandbox.dataverse_literals import split_outside
from tagline.sandbox.dataverse_order import sortable
from tagline.sandbox.dataverse_query import aliases_of, matching, parse_query
from tagline.sandbox.dataverse_render import FORMATTED, Preferences, formatted
from tagline.sandbox.dataverse_rows import Row, comparable
from tagline.sandbox.dataverse_schema import Table
from tagline.sandbox.dataverse_scope import Scope

_STEP = re.compile(r"\s*(filter|groupby|aggregate)\s*\((.*)\)\s*", re.DOTALL)
_GROUPS = re.compile(r"\s*\(([^()]*)\)\s*(?:,\s*aggregate\s*\((.*)\)\s*)?", re.DOTALL)
_COMPUTED = re.compile(r"\s*([\w/]+)\s+with\s+(sum|average|min|max|countdistinct)\s+as\s+(\w+)\s*")
_COUNTED = re.compile(r"\s*\$count\s+as\s+(\w+)\s*")
_BESIDE = frozenset({"$apply", "$filter", "$orderby"})


@dataclass(frozen=True)
class _Computed:
    name: str
    method: str
    operand: Operand | None
    """None counts the rows themselves."""


def apply_steps(
    scope: Scope,
    preferences: Preferences,
    table: Table,
    given: Mapping[str, str],
    among: Sequence[str] | None,
) -> list[dict[str, Any]]:
    """
    Run the steps of `$apply`.

    Raises:
        Refusal: A step cannot be read or is not supported, or more rows match than may be aggregated.
    """
    if wrong := sorted(n for n in given if n.startswith("$") and n not in _BESIDE):
        raise bad_uri(f"The query option {wrong[0]} cannot be used together with $apply.")
    text = given["$apply"]
    query = parse_query(table, {n: v for n, v in given.items() if n not in ("$apply", "$orderby")})
    rows = list(matching(scope, query, among))
    result: list[dict[str, Any]] | None = None
    for step in split_outside(text, "/"):
        match = _STEP.fullmatch(step)
        if match is None or result is not None:
            raise bad_uri(f"The step '{step}' of $apply is not supported here.")
        if match[1] == "filter":
            where = parse_filter(table, match[2], aliases_of(given))
            rows = [row for row in rows if where.test(scope, row)]
        else:
            check_limit(len(rows))
            result = _reduced(scope, preferences, table, rows, match[1], match[2])
    if result is None:
        raise bad_uri("$apply needs a groupby or an aggregate.")
    return _ordered(result, given.get("$orderby", ""))


def _reduced(
    scope: Scope, preferences: Preferences, table: Table, rows: Sequence[Row], step: str, inside: str
) -> list[dict[str, Any]]:
    if step == "aggregate":
        return [_computed(scope, rows, _aggregates(table, inside))]
    match = _GROUPS.fullmatch(inside)
    if match is None:
        raise bad_uri(f"'groupby({inside})' cannot be read.")
    paths = [path.strip() for path in match[1].split(",")]
    operands = [TableSubject(table).operand(path) for path in paths]
    aggregates = _aggregates(table, match[2]) if match[2] else []
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(comparable(o.get(scope, row)) for o in operands), []).append(row)
    found = []
    for members in groups.values():
        out: dict[str, Any] = {}
        for path, operand in zip(paths, operands, strict=True):
            _place(out, path, operand.get(scope, members[0]))
            if "/" not in path and operand.column is not None and preferences.wants(FORMATTED):
                text = formatted(scope.rows, operand.column, members[0])
                out |= {f"{path}@{FORMATTED}": text} if text else {}
        found.append({**out, **_computed(scope, members, aggregates)})
    return found


def _place(out: dict[str, Any], path: str, value: Any) -> None:
    """Put a value where its path says: a property of a related row stands inside an object."""
    *outer, last = path.split("/")
    for name in outer:
        out = out.setdefault(name, {})
    out[last] = value


def _aggregates(table: Table, text: str) -> list[_Computed]:
    found = []
    for term in split_outside(text, ","):
        if counted := _COUNTED.fullmatch(term):
            found.append(_Computed(counted[1], "count", None))
        elif computed := _COMPUTED.fullmatch(term):
            found.append(_Computed(computed[3], computed[2], TableSubject(table).operand(computed[1])))
        else:
            raise bad_uri(f"The aggregate '{term.strip()}' cannot be read.")
    return found


def _computed(scope: Scope, rows: Sequence[Row], wanted: Sequence[_Computed]) -> dict[str, Any]:
    return {
        c.name: len(rows)
        if c.operand is None
        else aggregate(c.method, [c.operand.get(scope, row) for row in rows])
        for c in wanted
    }


def _ordered(found: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    for term in reversed(text.split(",") if text else []):
        name, _, direction = term.strip().partition(" ")
        if (found and name not in found[0]) or direction.strip() not in ("", "asc", "desc"):
            raise bad_uri(f"'{term.strip()}' cannot be ordered by here.")
        found.sort(key=lambda out, name=name: sortable(out[name]), reverse=direction.strip() == "desc")  # type: ignore[misc]
    return found
