"""What never reaches a disk: card data, payment tokens and password hashes, removed by the name of their field."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import NoneType
from typing import Any, Final

SECRET_FIELDS: Final = frozenset(
    {
        "cardnumber",
        "cardverification",
        "cardname",
        "cardexpirationmonth",
        "cardexpirationyear",
        "cardissuenumber",
        "cardstartmonth",
        "cardstartyear",
        "cardaddress",
        "paymenttoken",
        "paymenttokenid",
        "password",
        "transactioncvv2",
        "offlinepaymentfieldlist",
    }
)
"""Field names of the shop in lower case. Source: reference/shift4shop-api.md 5.1, 5.4, 7, as read on 2026-11-25."""

_PLAIN: Final = frozenset({str, int, float, bool, Decimal, NoneType})
"""Types of values that hold no others."""


def scrub(value: Any) -> Any:
    """The same JSON value without any field of `SECRET_FIELDS`, at every depth; the input is left as it is."""
    if isinstance(value, Mapping):
        # Most values hold nothing, and a call for each would be most of the work.
        return {
            k: v if type(v) in _PLAIN else scrub(v)
            for k, v in value.items()
            if str(k).lower() not in SECRET_FIELDS
        }
    if isinstance(value, list | tuple):
        return [scrub(v) for v in value]
    return value
