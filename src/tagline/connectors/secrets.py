"""Secrets by reference: where one stands is configuration, what it is never leaves the connector."""

from __future__ import annotations

import os
from pathlib import Path

from tagline.errors import UsageError


def resolve_secret(reference: str) -> str:
    """
    The secret that `env:NAME` or `file:path` refers to, without surrounding white space.

    Raises:
        UsageError: Nothing stands there, or the reference is of no known kind (code `secret-missing`).
    """
    kind, _, place = reference.partition(":")
    if kind == "env":
        found = os.environ.get(place, "")
        hint = f"set the environment variable {place}; for the local sandbox, tagline sandbox prints the export lines"
    elif kind == "file":
        try:
            found = Path(place).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
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
