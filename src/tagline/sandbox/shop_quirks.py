"""What nobody is sure of, as switches of one shop; each stands as `assumptions.py` has it until a test turns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tagline.sandbox import assumptions


@dataclass(frozen=True)
class ShopQuirks:
    """Fields are the constants of `assumptions.py` in lower case, which say what each means."""

    unauthorised_body: Mapping[str, Any] | None = field(default_factory=lambda: assumptions.UNAUTHORISED_BODY)
    """None sends an empty body."""
    error_bodies: bool = assumptions.ERROR_BODIES
    largest_body: int = assumptions.LARGEST_BODY
    limit_above_cap_is_clamped: bool = assumptions.LIMIT_ABOVE_CAP_IS_CLAMPED
    offset_zero_is_one: bool = assumptions.OFFSET_ZERO_IS_ONE
    lastupdate_end_is_midnight: bool = assumptions.LASTUPDATE_END_IS_MIDNIGHT
    """False takes that day in, whole."""
    throttle_status: int = assumptions.THROTTLE_STATUS
    throttle_headers: tuple[tuple[str, str], ...] = assumptions.THROTTLE_HEADERS
    all_failed_status: int = assumptions.ALL_FAILED_STATUS
    null_on_put_keeps: bool = assumptions.NULL_ON_PUT_KEEPS
    """False makes a null blank the field."""
    overlong_text_is_refused: bool = assumptions.OVERLONG_TEXT_IS_REFUSED
    """False cuts it."""
    webhook_retry_after: tuple[timedelta, ...] = assumptions.WEBHOOK_RETRY_AFTER
    webhook_events: Mapping[int, str] = field(default_factory=lambda: assumptions.WEBHOOK_EVENTS)
    webhook_failed_from: int = assumptions.WEBHOOK_FAILED_FROM
    put_triggers_order_changed: bool = assumptions.PUT_TRIGGERS_ORDER_CHANGED
    probe_once: bool = assumptions.PROBE_ONCE
    probe_answer_is_ignored: bool = assumptions.PROBE_ANSWER_IS_IGNORED
    name_filters_contain: bool = assumptions.NAME_FILTERS_CONTAIN
    unknown_customer_is_refused: bool = assumptions.UNKNOWN_CUSTOMER_IS_REFUSED
    unknown_product_is_refused: bool = assumptions.UNKNOWN_PRODUCT_IS_REFUSED
    customer_email_is_unique: bool = assumptions.CUSTOMER_EMAIL_IS_UNIQUE
    nested_options_are_written: bool = assumptions.NESTED_OPTIONS_ARE_WRITTEN
    cancelled_orders_return_stock: bool = assumptions.CANCELLED_ORDERS_RETURN_STOCK
    refund_type: str = assumptions.REFUND_TYPE
    refund_is_negative: bool = assumptions.REFUND_IS_NEGATIVE
