"""Secrets by reference: where one stands is configuration, what it is never leaves the connector."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from tagline.errors import UsageError

_SANDBOX: Final = re.compile(
    r"TAGLINE_[A-Z0-9_]+_(SHOP_(PRIVATE_KEY|TOKEN|WEBHOOK_TOKEN)|CRM_(CLIENT|DEPLOY)_SECRET|FINANCE_CLIENT_SECRET|STATE_KEY)"
)
"""Variables that `tagline sandbox` prints."""


def all_missing(references: Iterable[str], secrets: Callable[[str], str]) -> UsageError | None:
    """One error for everything that is missing among some references; None where nothing is."""
    absent = [(each, e) for each in dict.fromkeys(references) if (e := absence_of(each, secrets))]
    if len(absent) < 2:
        return absent[0][1] if absent else None
    return UsageError(
        f"there are no secrets at {', '.join(reference for reference, _ in absent)}",
        code="secret-missing",
        hint="; ".join(dict.fromkeys(error.hint for _, error in absent)),
    )


def absence_of(reference: str, secrets: Callable[[str], str]) -> UsageError | None:
    """What says that there is no secret at a reference on this machine; None where there is one."""
    try:
        secrets(reference)
    except UsageError as error:
        if error.code != "secret-missing":
            raise
        return error
    return None


def for_header(reference: str, secrets: Callable[[str], str]) -> str:
    """
    A secret that travels as a header.

    Raises:
        UsageError: It is missing, or holds a line break, a space or a letter beyond ASCII (code `secret-unusable`).
    """
    value = secrets(reference)
    if not re.fullmatch("[!-~]+", value):
        raise UsageError(
            f"the secret at {reference} holds something that cannot be sent",
            code="secret-unusable",
            where={"secret": reference},
            hint="store the key alone, on one line, without quotes or a comment",
        )
    return value


def resolve_secret(reference: str) -> str:
    """
    The secret that `env:NAME` or `file:path` refers to, without surrounding white space.

    Raises:
        UsageError: Nothing stands there, or the reference is of no known kind (code `secret-missing`).
    """
    kind, _, place = reference.partition(":")
    if kind == "env":
        found = os.environ.get(place, "")
        hint = f"set the environment variable {place}"
        if _SANDBOX.fullmatch(place):
            hint += "; for the local sandbox, tagline sandbox prints the export lines"
    elif kind == "file":
        try:
            found = Path(place).read_text(encoding="utf-8")
        except (OSError, ValueError):
            found = ""
        hint = f"put the secret into the file {place}"
    else:
        # Not even its start is shown: somebody may have pasted the secret itself.
        raise UsageError(
            "a secret reference starts with neither env: nor file:",
            code="secret-missing",
            hint="write env:NAME or file:path; the secret itself never stands in a configuration",
        )
    if not found.strip():
        raise UsageError(
            f"there is no secret at {reference}",
            code="secret-missing",
            where={"secret": reference},
            hint=hint,
        )
    return found.strip()
