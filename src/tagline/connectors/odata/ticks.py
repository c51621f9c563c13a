"""Times as older JSON of Microsoft's writes them: milliseconds since 1970 in a text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_DATE: Final = re.compile(r"/Date\((-?\d{1,15})([+-])?(\d{2})?(\d{2})?\)/")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def instant_of_ticks(text: str) -> datetime | None:
    """An instant out of `/Date(ms)/` or `/Date(ms±hhmm)/`, whose milliseconds are behind the truth by the offset."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    offset = timedelta(hours=int(match[3] or 0), minutes=int(match[4] or 0))
    try:
        told = _EPOCH + timedelta(milliseconds=int(match[1]))
        return told - offset if match[2] == "-" else told + offset
    except OverflowError:
        return None
