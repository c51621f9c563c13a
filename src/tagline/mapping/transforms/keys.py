"""Keys: texts that name a row in another system."""

from __future__ import annotations

import hashlib
import string
import unicodedata
from typing import Final

from tagline.errors import RecordError

MAX_KEY: Final = 100
"""Characters of a key column of ours."""

_PLAIN: Final = frozenset(string.ascii_lowercase + string.digits)
_UPPER: Final = frozenset(string.ascii_uppercase)
_EMPTY_PART: Final = "_"
_CUT: Final = "__"


def safe_key(*parts: object) -> str:
    r"""
    A key of one or several parts that can stand in an alternate-key address: `safe_key("3dcart", 1042)` is `3dcart-1042`.

    Lower-case letters and digits stand for themselves, `~a` for `A`, `_2b` for `+` (every other character by its UTF-8 bytes),
    `-` between parts, a lone `_` for an empty part. So different parts never give the same key, not even where the remote
    compares without case, and none of `/ < > * % & : \ ? + ' #`, blank or dot occurs. Beyond 100 characters the
    key keeps its beginning and ends with the SHA-256 of the whole.

    Args:
        parts: Texts and whole numbers. Other types have no one text that names them, `None` above all.

    Raises:
        RecordError: A part is neither, or there is none (code `key-part-unfit`).

    Source: Dataverse's note on alternate keys, as in reference/dataverse-api.md 7.1.
    """
    if not parts:
        raise RecordError(
            "a key needs at least one part", code="key-part-unfit", hint="name what the key is made of"
        )
    encoded = "-".join(_encode(part, position) for position, part in enumerate(parts, 1))
    if len(encoded) <= MAX_KEY:
        return encoded
    digest = hashlib.sha256(encoded.encode()).hexdigest()
    return encoded[: MAX_KEY - len(_CUT) - len(digest)] + _CUT + digest


def _encode(part: object, position: int) -> str:
    if not isinstance(part, str | int) or isinstance(part, bool):
        raise RecordError(
            f"part {position} of a key is a {type(part).__name__}",
            code="key-part-unfit",
            hint="give a text or a whole number; a record without it goes to review",
        )
    return "".join(map(_escape, str(part))) or _EMPTY_PART


def _escape(character: str) -> str:
    if character in _PLAIN:
        return character
    if character in _UPPER:
        return f"~{character.lower()}"
    return "".join(f"_{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))


def email_key(email: str | None) -> str:
    """
    The form of an e-mail address by which a customer is recognised: trimmed, composed, in lower case; empty for none.

    The part before the `@` is lowered too: standards let a mail server tell `Kim@` from `kim@`, none in use does, and shoppers
    type either. Nothing more is taken off: `kim+shop@` may be another person's mailbox. Use it before `safe_key`, which keeps case apart.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", (email or "").strip()).lower())
