"""
Behaviour that nobody has documented or recorded: one named constant each, so that a live tenant can correct it in one place.

Where two answers are possible, the one that is harder for a client stands here. `conformance.py` lists them with the rest.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_UP
from typing import Final

# The shop; sections of the notes on the 3dcart REST API.

UNAUTHORISED_BODY: Final = {"Message": "Authorization has been denied for this request."}
"""401 carries the ASP.NET default body (section 2)."""
LIMIT_ABOVE_CAP_IS_CLAMPED: Final = True
"""A `limit` above the cap counts as the cap (section 3)."""
OFFSET_ZERO_IS_ONE: Final = True
"""`offset=0` behaves like 1 (section 3)."""
THROTTLE_STATUS: Final = 429
"""The leaky bucket answers 429 and no Retry-After (section 9)."""
ALL_FAILED_STATUS: Final = 400
"""A bulk PUT of which every item failed; 206 is documented for some (section 2)."""
NULL_ON_PUT_KEEPS: Final = True
"""A null in a PUT leaves the field as it is (section 4)."""
OVERLONG_TEXT_IS_REFUSED: Final = True
"""Text longer than the documented length gives that item status 400 (section 5)."""
WEBHOOK_RETRY_AFTER: Final = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 3600))
"""Spacing of repeated deliveries after a 5xx or no answer, then the shop gives up (section 8)."""
PUT_TRIGGERS_ORDER_CHANGED: Final = True
"""A REST PUT raises the webhook event 2, so that one's own writes come back (section 8)."""
PROBE_ANSWER_IS_IGNORED: Final = True
"""Whatever the GET probe of a webhook URL gets, the POST follows (section 8)."""

# Dataverse; sections of the notes on the Web API.

ROUNDING: Final = ROUND_HALF_UP
"""Ties of the price calculation go away from zero (15.3, open question 5)."""
READ_ONLY_IS_REFUSED: Final = True
"""A column that cannot be created or updated is refused with 0x80048d19; silence is documented for some (section 7)."""
MISSING_PRICE_LIST_ZEROES_OVERRIDES: Final = True
"""Without a price list an overridden price of an existing product is zero too (15.2)."""
ORDER_LOCKED_CODE: Final = "0x80043b2f"
"""Writing to an order or its lines from state Submitted on, without leaving that state (15.4, open question 6)."""
INVALID_STATE_CODE: Final = "0x80048408"
"""A statuscode that does not belong to the statecode, or a transition that is not allowed (15.4)."""
PRODUCT_NOT_ACTIVE_CODE: Final = "0x80081f1d"
"""A line names a product that is not Active (15.2)."""
UNIT_MISSING_CODE: Final = "0x80043810"
"""A line names an existing product and no unit (15.2)."""
UNIT_WRONG_CODE: Final = "0x80043b18"
"""A line's unit is not of the product's unit group (15.2)."""
LINE_WITHOUT_ORDER_CODE: Final = "0x80043b12"
"""A line is created without its order (15.2)."""
UNAUTHORISED_CHALLENGE: Final = "Bearer authorization_uri={authority}, resource_id={resource}"
"""401 of the Web API: this header and a body that is not OData-shaped (2.1)."""
UNSAFE_KEY_CHARACTERS: Final = frozenset("/<>*%&:\\?+")
"""Alternate-key values holding one of them cannot be addressed; the answer is 400 0x80060888 (7.1)."""
STOPPED_BATCH_STATUS: Final = 400
"""A batch without continue-on-error that met a failure; executed parts are repeated before it (open question 11)."""
DATE_ONLY_TAKES_INSTANTS: Final = True
"""An instant written to a date-only column is cut to its UTC date (section 4)."""
DELETE_CLEARS_LOOKUPS: Final = True
"""Deleting a row clears lookups that point to it; lines go with their order (section 7)."""
MISSING_BIND_STATUS: Final = 404
"""A bind to a missing row: 404 0x80040217 naming the target (7.2)."""
