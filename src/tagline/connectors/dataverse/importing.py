"""Bringing a solution into an organisation: staged, imported in the background, and waited for.

Needs the rights of whoever sets an organisation up. Source: reference/dataverse-api.md section 19.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from tagline.connectors.dataverse.session import Session
from tagline.connectors.dataverse.wire import ROOT, is_guid
from tagline.errors import Disposition, RefusedError, TryAgainError

POLL_S: Final = 5.0
WAIT_S: Final = 1800.0
"""A small solution takes a minute or two; an organisation that is busy with another import lets it wait."""
COMPLETED: Final = 3
SUCCEEDED: Final = 30


@dataclass(frozen=True)
class Installed:
    """A solution that stands in an organisation."""

    name: str
    version: str
    is_managed: bool


def installed(session: Session, name: str) -> Installed | None:
    """The solution of that unique name, None where it is not installed."""
    query = quote(f"uniquename eq '{name}'")
    target = f"{ROOT}/solutions?$select=uniquename,version,ismanaged&$filter={query}"
    for row in session.rows(target, "reading solutions"):
        return Installed(name, str(row.get("version", "")), row.get("ismanaged") is True)
    return None


def numbers(version: str) -> tuple[int, ...]:
    """A version as numbers that compare as versions do."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def import_solution(session: Session, archive: bytes, told: Callable[[str], None]) -> None:
    """
    Import a solution over whatever version stands there; returns once the organisation has finished.

    Importing the same again changes nothing.

    Args:
        archive: The zip.
        told: Is given a sentence at each step.

    Raises:
        RefusedError: The organisation found fault with it (code `solution-refused`).
        TryAgainError: It has not finished after half an hour (code `solution-unfinished`).
    """
    text = base64.b64encode(archive).decode()
    staged = _act(session, "StageSolution", {"CustomizationFile": text}, "StageSolutionResults")
    if staged.get("StageSolutionStatus") not in ("Passed", 0):
        raise _refused(session, "staging", _texts(staged.get("SolutionValidationResults")))
    missing = staged.get("MissingDependencies") or []
    if missing:
        raise _refused(session, "staging", f"{len(missing)} things that it depends on are missing")
    told("staged")
    upload = staged.get("StageSolutionUploadId")
    started = _act(
        session,
        "ImportSolutionAsync",
        {
            "PublishWorkflows": True,
            "OverwriteUnmanagedCustomizations": False,
            "ComponentParameters": [],
            "SolutionParameters": {"StageSolutionUploadId": upload},
        },
    )
    job, operation = started.get("ImportJobKey"), started.get("AsyncOperationId")
    if (
        not isinstance(job, str)
        or not isinstance(operation, str)
        or not (is_guid(job) and is_guid(operation))
    ):
        session.malformed("importing a solution: it names no job")
    told("importing")
    ended = _wait(session, operation)
    result = session.get(
        f"{ROOT}/RetrieveSolutionImportResult(ImportJobId={job})", "reading the result of an import"
    )
    operated = result.get("SolutionOperationResult")
    operated = operated if isinstance(operated, Mapping) else result
    if ended != SUCCEEDED or operated.get("Status") not in ("Passed", "Success", 0, None):
        raise _refused(session, "importing", _texts(operated.get("ErrorMessages")))


def _wait(session: Session, operation: str) -> int:
    """The status code that the background operation ended with."""
    waited = 0.0
    while True:
        row = session.get(
            f"{ROOT}/asyncoperations({operation})?$select=statecode,statuscode", "waiting for an import"
        )
        if row.get("statecode") == COMPLETED:
            status = row.get("statuscode")
            return status if isinstance(status, int) else 0
        if waited >= WAIT_S:
            raise TryAgainError(
                f"the import has not finished after {WAIT_S / 60:.0f} minutes",
                code="solution-unfinished",
                where={"connection": session.name, "operation": operation},
                hint="look at the solution's history in the organisation; call again when it has ended",
                disposition=Disposition.RETRY,
            )
        session.clock.sleep(POLL_S)
        waited += POLL_S


def _act(session: Session, action: str, parameters: Mapping[str, Any], within: str = "") -> Mapping[str, Any]:
    doing = f"calling {action}"
    answer = session.send("POST", f"{ROOT}/{action}", body=parameters)
    session.judge(answer, doing)
    told = session.object_of(answer.json({"connection": session.name}), doing)
    return session.object_of(told[within], doing) if within in told else told


def _texts(value: Any) -> str:
    """What validation or import messages say: they are about tables and columns, never about rows."""
    items = value if isinstance(value, list) else []
    told = [str(i.get("Message", "")) if isinstance(i, Mapping) else str(i) for i in items]
    return "; ".join(text[:300] for text in told[:5] if text) or "the organisation gives no reason"


def _refused(session: Session, step: str, reason: str) -> RefusedError:
    return RefusedError(
        f"the organisation refused the solution at {step}: {reason}",
        code="solution-refused",
        where={"connection": session.name, "step": step},
        hint="mend what it names, or remove what was changed there by hand; then import again",
    )
