"""What nobody is sure of, as switches of the token endpoint; each stands as `assumptions.py` has it until a test turns it."""

from __future__ import annotations

from dataclasses import dataclass

from tagline.sandbox import assumptions


@dataclass(frozen=True)
class LoginQuirks:
    """Fields are the constants of `assumptions.py` that begin with `LOGIN_`, in lower case and without that."""

    token_version: int = assumptions.LOGIN_TOKEN_VERSION
    """1 or 2."""
    invalid_client_status: int = assumptions.LOGIN_INVALID_CLIENT_STATUS
    unknown_application_status: int = assumptions.LOGIN_UNKNOWN_APPLICATION_STATUS
