"""`BulkDelete`: rows that match queries are deleted in the background. Source: Web API notes, section 10."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_errors import Refusal
from tagline.sandbox.dataverse_fetch import Run
from tagline.sandbox.dataverse_fetchxml import UNKNOWN_TABLE, Fetch, Group, Link, Test
from tagline.sandbox.dataverse_platform import NAMESPACE, Platform, missing_parameter, parameters
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_read import answer
from tagline.sandbox.dataverse_rights import Access, Caller
from tagline.sandbox.dataverse_schema import Table, tables
from tagline.sandbox.values import Response

BULK_DELETE: Final = 13
"""Type of the background operation."""
COMPLETED: Final = {"statecode": 3, "statuscode": 30}
MAX_DEPTH: Final = 60
"""Of filters in each other."""
_OPERATORS: Mapping[str, str] = {
    "Equal": "eq",
    "NotEqual": "ne",
    "GreaterThan": "gt",
    "GreaterEqual": "ge",
    "LessThan": "lt",
    "LessEqual": "le",
    "In": "in",
    "NotIn": "not-in",
    "Between": "between",
    "Like": "like",
    "NotLike": "not-like",
    "BeginsWith": "begins-with",
    "EndsWith": "ends-with",
    "Null": "null",
    "NotNull": "not-null",
    "On": "on",
    "OnOrBefore": "on-or-before",
    "OnOrAfter": "on-or-after",
}
"""Condition operators of the SDK, in the spelling of FetchXML."""


def bulk_delete(platform: Platform, call: Call) -> Response:
    """
    Note which rows match now, and delete them by and by; its operation is a row.

    Raises:
        Refusal: A parameter is missing, a query cannot be read, or the caller may not delete rows of its table.
    """
    given = parameters(call)
    queries, name = given.get("QuerySet"), given.get("JobName")
    if not isinstance(queries, list) or not queries:
        raise missing_parameter("QuerySet")
    if not isinstance(name, str):
        raise missing_parameter("JobName")
    found = [row for query in queries for row in _matching(platform, call, query)]
    caller, job_id = platform.records.caller, platform.new_id()
    facts = {"asyncoperationid": job_id, "name": name, "operationtype": BULK_DELETE}
    with platform.records.acting_as(caller.as_platform()):
        platform.records.create(tables()["asyncoperation"], facts)
    work = partial(_delete, platform, caller, job_id, found)
    platform.rows.after_commit(lambda: platform.agenda.after(quirks().bulk_delete_after_s, work))
    return answer(call, f"{NAMESPACE}BulkDeleteResponse", {"JobId": job_id})


def _matching(platform: Platform, call: Call, query: Any) -> Iterator[tuple[Table, str]]:
    if not isinstance(query, dict):
        raise missing_parameter("QuerySet", "holds what is no query")
    name = str(query.get("EntityName"))
    table = tables().get(name)
    if table is None:
        raise Refusal(
            400, UNKNOWN_TABLE, f"The entity with a name = '{name}' was not found in the MetadataCache."
        )
    caller = platform.records.caller
    caller.require(table, Access.DELETE)
    primary = table.columns[table.primary_id]
    where = (_group(query.get("Criteria") or {}),)
    entity = Link(
        table, "", (), all_attributes=False, filters=where, sorts=(), links=(), column=primary, outer_column=primary
    )  # fmt: skip
    fetch = Fetch(entity, is_distinct=False, is_aggregate=False, top=None, count=None, page=1, with_total=False)  # fmt: skip
    for joined in Run(call.scope(caller.sight(platform.rows)), call, fetch).joined():
        yield table, (joined[""] or {})[table.primary_id]


def _group(given: Any, depth: int = 1) -> Group:
    if not isinstance(given, dict) or depth > MAX_DEPTH:
        raise missing_parameter("QuerySet", "holds criteria that cannot be read")
    inner = [_group(one, depth + 1) for one in _listed(given, "Filters")]
    tests = [_test(one) for one in _listed(given, "Conditions")]
    return Group(given.get("FilterOperator") == "Or", (*inner, *tests))


def _test(given: Any) -> Test:
    operator = _OPERATORS.get(str(given.get("Operator"))) if isinstance(given, dict) else None
    if operator is None:
        raise missing_parameter("QuerySet", "holds a condition whose operator is not supported here")
    values = (v.get("Value") if isinstance(v, dict) else v for v in _listed(given, "Values"))
    texts = (str(v).lower() if isinstance(v, bool) else str(v) for v in values)
    return Test("", str(given.get("AttributeName")), operator, tuple(texts))


def _listed(given: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = given.get(name)
    return found if isinstance(found, list) else ()


def _delete(platform: Platform, caller: Caller, job_id: str, found: Sequence[tuple[Table, str]]) -> None:
    failed = sum(not _is_deleted(platform, caller, table, row_id) for table, row_id in found)
    operations = tables()["asyncoperation"]
    row, now = platform.rows.get(operations, job_id), platform.records.now()
    if row is not None:
        told = {"message": f"{failed} of {len(found)} records could not be deleted."} if failed else {}
        done = {**row, **COMPLETED, **told, "startedon": now, "completedon": now, "modifiedon": now}
        platform.rows.put(operations, job_id, done)


def _is_deleted(platform: Platform, caller: Caller, table: Table, row_id: str) -> bool:
    if platform.rows.get(table, row_id) is None:
        return True  # by somebody else in the meantime, or with the row that it belonged to
    try:
        with platform.rows.transaction(), platform.records.acting_as(caller):
            platform.records.delete(table, row_id)
    except Refusal:
        return False
    return True
