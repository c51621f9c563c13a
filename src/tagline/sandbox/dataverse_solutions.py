"""Solutions: staged, imported in the background or at once, exported, removed. Source: Web API notes, section 19."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from tagline.sandbox.dataverse_call import Call
from tagline.sandbox.dataverse_customising import begin_key, remove_column, remove_key
from tagline.sandbox.dataverse_errors import Refusal, no_row
from tagline.sandbox.dataverse_founding import PUBLISHER, SOLUTION, publisher_row, put_role, solution_row
from tagline.sandbox.dataverse_platform import (
    NAMESPACE,
    Operation,
    Platform,
    missing_parameter,
    parameters,
    text_parameter,
)
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_read import answer
from tagline.sandbox.dataverse_rights import Access
from tagline.sandbox.dataverse_schema import KeyIndex, Schema, solution_parts, tables
from tagline.sandbox.dataverse_solution_file import (
    SolutionFile,
    SolutionFileError,
    read_solution,
    write_solution,
)
from tagline.sandbox.values import Response

IMPORT: Final = 54
"""Type of the background operation."""
IN_PROGRESS, SUCCEEDED, FAILED = 20, 30, 31
COMPLETED: Final = 3
LOCKED: Final = 2


def stage(platform: Platform, call: Call) -> Response:
    """`StageSolution`: look a solution over and keep it for the import; what is wrong with it is told in the results."""
    archive = _file(parameters(call))
    results: dict[str, Any] = {"StageSolutionUploadId": None, "StageSolutionStatus": "Failed"}
    try:
        solution = read_solution(archive)
    except SolutionFileError as error:
        problems, missing = [str(error)], []
    else:
        problems = []
        missing = [{"RequiredComponentSchemaName": name} for name in solution.missing_tables]
        if not missing:
            upload = platform.new_id()
            platform.uploads[upload] = archive
            results |= {"StageSolutionUploadId": upload, "StageSolutionStatus": "Passed"}
        results["SolutionDetails"] = {
            "SolutionUniqueName": solution.name,
            "SolutionVersion": solution.version,
        }
    results["SolutionValidationResults"] = [
        {"SolutionValidationResultType": "Error", "Message": text} for text in problems
    ]
    results["MissingDependencies"] = missing
    results["SolutionComponentsDetails"] = []
    return answer(call, f"{NAMESPACE}StageSolutionResponse", {"StageSolutionResults": results})


def import_later(platform: Platform, call: Call) -> Response:
    """
    `ImportSolutionAsync`: the import runs in the background; its operation and job are rows.

    Raises:
        Refusal: No solution is given.
    """
    given = parameters(call)
    archive = _given(platform, given)
    job_id, operation_id = platform.new_id(), platform.new_id()
    facts = {"name": "Import Solution", "operationtype": IMPORT, "asyncoperationid": operation_id}
    with platform.records.acting_as(platform.records.caller.as_platform()):
        platform.records.create(tables()["asyncoperation"], facts)
        platform.records.create(
            tables()["importjob"], {"importjobid": job_id, "name": "Import", "progress": 0}
        )
    start, end = quirks().import_steps_s
    platform.agenda.after(start, partial(_begin, platform, operation_id))
    platform.agenda.after(end, partial(_finish, platform, operation_id, job_id, archive))
    body = {"ImportJobKey": job_id, "AsyncOperationId": operation_id}
    return answer(call, f"{NAMESPACE}ImportSolutionAsyncResponse", body)


def import_now(platform: Platform, call: Call) -> Response:
    """
    `ImportSolution`: the same, and answered once it is done.

    Raises:
        Refusal: The solution cannot be taken in.
    """
    given = parameters(call)
    job_id = given.get("ImportJobId") or platform.new_id()
    if not isinstance(job_id, str):
        raise missing_parameter("ImportJobId", "is no GUID")
    problem = _take_in(platform, _given(platform, given))
    if problem:
        raise Refusal(400, "0x80048068", problem)
    _note_job(platform, job_id, problem)
    return Response(204)


def import_result(platform: Platform, call: Call, job_id: str) -> Response:
    """
    `RetrieveSolutionImportResult(ImportJobId=…)`.

    Raises:
        Refusal: There is no such job.
    """
    jobs = tables()["importjob"]
    job = platform.rows.get(jobs, job_id.lower())
    if job is None:
        raise no_row(jobs, job_id)
    problem = job.get("data")
    result = {
        "Status": "Failed" if problem else "Passed",
        "WarningMessages": [],
        "ErrorMessages": [{"Message": problem}] if problem else [],
    }
    return answer(
        call, f"{NAMESPACE}RetrieveSolutionImportResultResponse", {"SolutionOperationResult": result}
    )


def export(platform: Platform, call: Call) -> Response:
    """
    `ExportSolution`: a solution as a file, unmanaged or managed.

    Raises:
        Refusal: There is no such solution, or it is managed and cannot be exported.
    """
    given = parameters(call)
    name = text_parameter(given, "SolutionName")
    row = _row(platform, name)
    if row is None or name not in platform.solutions:
        raise Refusal(404, "0x80040217", f"The solution '{name}' does not exist.")
    if row.get("ismanaged"):
        raise Refusal(400, "0x80048036", f"The managed solution '{name}' cannot be exported.")
    held = replace(
        platform.solutions[name], version=str(row["version"]), is_managed=given.get("Managed") is True
    )
    body = {"ExportSolutionFile": base64.b64encode(write_solution(held)).decode()}
    return answer(call, f"{NAMESPACE}ExportSolutionResponse", body)


def remove(platform: Platform, row_id: str) -> Response:
    """
    `DELETE solutions(…)`: a managed solution goes with what it brought, an unmanaged one leaves it behind.

    Raises:
        Refusal: There is no such solution, or the caller may not.
    """
    table = tables()["solution"]
    row = platform.rows.get(table, row_id)
    if row is None:
        raise no_row(table, row_id)
    platform.records.caller.require(table, Access.DELETE)
    platform.rows.remove(table, row_id)
    brought = platform.solutions.pop(str(row["uniquename"]), None)
    if brought is not None and row.get("ismanaged") and quirks().managed_columns_go_with_their_solution:
        for name, keys in brought.keys.items():
            for key in keys:
                remove_key(platform, name, key)
        for name, columns in brought.columns.items():
            for column in columns:
                remove_column(platform, name, column.name)
        for role in brought.roles:
            if platform.rows.get(tables()["role"], role.id) is not None:
                platform.rows.remove(tables()["role"], role.id)
    return Response(204)


def initial_solution(schema: Schema) -> SolutionFile:
    """The solution that an organisation starts with, in the form of one that was imported."""
    parts: Mapping[str, Any] = solution_parts()
    return SolutionFile(
        *SOLUTION,
        is_managed=True,
        publisher=PUBLISHER,
        prefix="tl",
        option_prefix=13704,
        columns={
            table: [schema.tables[table].columns[c["name"]] for c in part.get("columns", ())]
            for table, part in parts.items()
        },
        keys={table: {n: tuple(c) for n, c in part.get("keys", {}).items()} for table, part in parts.items()},
        roles=[],
    )


def _file(given: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(text_parameter(given, "CustomizationFile"), validate=True)
    except binascii.Error:
        raise missing_parameter("CustomizationFile", "is no Base64") from None


def _given(platform: Platform, given: Mapping[str, Any]) -> bytes:
    """The file of an import, which may have been staged before."""
    if "CustomizationFile" in given:
        return _file(given)
    staged = given.get("SolutionParameters")
    upload = staged.get("StageSolutionUploadId") if isinstance(staged, dict) else None
    if upload not in platform.uploads:
        raise missing_parameter(
            "SolutionParameters", "names no staged solution, and there is no CustomizationFile"
        )
    return platform.uploads[upload]


def _begin(platform: Platform, operation_id: str) -> None:
    _operation(
        platform,
        operation_id,
        {"statecode": LOCKED, "statuscode": IN_PROGRESS, "startedon": platform.records.now()},
    )


def _finish(platform: Platform, operation_id: str, job_id: str, archive: bytes) -> None:
    problem = _take_in(platform, archive)
    _note_job(platform, job_id, problem)
    done: dict[str, Any] = {
        "statecode": COMPLETED,
        "statuscode": FAILED if problem else SUCCEEDED,
        "completedon": platform.records.now(),
    }
    if problem:
        done |= {"message": problem, "friendlymessage": problem, "errorcode": -2147188600}
    _operation(platform, operation_id, done)


def _operation(platform: Platform, operation_id: str, changes: Mapping[str, Any]) -> None:
    operations = tables()["asyncoperation"]
    row = platform.rows.get(operations, operation_id)
    if row is not None:
        platform.rows.put(operations, operation_id, {**row, **changes, "modifiedon": platform.records.now()})


def _note_job(platform: Platform, job_id: str, problem: str) -> None:
    jobs, now = tables()["importjob"], platform.records.now()
    row = platform.rows.get(jobs, job_id) or {"importjobid": job_id, "name": "Import", "createdon": now}
    done = {**row, "progress": 0 if problem else 100, "completedon": now, "modifiedon": now}
    platform.rows.put(jobs, job_id, {**done, "data": problem} if problem else done)


def _take_in(platform: Platform, archive: bytes) -> str:
    """Add what a solution brings and is not there yet; what is wrong with it, empty for nothing."""
    try:
        solution = read_solution(archive)
    except SolutionFileError as error:
        return str(error)
    if solution.missing_tables:
        return f"The solution needs tables that are missing: {', '.join(solution.missing_tables)}."
    standing = _row(platform, solution.name)
    if standing is not None and bool(standing.get("ismanaged")) != solution.is_managed:
        kind = "managed" if standing.get("ismanaged") else "unmanaged"
        return f"The solution '{solution.name}' is installed as {kind} already."
    if standing is not None and solution.is_managed and quirks().older_solution_is_refused:
        installed = str(standing["version"])
        if _parts(solution.version) < _parts(installed):
            return f"The solution '{solution.name}' is installed in version {installed}, newer than {solution.version}."
    problem = _conflict(solution)
    if problem:
        return problem
    for table, columns in solution.columns.items():
        platform.schema.change(table, columns=columns)
    for table, keys in solution.keys.items():
        for name, named in keys.items():
            if name not in tables()[table].indexes:
                begin_key(platform, table, name, KeyIndex(named, is_managed=solution.is_managed))
    for role in solution.roles:
        put_role(platform.rows, role.id, role.name, role.privileges, is_managed=solution.is_managed)
    for table_of, row in (
        publisher_row(solution.publisher, solution.prefix, solution.option_prefix),
        solution_row(
            solution.name,
            solution.version,
            publisher_row(solution.publisher, "", 0)[1]["publisherid"],
            is_managed=solution.is_managed,
            at=platform.records.now(),
        ),
    ):
        platform.rows.put(table_of, row[table_of.primary_id], row)
    platform.solutions[solution.name] = solution
    return ""


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def _conflict(solution: SolutionFile) -> str:
    """A column that stands already and cannot become what the solution says; a key whose columns nobody has."""
    for name, columns in solution.columns.items():
        for column in columns:
            standing = tables()[name].columns.get(column.name)
            if standing is not None and (
                standing.type != column.type or standing.max_length > column.max_length
            ):
                return f"The column '{column.name}' of '{name}' exists with another type or a greater length."
    for name, keys in solution.keys.items():
        known = {*tables()[name].columns, *(c.name for c in solution.columns.get(name, ()))}
        for key, named in keys.items():
            if unknown := set(named) - known:
                return f"The key '{key}' of '{name}' needs the missing column '{min(unknown)}'."
    return ""


def _row(platform: Platform, name: str) -> Mapping[str, Any] | None:
    rows = platform.rows.all(tables()["solution"])
    return next((row for row in rows if row.get("uniquename") == name), None)


SOLUTIONS: Mapping[str, Operation] = {
    "StageSolution": stage,
    "ImportSolution": import_now,
    "ImportSolutionAsync": import_later,
    "ExportSolution": export,
    "PublishAllXml": lambda _platform, _call: Response(204),
    "PublishXml": lambda _platform, _call: Response(204),
}
"""Unbound actions about solutions."""
