"""What has been shown about closures: in-toto statements on the branch `evidence`, appended and never rewritten."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from pydantic import ValidationError

from tagline.alm import closure as closures
from tagline.alm.git import Repository
from tagline.domain.lifecycle import Evidence
from tagline.errors import UsageError

BRANCH: Final = "evidence"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"


def append(repo: Repository, evidence: Evidence) -> str:
    """
    Add a statement; the latest of a kind stands in the tree, the earlier ones in the history.

    Returns:
        The commit that holds it.

    Raises:
        TryAgainError: The remote is away, or others append all the time (code `branch-moved`).
    """
    message = (
        f"{evidence.kind} {evidence.verdict.value} for {closures.short(evidence.closure)}\n\n"
        f"Evidence-Kind: {evidence.kind}\nClosure: {evidence.closure}\nVerdict: {evidence.verdict.value}\n"
    )
    return repo.add(
        BRANCH,
        {_path(evidence.closure, evidence.kind): to_statement(evidence)},
        message=message,
        by=evidence.by,
        at=evidence.at,
    )


def latest(repo: Repository, closure: str, kind: str) -> Evidence | None:
    """The last statement of a kind about a closure, as of the last `refresh`; raises as `from_statement` does."""
    head = repo.head(BRANCH)
    content = repo.read(head, _path(closure, kind)) if head else None
    return None if content is None else from_statement(content, _path(closure, kind))


def to_statement(evidence: Evidence) -> bytes:
    """The in-toto form: the closure is the subject, everything else the predicate."""
    value = {
        "_type": _STATEMENT,
        "subject": [
            {"name": "closure", "digest": {"sha256": evidence.closure.removeprefix("sha256:")}},
        ],
        "predicateType": f"urn:tagline:evidence:{evidence.kind}:v1",
        "predicate": evidence.model_dump(mode="json", exclude={"closure", "kind"}),
    }
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def from_statement(content: bytes, path: str) -> Evidence:
    """
    Read a statement back.

    Raises:
        UsageError: It is none of ours (code `evidence-unreadable`).
    """
    try:
        value: dict[str, Any] = json.loads(content)
        (subject,) = value["subject"]
        kind = re.fullmatch(r"urn:tagline:evidence:([a-z-]+):v1", value["predicateType"])
        assert kind is not None
        return Evidence(closure=f"sha256:{subject['digest']['sha256']}", kind=kind[1], **value["predicate"])
    except (ValueError, LookupError, TypeError, AssertionError, ValidationError) as error:
        raise UsageError(
            f"{path} on branch {BRANCH} is no statement that this version of tagline knows",
            code="evidence-unreadable",
            where={"branch": BRANCH, "path": path},
            hint="earn it again with tagline check",
        ) from error


def _path(closure: str, kind: str) -> str:
    return f"{closures.file_name(closure)}/{kind}.json"
