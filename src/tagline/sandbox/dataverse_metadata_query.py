"""`RetrieveMetadataChanges`: tables and their columns by a query of conditions. Source: Web API notes, section 14."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_definitions import Definition, table_definition
from tagline.sandbox.dataverse_errors import bad_uri
from tagline.sandbox.dataverse_platform import NAMESPACE, Platform
from tagline.sandbox.dataverse_query import query_options
from tagline.sandbox.dataverse_read import answer
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.values import Response
from tagline.sandbox.wire import decode

MAX_DEPTH: Final = 20
"""Of filters in each other."""
_PARTS: Mapping[str, str] = {
    "Attributes": "AttributeQuery",
    "Keys": "KeyQuery",
    "ManyToOneRelationships": "RelationshipQuery",
    "OneToManyRelationships": "RelationshipQuery",
}
"""What a table's definition leads on to -> the part of the query about it."""
_ALWAYS: Final = ("MetadataId", "HasChanged")


def retrieve_metadata(platform: Platform, call: Call, text: str) -> Response:
    """
    Answer with every table that matches, not only with those that changed: the stamp of a client is passed over.

    Raises:
        Refusal: The query cannot be read.
    """
    alias, given = text.partition("=")[2].strip(), query_options(call.request)
    try:
        query = decode(given.get(alias, alias).encode())
    except ValueError:
        query = None
    if not isinstance(query, dict) or not text.strip().startswith("Query="):
        raise bad_uri("The parameter 'Query' is no EntityQueryExpression.")
    found = _matching([table_definition(table) for table in tables().values()], query)
    body = {
        "EntityMetadata": [_table(definition, query) for definition in found],
        "ServerVersionStamp": f"{platform.rows.version}!{call.now:%m/%d/%Y %H:%M:%S}",
        "DeletedMetadata": {"Count": 0, "IsReadOnly": False, "Keys": [], "Values": []},
    }
    return answer(call, f"{NAMESPACE}RetrieveMetadataChangesResponse", body)


def _table(definition: Definition, query: Mapping[str, Any]) -> dict[str, Any]:
    shown = _shown(definition, query)
    names = _names(query)
    for part, about in _PARTS.items():
        if names is None or part in names:
            inner = _object(query.get(about))
            related = definition.related[part]()
            listed = related if isinstance(related, Sequence) else ()
            shown[part] = [
                {"@odata.type": f"#{NAMESPACE}{one.kind}", **_shown(one, inner)}
                for one in _matching(listed, inner)
            ]
    return shown


def _shown(definition: Definition, query: Mapping[str, Any]) -> dict[str, Any]:
    names = _names(query)
    shown = {n: v for n, v in definition.facts.items() if names is None or n in names or n in _ALWAYS}
    for name, related in definition.related.items():
        if name in _PARTS or (names is not None and name not in names):
            continue
        one = related()
        if isinstance(one, Definition):
            shown[name] = {"@odata.type": f"#{NAMESPACE}{one.kind}", **one.facts}
    return shown


def _names(query: Mapping[str, Any]) -> Sequence[str] | None:
    """The properties that are asked for, None for all."""
    properties = _object(query.get("Properties"))
    names = properties.get("PropertyNames")
    if properties.get("AllProperties") is True or not query:
        return None
    return [str(name) for name in names] if isinstance(names, list) else []


def _matching(found: Sequence[Definition], query: Mapping[str, Any]) -> Sequence[Definition]:
    criteria = _object(query.get("Criteria"))
    return [definition for definition in found if _passes(definition, criteria)]


def _passes(definition: Definition, criteria: Mapping[str, Any], depth: int = 1) -> bool:
    if depth > MAX_DEPTH:
        raise bad_uri("The recursion limit of the filter has been exceeded.")
    conditions, filters = criteria.get("Conditions"), criteria.get("Filters")
    results = [
        *(_holds(definition, _object(one)) for one in (conditions if isinstance(conditions, list) else ())),
        *(
            _passes(definition, _object(one), depth + 1)
            for one in (filters if isinstance(filters, list) else ())
        ),
    ]
    return any(results) if criteria.get("FilterOperator") == "Or" and results else all(results)


def _holds(definition: Definition, condition: Mapping[str, Any]) -> bool:
    name, operator = str(condition.get("PropertyName")), condition.get("ConditionOperator")
    given = condition.get("Value")
    wanted = given.get("Value") if isinstance(given, dict) else given
    if name not in definition.facts and name not in definition.own:
        return False
    value = definition.facts.get(name)
    value = value.get("Value") if isinstance(value, dict) else value
    match operator:
        case "Equals":
            return _text(value) == _text(wanted)
        case "NotEquals":
            return _text(value) != _text(wanted)
        case "In" | "NotIn":
            listed = wanted if isinstance(wanted, list) else str(wanted).split(",")
            return (_text(value) in [_text(one) for one in listed]) is (operator == "In")
    raise bad_uri(f"The condition operator '{operator}' is not supported here.")


def _text(value: Any) -> str:
    return str(value).lower()


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
