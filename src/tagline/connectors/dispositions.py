"""What an answer of a remote means for the run of a record: one table per system, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tagline.domain.exchange import ROW_CHANGED, ROW_EXISTS
from tagline.errors import Disposition, NotAuthorisedError, RecordError, TaglineError, TryAgainError

Clue = tuple[int | None, str | None]
"""HTTP status and the system's own error code in lower case; None stands for any."""


@dataclass(frozen=True)
class Meaning:
    """What one kind of answer means."""

    disposition: Disposition
    code: str = ""
    """Cause in kebab-case; empty when done."""
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """The meanings of one system's answers."""

    system: str
    """For people, for example `Dataverse`."""
    meanings: Mapping[Clue, Meaning]

    def judge(self, status: int, code: str = "") -> Meaning:
        """The meaning of an answer: as the table says, else by the class of its status."""
        found = self.named(status, code)
        if found is not None:
            return found
        if 200 <= status < 300:
            return Meaning(Disposition.DONE)
        return _FAILED if status >= 500 else _REFUSED

    def named(self, status: int, code: str = "") -> Meaning | None:
        """
        What the table says of it: by status and code, else by code, else by status; None where it says nothing.

        The code decides before the status alone, because one error travels under two statuses in two releases.
        """
        clues: tuple[Clue, ...] = ((status, code.lower()), (None, code.lower()), (status, None))
        return next((self.meanings[clue] for clue in clues if clue in self.meanings), None)


def to_error(
    meaning: Meaning,
    message: str,
    *,
    where: Mapping[str, str] | None = None,
    retry_after_s: float | None = None,
) -> TaglineError:
    """The error that tells what the answer means; raised where no outcome of a single record can be told."""
    if meaning.disposition is Disposition.RETRY:
        kind: type[TaglineError] = TryAgainError
    elif meaning.disposition is Disposition.STOP:
        kind = NotAuthorisedError
    else:
        kind = RecordError
    return kind(
        message,
        code=meaning.code,
        where=where,
        hint=meaning.hint,
        disposition=meaning.disposition,
        retry_after_s=retry_after_s,
    )


def _retry(*, code: str, hint: str = "") -> Meaning:
    return Meaning(Disposition.RETRY, code, hint)


def _dead(*, code: str, hint: str = "") -> Meaning:
    return Meaning(Disposition.DEAD_LETTER, code, hint)


def _stop(*, code: str, hint: str = "") -> Meaning:
    return Meaning(Disposition.STOP, code, hint)


_FAILED: Final = _retry(code="remote-failed", hint="look at the remote's own status page if this goes on")
_REFUSED: Final = _dead(
    code="remote-refused", hint="compare the named columns with the remote's rules, then redrive"
)

_THROTTLED: Final = _retry(
    code="remote-throttled", hint="nothing to do; it is tried again when the remote allows"
)
_AWAY: Final = _retry(
    code="remote-unavailable", hint="nothing to do unless it lasts; then ask the remote's operator"
)
_EXISTS: Final = _retry(code=ROW_EXISTS, hint="somebody created it first; it is read again")
_ABSENT: Final = _dead(
    code="row-absent", hint="check whether the row was deleted on the remote, then redrive"
)
_TOO_LARGE: Final = _dead(code="request-too-large", hint="look for an unusually long text in the record")
_NOT_IMPLEMENTED: Final = _dead(code="remote-not-implemented", hint="check the version of the remote")
_SIGNED_OUT: Final = _stop(
    code="not-signed-in", hint="check address, credentials and their expiry in the environment"
)
_NOT_PERMITTED: Final = _stop(code="not-permitted", hint="give the application the rights the flows need")
_OUT_OF_RANGE: Final = _dead(
    code="number-out-of-range", hint="correct the number in the source or its rule, then redrive"
)
_QUERY: Final = _dead(
    code="query-refused", hint="compare the model with the remote's schema: a column or table is unknown"
)
_NO_VERSIONS: Final = _dead(
    code="versions-unsupported", hint="switch optimistic concurrency on for the table"
)
_USER: Final = _stop(
    code="application-user-unusable", hint="enable the application user and give it a security role"
)

FOREIGN: Final = _retry(
    code="answer-malformed",
    hint="check that the connection's url is the API's; a proxy may answer in its place",
)
_CHANGED: Final = _retry(code=ROW_CHANGED, hint="somebody wrote in between; it is read again")
_ARGUMENT: Final = _dead(code="argument-refused", hint="compare the named columns with the remote's schema")
_PAYLOAD: Final = _dead(code="payload-refused", hint="compare the named columns with the remote's schema")

_COMMON: Final[dict[Clue, Meaning]] = {
    (400, None): _REFUSED,
    (401, None): _SIGNED_OUT,
    (403, None): _NOT_PERMITTED,
    (404, None): _ABSENT,
    (408, None): _AWAY,
    (413, None): _TOO_LARGE,
    (414, None): _TOO_LARGE,
    (429, None): _THROTTLED,
    (500, None): _FAILED,
    (501, None): _NOT_IMPLEMENTED,
    (502, None): _AWAY,
    (503, None): _AWAY,
    (504, None): _AWAY,
}

SHIFT4SHOP: Final = Table(
    "Shift4Shop",
    {
        **_COMMON,
        (415, None): _stop(
            code="media-type-refused", hint="check that the connection's url is the REST API's"
        ),
    },
)
"""Source: reference/shift4shop-api.md sections 2 and 9."""

NOTHING_THERE: Final = Meaning(Disposition.DONE, "nothing-there")


def is_foreign(status: int, kind: str, body: bytes) -> bool:
    """
    Whether something before the shop answered in its place, for example a proxy, or a web server that knows no such path.

    The shop itself answers a missing record or an empty list with JSON or with nothing, and a missing scope with 401: a
    page in HTML must neither pass for an empty list nor for a missing right.

    Args:
        kind: Content type.

    Source: reference/shift4shop-api.md section 2.
    """
    return status in (403, 404) and ("html" in kind.lower() or body.lstrip()[:1] == b"<")


def judge_page(status: int, body: bytes, offset: int) -> Meaning:
    """
    The meaning of the shop's answer to a page of a list, where two statuses say something else than to a record.

    A list without a match is a 404. A page behind the last one is a 400 whose text says so; the text is optional, so
    that without any it is believed of a page that is not the first.

    Args:
        offset: Position of the page's first row, from 1.

    Source: reference/shift4shop-api.md sections 2 and 3.
    """
    told = body.lower()
    is_behind = offset > 1 and (not told.strip() or b"offset amount exceeds" in told)
    if status == 404 or (status == 400 and is_behind):
        return NOTHING_THERE
    return SHIFT4SHOP.judge(status)


DATAVERSE: Final = Table(
    "Dataverse",
    {
        **_COMMON,
        # Whatever it refuses it refuses with a code: without one, something before it answered.
        (403, ""): FOREIGN,
        (404, ""): FOREIGN,
        (400, "0x80048d19"): _PAYLOAD,
        (None, "0x80060888"): _QUERY,
        (None, "0x8006088a"): _QUERY,
        (None, "0x80041102"): _QUERY,
        (None, "0x80041103"): _QUERY,
        (None, "0x80040217"): _ABSENT,
        (None, "0x80060891"): _ABSENT,
        (None, "0x80040237"): _EXISTS,
        (None, "0x80060892"): _EXISTS,
        (None, "0x80060882"): _CHANGED,
        (None, "0x80060883"): _NO_VERSIONS,
        (None, "0x8006088d"): _NO_VERSIONS,
        (None, "0x80040333"): _dead(
            code="duplicate-found", hint="merge or exclude the duplicate, then redrive"
        ),
        (None, "0x80044331"): _dead(code="text-too-long", hint="cut the text in its rule, then redrive"),
        (None, "0x8004432f"): _OUT_OF_RANGE,
        (None, "0x80044330"): _OUT_OF_RANGE,
        (None, "0x8004431a"): _dead(
            code="choice-unknown", hint="map the value to one of the remote's options"
        ),
        (None, "0x80040203"): _ARGUMENT,
        (400, "0x80040216"): _ARGUMENT,
        (None, "0x80040265"): _dead(
            code="plug-in-refused", hint="ask who maintains the plug-ins of this table"
        ),
        (None, "0x80044352"): _dead(code="cursor-expired", hint="read everything once"),
        # A privilege that the role lacks closes the whole table; the access check of a row may find the next one open.
        (403, "0x80040220"): _NOT_PERMITTED,
        (403, "0x80048306"): _dead(
            code="row-not-permitted", hint="share the row with the application user or widen its role"
        ),
        (403, "0x80072560"): _USER,
        (403, "0x80040225"): _USER,
        (403, "0x8004d24b"): _USER,
        (None, "0x80072321"): _THROTTLED,
        (None, "0x80072322"): _THROTTLED,
        (None, "0x80072326"): _THROTTLED,
    },
)
"""
Source: reference/dataverse-api.md sections 5, 7, 9, 12 and 13. Which of the two codes of a missing privilege is about one
row is an assumption: an error of the role names `prv…`, one of the access check a row.
"""

FINANCE: Final = Table(
    "Finance",
    {
        **_COMMON,
        (401, None): _stop(
            code="not-signed-in",
            hint="in Finance, under Microsoft Entra applications, name the client id and the user that it acts as; else check the url",
        ),
        (403, None): _stop(
            code="not-permitted",
            hint="in Finance, give the user that the application acts as a role with the data entity",
        ),
        (400, "infolog"): _dead(
            code="business-rule-refused", hint="settle what the named rule asks for in Finance, then redrive"
        ),
        (400, "exists"): _EXISTS,
        (400, ""): _PAYLOAD,
        (404, "resource"): _QUERY,
        (409, None): _CHANGED,
        (412, None): _CHANGED,
    },
)
"""
By status and `finance_clue`, since its bodies carry an empty code.

Which of 409 and 412 a stale version gets is not documented. Source: reference/dataverse-api.md section 17.
"""


def finance_clue(message: str, inner: str = "") -> str:
    """
    What tells apart the refusals of Finance that share a status; empty where the status says it all.

    Business rules speak after `Infolog:`; one that finds the key taken lets the row be read again. A missing table is a
    missing resource, as a missing row is not. The words are assumptions, here and nowhere else.

    Args:
        message: `error.message`.
        inner: `error.innererror.message`.
    """
    if "infolog:" in inner.lower():
        return "exists" if "already exists" in inner.lower() else "infolog"
    return "resource" if "no http resource" in message.lower() else ""
