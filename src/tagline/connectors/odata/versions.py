"""Versions of rows, as answers tell them and conditions send them back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"')


def etag_of(row: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> str | None:
    """
    The version of a row, from its body or else the headers of its answer; None where neither tells one.

    It goes into a header of ours, so that only what is an ETag by RFC 9110, section 8.8.3, is taken for one.
    """
    candidates = (row.get("@odata.etag"), (headers or {}).get("etag"))
    return next((c for c in candidates if isinstance(c, str) and _ETAG.fullmatch(c)), None)
