"""Assumptions that `verify` has no question about, each with the reason; by the constant, or by the words where it has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_BODY = "what a PUT or POST is answered"
_HOOK = "a webhook is registered first"
_LINE = "a line is written"
_ORDER = "an order is written"
_SIGN_IN = "a sign-in that fails stands in the tenant's log"
_TABLES = "tables or solutions are changed"

TAKES_A_WRITE: Final[Mapping[str, str]] = {
    "BEARER_SCOPES": "an app is added to the store",
    "LARGEST_BODY": "only a write has a body",
    "PUT of the list of webhooks, DELETE of one": _HOOK,
    "METHOD_NOT_ALLOWED_MESSAGE": "every resource can be read, so that another method is sent",
    "ALL_FAILED_STATUS": _BODY,
    "several records in one POST, each with a result": _BODY,
    "DELETED_MESSAGE": "a record is deleted",
    "fields and rows of lists that a PUT does not name stay, unknown ones are passed over": "a record is changed",
    "NULL_ON_PUT_KEEPS": "a record is changed",
    "OVERLONG_TEXT_IS_REFUSED": "a record is changed",
    "OrderAmount and OrderDiscount follow every write to their parts": _ORDER,
    "SKU, name, price and weight that an item leaves out are the product's": _ORDER,
    "UNKNOWN_PRODUCT_IS_REFUSED": _ORDER,
    "UNKNOWN_CUSTOMER_IS_REFUSED": _ORDER,
    "CANCELLED_ORDERS_RETURN_STOCK": "an order is cancelled",
    "NESTED_OPTIONS_ARE_WRITTEN": "a product is changed",
    "REQUIRED_OF_NEW": "records are added",
    "CUSTOMER_EMAIL_IS_UNIQUE": "a customer is added",
    "WEBHOOK_RETRY_AFTER": _HOOK,
    "WEBHOOK_FAILED_FROM": _HOOK,
    "WEBHOOK_TIMEOUT_S": _HOOK,
    "deliveries under way go where the webhook pointed when they were queued": _HOOK,
    "PROBE_ONCE": _HOOK,
    "PROBE_ANSWER_IS_IGNORED": _HOOK,
    "PUT_TRIGGERS_ORDER_CHANGED": _HOOK,
    "DATE_ONLY_TAKES_INSTANTS": "a row is written",
    "EARLIEST_TIME": "a row is written",
    "a row created and deleted between two reads is reported deleted": "a row is added and deleted",
    "READ_ONLY_IS_REFUSED": "a row is written",
    "DELETE_CLEARS_LOOKUPS": "a row is deleted",
    "MISSING_BIND_STATUS": "a row is written",
    "STOPPED_BATCH_STATUS": "a batch is a POST",
    "PRIVILEGES_OF_ACTIONS": "actions are called without each of them",
    "BULK_DUPLICATE_CODE": "rows are written",
    "BULK_DELETE_AFTER_S": "rows are deleted",
    "KEY_STEPS_S": _TABLES,
    "METADATA_REFUSED_CODE": _TABLES,
    "DUPLICATES_FOUND_STATUS": "a row is written",
    "ASYNC_STEP_DELAY_S": "a step is registered and a row written",
    "SYNC_STEP_FAILED_STATUS": "a step is registered and a row written",
    "CONTEXT_ZONE": "a step is registered and a row written",
    "IMPORT_STEPS_S": _TABLES,
    "OLDER_SOLUTION_IS_REFUSED": _TABLES,
    "MANAGED_COLUMNS_GO_WITH_THEIR_SOLUTION": _TABLES,
    "WRONG_MEDIA_TYPE_STATUS": "only a write has a body",
    "MISSING_PRICE_LIST_ZEROES_OVERRIDES": _LINE,
    "PRODUCT_NOT_ACTIVE_CODE": _LINE,
    "UNIT_MISSING_CODE": _LINE,
    "UNIT_WRONG_CODE": _LINE,
    "LINE_WITHOUT_ORDER_CODE": _LINE,
    "ORDER_LOCKED_CODE": "an order that is locked is written to",
    "INVOICE_LOCKED_CODE": "an invoice that is locked is written to",
    "LINE_WITHOUT_INVOICE_CODE": _LINE,
    "MERGE_REFUSED_CODE": "rows are merged",
    "INVALID_STATE_CODE": _ORDER,
    "201 with the row, 204 for changes, ETag and If-Match": "rows are written",
    "FINANCE_STALE_STATUS": "a row is written",
    "FINANCE_EVENTS": "an endpoint is registered and an order confirmed",
    "FINANCE_EVENT_REPEATS_S": "an endpoint is registered and an order confirmed",
    "FINANCE_PATCH_CREATES": "a row is written",
    "which fields are mandatory, which point to other rows": "rows are written",
    "FINANCE_READ_ONLY_IS_REFUSED": "a row is written",
    "FINANCE_WHOLE_DIGITS": "a row is written",
    "FINANCE_GIVEN_AMOUNT_STANDS": _LINE,
}
"""What has to be written to see it, so that nobody sees it by looking."""
NO_QUESTION_YET: Final[Mapping[str, str]] = {
    "one bucket a store, of which refused callers take nothing": "fills the bucket that other apps need",
    "THROTTLE_STATUS": "fills the bucket that other apps need",
    "THROTTLE_HEADERS": "fills the bucket that other apps need",
    "AADSTS errors": _SIGN_IN,
    "LOGIN_INVALID_CLIENT_STATUS": _SIGN_IN,
    "LOGIN_UNKNOWN_APPLICATION_STATUS": _SIGN_IN,
    "EXECUTION_COST_S": "a model of ours, for which each server has its own answer",
    "CONCURRENT_RETRY_AFTER_S": "exceeds a limit",
    "THROTTLED_CALL_ADDS_S": "exceeds a limit",
    "depth of privileges: own and teams' rows, business unit, units below, all": "applications of several depths read rows of several owners",
    "OUT_OF_REACH_CODE": "a row is known that this application may not read",
    "FINANCE_STRANGER_STATUS": "a second application",
}
"""What reads might show, but not harmless ones of this one application; and what each would take."""
