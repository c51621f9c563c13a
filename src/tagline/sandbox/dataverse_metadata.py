"""Addresses and options of metadata: what the organisation says about its own tables. Source: Web API notes, section 14."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_definitions import Definition, relationships, table_definition
from tagline.sandbox.dataverse_errors import Refusal, bad_uri, no_segment
from tagline.sandbox.dataverse_filter import Operand, Subject, compile_filter
from tagline.sandbox.dataverse_functions import NAMESPACE
from tagline.sandbox.dataverse_literals import GUID, Tokens, split_outside
from tagline.sandbox.dataverse_query import aliases_of, query_options
from tagline.sandbox.dataverse_read import answer
from tagline.sandbox.dataverse_rows import Rows
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.dataverse_scope import Scope
from tagline.sandbox.values import Response

_SEGMENT = re.compile(r"([\w.]+)(?:\((.*)\))?", re.DOTALL)
_KEY = re.compile(rf"(?:(LogicalName|SchemaName|MetadataId|Name)=)?(?:'([^']*)'|({GUID.pattern}))")
_OPTIONS = frozenset({"$select", "$filter", "$expand", "$count"})

SETS: Mapping[str, Callable[[], Sequence[Definition]]] = {
    "EntityDefinitions": lambda: [table_definition(table) for table in tables().values()],
    "RelationshipDefinitions": relationships,
    "GlobalOptionSetDefinitions": list,
}
"""Entity set -> what it holds. Global choices do not exist here."""


@dataclass(frozen=True)
class _Facts:
    """Definitions as the subject of a `$filter`; every definition has the facts of the first."""

    sample: Definition | None

    def operand(self, path: str) -> Operand:
        names = path.split("/")
        if self.sample is not None and names[0] not in self.sample.facts:
            raise _unknown(names[0], self.sample)

        def get(_scope: object, definition: Definition) -> Any:
            value: Any = definition.facts
            for name in names:
                value = value.get(name) if isinstance(value, Mapping) else None
            return value

        return Operand(get)

    def collection(self, path: str) -> tuple[Callable[[Any, Any], list[Any]], Subject]:
        raise bad_uri(f"'{path}' cannot be filtered on in metadata.")


def filtered(
    found: Sequence[Definition], text: str, aliases: Mapping[str, str], scope: Scope
) -> Sequence[Definition]:
    """Those that a `$filter` on metadata finds; raises `Refusal` where it cannot be read."""
    where = compile_filter(_Facts(found[0] if found else None), Tokens(text, aliases), text)
    return [definition for definition in found if where.test(scope, definition)]


def is_metadata(path: str) -> bool:
    """Whether the path leads into metadata rather than to rows."""
    match = _SEGMENT.match(path)
    return match is not None and match[1] in SETS


def read_metadata(rows: Rows, call: Call, path: str) -> Response:
    """
    Answer an address that starts with one of the sets of metadata.

    Args:
        path: Below the service root, decoded.

    Raises:
        Refusal: There is nothing such, or an option is not supported on metadata.
    """
    given = query_options(call.request)
    if wrong := sorted(n for n in given if n.startswith("$") and n not in _OPTIONS):
        raise bad_uri(f"The query parameter {wrong[0]} is not supported on metadata.")
    head, *rest = split_outside(path, "/")
    name, key = _split(head)
    at: Sequence[Definition] | Definition = SETS[name]()
    if key:
        at = _keyed(at, key, name)
    cast = ""
    while rest:
        name, key = _split(rest.pop(0))
        if name.startswith(NAMESPACE):
            cast = name.removeprefix(NAMESPACE)
            at = _cast(at, cast)
            continue
        if not isinstance(at, Definition):
            raise no_segment(name)
        if name not in at.related:
            return _fact(call, at, name, path, rest)
        found = at.related[name]()
        if found is None:
            return Response(204)
        at, cast = (_keyed(found, key, name) if key else found), ""
    if isinstance(at, Definition):
        body = {
            "@odata.type": f"#{NAMESPACE}{at.kind}",
            **_shown(at, given, call.scope(rows), is_cast=bool(cast) or not at.base),
        }
        return answer(call, f"{path.split('/', maxsplit=1)[0]}/$entity", body)
    return _list(rows, call, at, given, path, is_cast=bool(cast))


def _split(segment: str) -> tuple[str, str]:
    match = _SEGMENT.fullmatch(segment)
    if match is None:
        raise no_segment(segment)
    return match[1], match[2] or ""


def _keyed(found: Sequence[Definition] | Definition, key: str, name: str) -> Definition:
    match = _KEY.fullmatch(key.strip())
    if match is None or isinstance(found, Definition):
        raise bad_uri(f"The key '{key}' is not valid for '{name}'.")
    by, wanted = match[1] or "MetadataId", (match[2] if match[3] is None else match[3]).lower()
    one = next((d for d in found if str(d.facts.get(by, "")).lower() == wanted), None)
    if one is None:
        raise Refusal(404, "0x80060888", f"Could not find '{name}' with {by} = '{match[2] or match[3]}'.")
    return one


def _cast(at: Sequence[Definition] | Definition, kind: str) -> Sequence[Definition] | Definition:
    if isinstance(at, Definition):
        if at.kind != kind:
            raise no_segment(NAMESPACE + kind)
        return at
    return [definition for definition in at if definition.kind == kind]


def _fact(call: Call, definition: Definition, name: str, path: str, rest: Sequence[str]) -> Response:
    if name not in definition.facts or rest:
        raise no_segment(name)
    value = definition.facts[name]
    return Response(204) if value is None else answer(call, path, {"value": value})


def _list(
    rows: Rows,
    call: Call,
    found: Sequence[Definition],
    given: Mapping[str, str],
    path: str,
    *,
    is_cast: bool,
) -> Response:
    scope = call.scope(rows)
    if "$filter" in given:
        found = filtered(found, given["$filter"], aliases_of(given), scope)
    count = {"@odata.count": len(found)} if given.get("$count") == "true" else {}
    value = []
    for definition in found:
        shown = _shown(definition, given, scope, is_cast=is_cast or not definition.base)
        typed = {"@odata.type": f"#{NAMESPACE}{definition.kind}"} if definition.base and not is_cast else {}
        value.append({**typed, **shown})
    return answer(call, path, {**count, "value": value})


def _shown(
    definition: Definition, given: Mapping[str, str], scope: Scope, *, is_cast: bool
) -> dict[str, Any]:
    """The definition as `$select` and `$expand` want it."""
    wanted = [name.strip() for name in given.get("$select", "").split(",") if name.strip()]
    for name in wanted:
        if name not in definition.facts or (name in definition.own and not is_cast):
            raise _unknown(name, definition)
    shown = {n: v for n, v in definition.facts.items() if not wanted or n in wanted or n == "MetadataId"}
    for term in split_outside(given["$expand"], ",") if given.get("$expand") else ():
        name, opened, inner = term.strip().partition("(")
        if name not in definition.related or (opened and not inner.endswith(")")):
            raise _unknown(name, definition)
        shown[name] = _expanded(definition.related[name](), inner.removesuffix(")"), scope)
    return shown


def _expanded(found: Sequence[Definition] | Definition | None, options: str, scope: Scope) -> Any:
    given: dict[str, str] = {}
    for piece in split_outside(options, ";") if options else ():
        name, _, value = piece.strip().partition("=")
        if name not in ("$select", "$expand", "$filter"):
            raise bad_uri(f"The query option '{name}' is not supported in $expand on metadata.")
        given[name] = value
    if found is None:
        return None
    if isinstance(found, Definition):
        return _shown(found, given, scope, is_cast=True)
    if "$filter" in given:
        found = filtered(found, given["$filter"], {}, scope)
    return [
        {
            **({"@odata.type": f"#{NAMESPACE}{definition.kind}"} if definition.base else {}),
            **_shown(definition, given, scope, is_cast=not definition.base),
        }
        for definition in found
    ]


def _unknown(name: str, definition: Definition) -> Refusal:
    kind = definition.base or definition.kind
    return bad_uri(f"Could not find a property named '{name}' on type '{NAMESPACE}{kind}'.")
