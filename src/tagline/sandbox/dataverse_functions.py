"""The query functions of `$filter`, as the condition that each makes. Source: Web API notes, section 5."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tagline.sandbox.dataverse_errors import bad_uri
from tagline.sandbox.dataverse_literals import Tokens

NAMESPACE = "Microsoft.Dynamics.CRM."
_NAMED: Mapping[str, str] = {
    "In": "in",
    "NotIn": "not-in",
    "Between": "between",
    "NotBetween": "not-between",
    "On": "on",
    "NotOn": "not-on",
    "OnOrAfter": "on-or-after",
    "OnOrBefore": "on-or-before",
    "Today": "today",
    "Tomorrow": "tomorrow",
    "Yesterday": "yesterday",
    "Last7Days": "last-seven-days",
    "Next7Days": "next-seven-days",
    "EqualUserId": "eq-userid",
    "NotEqualUserId": "ne-userid",
    "EqualBusinessId": "eq-businessid",
    "NotEqualBusinessId": "ne-businessid",
    "ContainValues": "contain-values",
    "DoesNotContainValues": "not-contain-values",
}
_PERIOD = re.compile(r"(Last|This|Next)(Week|Month|Year)")
_SPAN = re.compile(r"(Last|Next|OlderThan)X(Minutes|Hours|Days|Weeks|Months|Years)")


def is_query_function(name: str) -> bool:
    return name.startswith(NAMESPACE)


def read_function(name: str, tokens: Tokens) -> tuple[str, str, tuple[Any, ...]]:
    """
    Read `(PropertyName='x',PropertyValues=[…])` after the name of a query function.

    Returns:
        The operator as FetchXML spells it, the path of the property, the values beside it.

    Raises:
        Refusal: No such function, or its parameters cannot be read.
    """
    operator = _operator(name.removeprefix(NAMESPACE))
    path, values = "", ()
    tokens.take("(")
    while True:
        parameter = tokens.take_name()
        tokens.take("=")
        if parameter == "PropertyName":
            path = str(tokens.take_literal())
        elif parameter in ("PropertyValues", "PropertyValue", "PropertyValue1", "PropertyValue2"):
            values = (*values, *(tokens.take_literals() if tokens.peek() == "[" else [tokens.take_literal()]))
        else:
            raise bad_uri(f"The function '{name}' has no parameter '{parameter}'.")
        if tokens.peek() != ",":
            break
        tokens.take(",")
    tokens.take(")")
    if not path:
        raise bad_uri(f"The function '{name}' needs the parameter 'PropertyName'.")
    return operator, path, values


def _operator(name: str) -> str:
    if name in _NAMED:
        return _NAMED[name]
    if period := _PERIOD.fullmatch(name):
        return f"{period[1]}-{period[2]}".lower()
    if span := _SPAN.fullmatch(name):
        return f"{span[1]}-x-{span[2]}".lower()
    raise bad_uri(f"An unknown function with name '{NAMESPACE}{name}' was found.")
