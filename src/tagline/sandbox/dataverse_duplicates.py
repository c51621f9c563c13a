"""Duplicate detection: published rules, looked at where a request asks for it. Source: Web API notes, 13.1."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tagline.sandbox.dataverse_body import read_values
from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_errors import Refusal, bad_uri, no_row
from tagline.sandbox.dataverse_platform import (
    NAMESPACE,
    Platform,
    missing_parameter,
    parameters,
    text_parameter,
)
from tagline.sandbox.dataverse_query import query_options
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_read import answer
from tagline.sandbox.dataverse_render import render
from tagline.sandbox.dataverse_rows import Row, Rows
from tagline.sandbox.dataverse_schema import Table, tables
from tagline.sandbox.values import Response
from tagline.sandbox.wire import decode

PUBLISHED: Final = {"statecode": 1, "statuscode": 2}
UNPUBLISHED: Final = {"statecode": 0, "statuscode": 0}
HEADER: Final = "mscrm.suppressduplicatedetection"
EXACT, SAME_START, SAME_END, SAME_DATE = 0, 1, 2, 3
MAX_FOUND: Final = 1000
_PARAMETER = re.compile(r"(\w+)=(@\w+|'(?:[^']|'')*')")


def wanted(headers: Mapping[str, str]) -> bool:
    """Whether a request asks for duplicate detection, which is off otherwise."""
    return headers.get(HEADER, "").strip().lower() == "false"


def refuse_duplicate(rows: Rows, table: Table, row: Row) -> None:
    """
    See that no published rule finds another row like this one.

    Raises:
        Refusal: One does (0x80040333).
    """
    for rule in _rules(rows, table):
        if next(_matches(rows, rule, row, row.get(table.primary_id)), None) is not None:
            raise Refusal(
                quirks().duplicates_found_status,
                "0x80040333",
                "A record was not created or updated because a duplicate of the current record already exists.",
            )


def publish(platform: Platform, call: Call, state: Mapping[str, int]) -> Response:
    """
    `PublishDuplicateRule` and `UnpublishDuplicateRule`.

    Raises:
        Refusal: There is no such rule, or it has no condition.
    """
    rules = tables()["duplicaterule"]
    rule_id = text_parameter(parameters(call), "DuplicateRuleId").lower()
    if platform.rows.get(rules, rule_id) is None:
        raise no_row(rules, rule_id)
    if state is PUBLISHED and not _conditions(platform.rows, rule_id):
        raise missing_parameter("DuplicateRuleId", "names a rule without conditions")
    platform.records.update(rules, rule_id, state)
    if state is UNPUBLISHED:
        return Response(204)
    return answer(call, f"{NAMESPACE}PublishDuplicateRuleResponse", {"JobId": platform.new_id()})


def retrieve_duplicates(platform: Platform, call: Call, text: str) -> Response:
    """
    `RetrieveDuplicates(BusinessEntity=@p1,MatchingEntityName=@p2,PagingInfo=@p3)`.

    Raises:
        Refusal: A parameter is missing or cannot be read.
    """
    given, aliases = {}, query_options(call.request)
    for name, value in _PARAMETER.findall(text):
        given[name] = aliases.get(value, "") if value.startswith("@") else value
    try:
        entity = decode(given.get("BusinessEntity", "").encode())
    except ValueError:
        entity = None
    if not isinstance(entity, dict):
        raise bad_uri("The parameter 'BusinessEntity' is no record.")
    table = tables().get(str(entity.pop("@odata.type", "")).removeprefix("#").removeprefix(NAMESPACE))
    matching = tables().get(given.get("MatchingEntityName", "").strip("'"))
    if table is None or matching is None:
        raise bad_uri("The parameters 'BusinessEntity' and 'MatchingEntityName' name no tables.")
    seen = platform.records.caller.sight(platform.rows)
    own_id = entity.pop(table.primary_id, None)
    row = {
        **(platform.rows.get(table, str(own_id)) or {}),
        **read_values(platform.rows, table, entity, creating=True, resolve=call.resolve),
    }
    found: dict[str, Row] = {}
    for rule in _rules(platform.rows, table):
        if rule.get("matchingentityname") == matching.name:
            found |= {r[matching.primary_id]: r for r in _matches(platform.rows, rule, row, own_id)}
    in_sight = [r for row_id, r in found.items() if seen.get(matching, row_id) is not None]
    shown = [render(platform.rows, matching, r, None, call.preferences) for r in in_sight[:MAX_FOUND]]
    return answer(call, matching.entity_set, {"value": shown})


def _rules(rows: Rows, table: Table) -> Iterator[Row]:
    for rule in rows.all(tables()["duplicaterule"]):
        if rule.get("baseentityname") == table.name and rule["statecode"] == PUBLISHED["statecode"]:
            yield rule


def _conditions(rows: Rows, rule_id: str) -> list[Row]:
    table = tables()["duplicaterulecondition"]
    found = (rows.get(table, i) for i in rows.pointing(table, "regardingobjectid", rule_id))
    return [condition for condition in found if condition is not None]


def _matches(rows: Rows, rule: Row, row: Row, own_id: Any) -> Iterator[Row]:
    """Rows that every condition of the rule finds like this one."""
    matching = tables().get(str(rule.get("matchingentityname")))
    conditions = _conditions(rows, rule["duplicateruleid"])
    if matching is None or not conditions:
        return
    for other in rows.all(matching):
        if other[matching.primary_id] == own_id or (
            rule.get("excludeinactiverecords") and other.get("statecode")
        ):
            continue
        if all(_is_met(condition, rule, row, other) for condition in conditions):
            yield other


def _is_met(condition: Row, rule: Row, row: Row, other: Row) -> bool:
    is_exact_case = bool(rule.get("iscasesensitive"))
    mine = _compared(row.get(str(condition.get("baseattributename"))), condition, is_exact_case=is_exact_case)
    theirs = _compared(
        other.get(str(condition.get("matchingattributename"))), condition, is_exact_case=is_exact_case
    )
    if mine is None and theirs is None:
        return not condition.get("ignoreblankvalues")
    return bool(mine == theirs)


def _compared(value: Any, condition: Row, *, is_exact_case: bool) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip() if is_exact_case else value.strip().casefold()
    length = int(condition.get("operatorparam") or 0)
    operator = condition.get("operatorcode", EXACT)
    if operator == SAME_START:
        return text[:length]
    if operator == SAME_END:
        return text[-length:] if length else ""
    return text[:10] if operator == SAME_DATE else text
