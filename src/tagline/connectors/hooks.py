"""
Addresses that remotes post webhooks to: `<public url>/hooks/<integration>/<connection>/<event>/<token>`, or with the
token's name in its place where the remote can be told to send the token in a header.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final

from tagline.errors import UsageError

TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]{16,}")
"""A webhook token; a shorter one could be guessed, and it is all that stands before the inbox."""
MAX_TOKENS: Final = 2
"""Lines of a token's secret: the one that is registered, and the one before it while its webhooks are still about."""

TOKEN_HEADER: Final = "x-tagline-token"  # noqa: S105 - a name
"""Carries the token where a sender can be told to set a header; it then stands in no address, and so in no log of one."""


def hooks_of(public_url: str, integration: str, connection: str) -> str:
    """The address beneath which the webhooks of an integration's connection stand; holds no secret."""
    return f"{public_url.rstrip('/')}/hooks/{integration}/{connection}"


def address_of(hooks: str, event: str, token: str) -> str:
    """Where an event is posted to."""
    return f"{hooks.rstrip('/')}/{event}/{token}"


def name_of(token: str) -> str:
    """A token's name: what stands in an address in the token's place where the token itself travels in the header."""
    return f"token-{hashlib.sha256(f'tagline webhook token {token}'.encode()).hexdigest()[:16]}"


def webhook_tokens(name: str, reference: str, secrets: Callable[[str], str]) -> tuple[str, ...]:
    """
    The tokens that open the webhooks of a connection, the newest first: one, or two while one takes the other's place.

    Raises:
        UsageError: There is none, one could be guessed or would not pass through a URL as it is (code `webhook-token-weak`),
            or there are more than two (code `webhook-tokens-many`).
    """
    lines = [line.strip() for line in secrets(reference).splitlines()]
    tokens = tuple(dict.fromkeys(line for line in lines if line)) or ("",)
    if len(tokens) > MAX_TOKENS:
        raise UsageError(
            f"the webhook token of connection {name!r} ({reference}) holds {len(tokens)} lines",
            code="webhook-tokens-many",
            where={"connection": name},
            hint="keep the newest token on the first line, the one before it on the second, and none below",
        )
    for number, token in enumerate(tokens, 1):
        if not TOKEN.fullmatch(token):
            which = f"line {number} of " if len(tokens) > 1 else ""
            raise UsageError(
                f"{which}the webhook token of connection {name!r} ({reference}) is short or holds what a URL would change",
                code="webhook-token-weak",
                where={"connection": name},
                hint="use 16 or more letters and digits, for example from `openssl rand -hex 24`",
            )
    return tokens


def webhook_token(name: str, reference: str, secrets: Callable[[str], str]) -> str:
    """The token that new webhooks are registered with, the newest; raises as `webhook_tokens` does."""
    return webhook_tokens(name, reference, secrets)[0]
