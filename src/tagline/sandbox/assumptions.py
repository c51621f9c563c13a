"""
Behaviour that nobody has documented or recorded: one named constant each, so that a live tenant can correct it in one place.

Where two answers are possible, the one that is harder for a client stands here. `conformance.py` lists them with the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import ROUND_HALF_UP
from typing import Final

# The shop; sections of the notes on the 3dcart REST API.

UNAUTHORISED_BODY: Final = {"Message": "Authorization has been denied for this request."}
"""401 carries the ASP.NET default body (section 2)."""
ERROR_VALUE: Final = ""
"""Value of an error's one element, whose Status is the answer's (section 2)."""
ERROR_BODIES: Final = True
"""400 and 404 say why; by the vendor's pages they are empty (section 2)."""
LARGEST_BODY: Final = 30_000_000
"""Bytes of a request's body, 413 above; what IIS takes where nobody told it otherwise (section 2)."""
LIMIT_ABOVE_CAP_IS_CLAMPED: Final = True
"""A `limit` above the cap counts as the cap (section 3)."""
OFFSET_ZERO_IS_ONE: Final = True
"""`offset=0` behaves like 1 (section 3)."""
LASTUPDATE_END_IS_MIDNIGHT: Final = True
"""`lastupdateend` of orders ends as its day begins, so that day's changes are not in it (section 3)."""
THROTTLE_STATUS: Final = 429
"""The leaky bucket answers 429 (section 9)."""
THROTTLE_HEADERS: Final[tuple[tuple[str, str], ...]] = ()
"""And says nothing of when to come back: no Retry-After (section 9)."""
ALL_FAILED_STATUS: Final = 400
"""A bulk PUT of which every item failed; 206 is documented for some (section 2)."""
DELETED_MESSAGE: Final = "deleted successfully"
"""Message of a DELETE that went well (section 2)."""
NULL_ON_PUT_KEEPS: Final = True
"""A null in a PUT leaves the field as it is (section 4)."""
OVERLONG_TEXT_IS_REFUSED: Final = True
"""Text longer than the documented length gives that item status 400 (section 5)."""
WEBHOOK_RETRY_AFTER: Final = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 3600))
"""Spacing of repeated deliveries after a 5xx or no answer, then the shop gives up (section 8)."""
PUT_TRIGGERS_ORDER_CHANGED: Final = True
"""A REST PUT raises the webhook event 2, so that one's own writes come back (section 8)."""
WEBHOOK_FAILED_FROM: Final = 500
"""Answers below this status count as delivered; seen was only a repeat after 500 (section 8)."""
WEBHOOK_TIMEOUT_S: Final = 10.0
"""Seconds that a receiver has for its answer (section 8)."""
PROBE_ONCE: Final = True
"""The GET probe comes before the first POST of a registration alone (section 8)."""
PROBE_ANSWER_IS_IGNORED: Final = True
"""Whatever the GET probe of a webhook URL gets, the POST follows (section 8)."""
WEBHOOK_EVENTS: Final = {
    1: "Order New",
    2: "Order Status Change",
    3: "Customer New",
    4: "Customer Update",
    5: "Product New",
    6: "Product Update",
    7: "Inventory Change",
}
"""Only the ids 1 and 2 are known; those of customers, products and stock are ours (section 8)."""
BEARER_SCOPES: Final = "{resource}:{access}"
"""How an app's permission is called, with the access `read` or `write`; only that there are such permissions is known (section 1)."""
METHOD_NOT_ALLOWED_MESSAGE: Final = "The requested resource does not support http method '{method}'."
"""405 carries the ASP.NET default body (section 2)."""
XML_NAMES: Final = "ArrayOf{name}"
"""XML has the element of .NET around a list, no namespace, and the property order of JSON (section 1)."""
NAME_FILTERS_CONTAIN: Final = True
"""`name`, `company`, `manufacturer` and `category` find what holds the text; sku, mail and the rest must be equal (section 3)."""
UNKNOWN_CUSTOMER_IS_REFUSED: Final = True
"""POST of an order for a customer that does not exist is refused; 0 is a guest (section 5)."""
UNKNOWN_PRODUCT_IS_REFUSED: Final = True
"""POST of an item of a product that does not exist is refused (section 5)."""
REQUIRED_OF_NEW: Final = {
    "products": ("SKU", "Name"),
    "customers": ("Email",),
    "customergroups": ("Name",),
    "categories": ("CategoryName",),
    "manufacturers": ("ManufacturerName",),
    "distributors": ("CompanyName",),
}
"""Fields without which a record is not created (sections 6 and 7)."""
STATUS_12: Final = "Recurring Orders"
"""Definition of order status 12; Review by another source, which is 13 here (5.6)."""
CUSTOMER_EMAIL_IS_UNIQUE: Final = True
"""A second customer with the same mail address is refused (section 7)."""
NESTED_OPTIONS_ARE_WRITTEN: Final = False
"""An AdvancedOptionList inside the PUT of a product is passed over, the safe reading of a bug told of in 2016 (section 6)."""
CANCELLED_ORDERS_RETURN_STOCK: Final = True
"""Status 5 puts the goods back, leaving 5 takes them again; the second half is ours (5.6)."""
REFUND_TYPE: Final = "Credit"
"""TransactionType of money given back; only Sale and CBA were ever seen (5.4)."""
REFUND_IS_NEGATIVE: Final = True
"""Money given back has a negative TransactionAmount (5.4)."""

# The token endpoint; sections of the notes on the Web API.

LOGIN_TOKEN_VERSION: Final = 1
"""Version of a token's claims: 1 names its application `appid`, 2 `azp`, each with an issuer of its own (2.1)."""
LOGIN_INVALID_CLIENT_STATUS: Final = 401
"""HTTP status of invalid_client: a secret or an assertion that is not good (2.4)."""
LOGIN_UNKNOWN_APPLICATION_STATUS: Final = 400
"""HTTP status of AADSTS700016: the tenant has no such application (2.4)."""

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
INVOICE_LOCKED_CODE: Final = "0x80043b30"
"""Writing to an invoice that is not active, or to its lines, without leaving its state (15.4, open question 6)."""
LINE_WITHOUT_INVOICE_CODE: Final = "0x80043b13"
"""A line is created without its invoice (15.2)."""
CONVERTED_ORDER_IS_INVOICED: Final = True
"""ConvertSalesOrderToInvoice puts the order into state 4 at once; documented is only that it comes later (15.4)."""
CONVERTED_INVOICE_IS_PRICE_LOCKED: Final = True
"""An invoice made of an order keeps the order's prices, whatever the price list says (15.4)."""
UNAUTHORISED_CHALLENGE: Final = "Bearer authorization_uri={authority}, resource_id={resource}"
"""401 of the Web API: this header and a body that is not OData-shaped (2.1)."""
UNSAFE_KEY_CHARACTERS: Final = frozenset("/<>*%&:\\?+")
"""Alternate-key values holding one of them cannot be addressed; the answer is 400 0x80060888 (7.1)."""
STOPPED_BATCH_STATUS: Final = 400
"""A batch without continue-on-error that met a failure; executed parts are repeated before it (open question 11)."""
DATE_ONLY_TAKES_INSTANTS: Final = True
"""An instant written to a date-only column is cut to its UTC date (section 4)."""
EARLIEST_TIME: Final = "1753-01-01"
"""A time or day before it is refused with 400 0x80040203 (general knowledge; section 4 does not tell)."""
DELETE_CLEARS_LOOKUPS: Final = True
"""Deleting a row clears lookups that point to it; lines go with their order (section 7)."""
MISSING_BIND_STATUS: Final = 404
"""A bind to a missing row: 404 0x80040217 naming the target (7.2)."""
WEEK_STARTS_ON: Final = 6
"""Weeks of query functions begin on this weekday, Monday being 0 (section 5)."""
DELTA_EXPIRED_STATUS: Final = 410
"""HTTP status with 0x80044352, an expired delta token (section 8, open question 1)."""
UNTRACKED_CODE: Final = "0x80060888"
"""`odata.track-changes` on a table that does not track changes (section 8)."""
UNTRACKED_TABLES: Final = frozenset({"orderclose"})
"""Tables whose ChangeTrackingEnabled is false (section 8)."""
COUNT_HAS_BOM: Final = True
"""A byte order mark stands before the digits of `/$count` (section 5)."""
COLLECTION_NAME: Final = "{target}_{child}_{lookup}"
"""Navigation property of a one-to-many relationship whose name nobody published (7.2)."""
FETCH_LINKED_NAME: Final = "{alias}.{column}"
"""How FetchXML answers call a column of a linked table (section 5)."""
EXECUTION_COST_S: Final = {"request": 0.02, "read": 0.005, "create": 0.05, "update": 0.05, "delete": 0.05}
"""Execution time in seconds of a request, and of each row it reads or writes; no figures are published (section 12)."""
METADATA_IS_FREE: Final = True
"""Reading metadata counts for none of the limits (section 12)."""
CONCURRENT_RETRY_AFTER_S: Final = 2.0
"""Retry-After of the limit on concurrent requests (section 12)."""
THROTTLED_CALL_ADDS_S: Final = 1.0
"""By how much each call before the told time makes Retry-After longer (section 12)."""
DOP_HINT: Final = 4
"""The parallelism that `x-ms-dop-hint` suggests; 4 to 48 were seen (3.2)."""
MISSING_PRIVILEGE_CODE: Final = "0x80040220"
"""A privilege is missing; 0x80048306 is documented, too (section 13)."""
OUT_OF_REACH_CODE: Final = "0x80048306"
"""The privilege is held, but reaches only other rows: those of the caller, of his teams or of his business units (section 13)."""
PRIVILEGE_NOUNS: Final = {
    "account": "Account",
    "contact": "Contact",
    "product": "Product",
    "salesorder": "Order",
    "invoice": "Invoice",
    "orderclose": "Activity",
    "transactioncurrency": "TransactionCurrency",
    "territory": "Territory",
    "organization": "Organization",
    "businessunit": "BusinessUnit",
    "systemuser": "User",
    "team": "Team",
    "role": "Role",
    "publisher": "Publisher",
    "solution": "Solution",
    "importjob": "ImportJob",
    "asyncoperation": "AsyncOperation",
    "serviceendpoint": "ServiceEndpoint",
    "sdkmessage": "SdkMessage",
    "sdkmessageprocessingstep": "SdkMessageProcessingStep",
    "duplicaterule": "DuplicateRule",
}
"""How privileges call a table that does not go by its own name; certain for orders, accounts and contacts (section 13)."""
PRIVILEGES_OF_ACTIONS: Final = {
    "FulfillSalesOrder": ("prvWriteOrder", "prvCreateActivity", "prvAppendActivity", "prvAppendToOrder"),
    "CancelSalesOrder": ("prvWriteOrder", "prvCreateActivity", "prvAppendActivity", "prvAppendToOrder"),
    "ConvertSalesOrderToInvoice": (
        "prvReadOrder",
        "prvWriteOrder",
        "prvCreateInvoice",
        "prvReadInvoice",
        "prvAppendToOrder",
        "prvAppendInvoice",
    ),
    "LockSalesOrderPricing": ("prvWriteOrder",),
    "UnlockSalesOrderPricing": ("prvWriteOrder",),
    "LockInvoicePricing": ("prvWriteInvoice",),
    "UnlockInvoicePricing": ("prvWriteInvoice",),
    "Merge": ("prvMerge",),
    "BulkDelete": ("prvBulkDelete",),
    "PublishDuplicateRule": ("prvPublishDuplicateRule",),
    "UnpublishDuplicateRule": ("prvPublishDuplicateRule",),
    "StageSolution": ("prvImportCustomization",),
    "ImportSolution": ("prvImportCustomization",),
    "ImportSolutionAsync": ("prvImportCustomization",),
    "ExportSolution": ("prvExportCustomization",),
    "PublishAllXml": ("prvPublishCustomization",),
    "PublishXml": ("prvPublishCustomization",),
    "ReactivateEntityKey": ("prvWriteEntity",),
}
"""Privileges that an action needs (13, 15.4)."""

# Finance & Supply Chain; section 17 of the notes on the Web API.

FINANCE_CHALLENGE: Final = 'Bearer authorization_uri="{authority}"'
"""401 of Finance: this header and no body (17)."""
FINANCE_STRANGER_STATUS: Final = 401
"""A token for this environment of an application that is no user of it (17)."""
FINANCE_MISSING_ROW_MESSAGE: Final = "Resource not found for the segment '{entity_set}'."
"""404 for a key that no row has, or only a row of another company (17)."""
FINANCE_STALE_STATUS: Final = 412
"""If-Match with an ETag that the row no longer has (17)."""
FINANCE_PATCH_CREATES: Final = False
"""PATCH of a key that no row has adds none: 404 (17)."""
FINANCE_EVENTS: Final[Mapping[str, str]] = {
    "SalesOrderConfirmedBusinessEvent": "SalesOrderNumber",
    "SalesInvoicePostedBusinessEvent": "SalesOrderNumber",
    "PurchaseOrderConfirmedBusinessEvent": "PurchaseOrderNumber",
    "PurchaseOrderReceivedBusinessEvent": "PurchaseOrderNumber",
}
"""Ids of business events, and the member of their bodies that holds the order's number (17)."""
FINANCE_EVENT_REPEATS_S: Final = (60, 300, 3600)
"""Seconds until a business event is told again whose endpoint did not take it; after the last it is given up (17)."""
FINANCE_PATHS_GO_BELOW_ROWS: Final = True
"""A single field, `$value` and a navigation can be read below a row's address, as OData has it (17)."""
FINANCE_WITHHELD_STATUS: Final = 403
"""A call to an entity that the user's roles do not grant (17)."""
FINANCE_PAGE_OPTION: Final[str] = "$skiptoken"
"""A page continues at an offset under this option; `$skip` is documented as well (17)."""
FINANCE_READ_ONLY_IS_REFUSED: Final = True
"""Writing a field that follows from a document's course is refused with a warning; silence is possible (17)."""
FINANCE_WHOLE_DIGITS: Final = 15
"""Of a number before its point; one with more, written or computed, is refused (17)."""
FINANCE_GIVEN_AMOUNT_STANDS: Final = True
"""A LineAmount that is written is kept, also where price and quantity give another (17.1)."""
FINANCE_RESERVATION: Final = "Automatic"
"""InventoryReservationMethod of a new sales order: its lines take what is on hand by themselves (17.1)."""
MERGE_REFUSED_CODE: Final = "0x80040203"
"""Merging what is not two active rows of one table (15.4)."""
BULK_DUPLICATE_CODE: Final = "0x80040203"
"""The same row twice in one UpdateMultiple or UpsertMultiple; documented is only that it is an error (section 10)."""
DUPLICATES_FOUND_STATUS: Final = 412
"""HTTP status with 0x80040333; 500 in older organisations (13.1, open question 3)."""
KEY_STEPS_S: Final = {"InProgress": 5.0, "Active": 20.0}
"""Seconds after which a new alternate key, Pending at first, has that status (7.1)."""
METADATA_REFUSED_CODE: Final = "0x80048403"
"""A key or column that cannot be made or removed (7.1, section 14)."""
ASYNC_STEP_DELAY_S: Final = 2.0
"""Seconds from the commit to the delivery of an asynchronous step (18.2)."""
SYNC_STEP_FAILED_STATUS: Final = 400
"""HTTP status of a write whose synchronous step failed, with 0x80040265; 500 is documented, too (18.2)."""
CONTEXT_ZONE: Final = -420
"""Minutes that `OperationCreatedOn` of an asynchronous step stands beside UTC; +0300, +0200 and -0700 were recorded (18.3)."""
OLDER_SOLUTION_IS_REFUSED: Final = True
"""A managed solution does not take the place of a newer one; over an unmanaged one any version goes (section 19)."""
WRONG_MEDIA_TYPE_STATUS: Final = 415
"""HTTP status with 0x80060888 of a body that says it is something else than JSON (section 1)."""
BULK_DELETE_AFTER_S: Final = 2.0
"""Seconds after which the rows of a BulkDelete are gone (section 10)."""
IMPORT_STEPS_S: Final = (1.0, 8.0)
"""Seconds after which the import of a solution begins and ends (section 19)."""
MANAGED_COLUMNS_GO_WITH_THEIR_SOLUTION: Final = True
"""Deleting a managed solution takes its columns, keys and roles away (section 19)."""
