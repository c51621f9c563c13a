"""
What no line, message or metric may hold, and how it is taken out: one function through which everything told passes.

Secrets that the process knows go by value, in each form in which they stand in texts; the rest goes by its look: card
numbers (Luhn), bearer tokens, what is called a password, e-mail addresses.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"
SHORTEST: Final = 6
"""Characters of a secret that is looked for by value; a shorter one would take ordinary words away."""

_TOKEN: Final = re.compile(r"\b(bearer|basic)(\s+|%20|\+)[\w.~+/=%-]{6,}", re.IGNORECASE)
_JWT: Final = re.compile(r"\beyJ[\w-]{6,}(?:\.[\w-]*){0,4}")
_NAMED: Final = re.compile(
    r"""(?P<name>[\w-]*(?:password|passwd|secret|token|api[_-]?key|private[_-]?key|authorization|cvv2?|card_?number|signature)[\w-]*)
    (?P<is>\\?["']?\s*(?:=|:|%3D|%3A)\s*)
    (?P<value>\\?"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,;&"'{}()\[\]]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_USER_IN_URL: Final = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE)
_AT: Final = r"(?:@|%40|&\#64;|&commat;|\\u0040|\\x40|=40)"
_MAIL: Final = re.compile(rf"[\w.!#$%&'*+/=?^`{{|}}~-]+{_AT}[\w-]+(?:(?:\.|%2E)[\w-]+)+", re.IGNORECASE)
_CARD: Final = re.compile(
    r"(?<!\d)[2-6](?:(?:[ .\-+]|%20|%2D|&nbsp;|\\u00a0|\u00a0)?\d){12,18}(?!\d)", re.IGNORECASE
)
_CODED: Final = re.compile(r"%(?:2[0Dd])|\\u00a0|&nbsp;", re.IGNORECASE)


class Redactor:
    """
    Takes out of a text what may not be told.

    Args:
        secrets: Values that the process knows.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        # The longest first: what is left of a secret that holds another one would still be told.
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        if self._known:
            text = self._known.sub(MASK, text)
        text = _TOKEN.sub(rf"\1 {MASK}", text)
        text = _JWT.sub(MASK, text)
        text = _USER_IN_URL.sub(rf"\1{MASK}@", text)
        text = _NAMED.sub(rf"\g<name>\g<is>{MASK}", text)
        text = _CARD.sub(lambda found: MASK if is_card_number(_CODED.sub(" ", found[0])) else found[0], text)
        return _MAIL.sub(MASK, text)


def is_card_number(text: str) -> bool:
    """Whether the digits of a text pass Luhn's check as those of a payment card do. Source: ISO/IEC 7812-1, annex B."""
    digits = [int(each) for each in text if each.isdecimal()]
    if not 13 <= len(digits) <= 19:
        return False
    doubled = [2 * each - 9 * (each > 4) for each in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _forms(secret: str) -> Iterator[str]:
    """A secret as it stands in texts: plain, quoted for addresses, JSON and pages, in hexadecimal, inside Base64."""
    raw = secret.encode()
    yield secret
    for coded in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield coded
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), coded)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield repr(raw)[2:-1]
    yield html.escape(secret)
    yield raw.hex()
    yield raw.hex().upper()
    # Inside a longer text, such as `user:secret` of basic authentication, its bytes may begin at any of three places.
    for ahead in range(3):
        coded = base64.b64encode(b"\0" * ahead + raw).decode().rstrip("=")
        cut = (0, 2, 3)[ahead]
        core = coded[cut : len(coded) - (1 if (ahead + len(raw)) % 3 else 0)]
        if len(core) >= SHORTEST:
            yield core
            yield core.replace("+", "-").replace("/", "_")
