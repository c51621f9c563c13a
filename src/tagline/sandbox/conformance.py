"""What the sandbox does and how it is known: documented by the vendor, recorded on a live system, or assumed by us."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tagline.sandbox import assumptions


class Basis(StrEnum):
    DOCUMENTED = "documented"
    RECORDED = "recorded"
    ASSUMED = "assumed"


@dataclass(frozen=True)
class Behaviour:
    """One thing that clients depend on."""

    system: str
    what: str
    basis: Basis
    section: str
    """Of the notes on that system's API."""
    constant: str = ""
    """Name in `assumptions.py`, where it is assumed and could be otherwise."""


_D, _R, _A = Basis.DOCUMENTED, Basis.RECORDED, Basis.ASSUMED
SHOP, ORGANISATION, LOGIN, FINANCE = "shift4shop", "dataverse", "login", "finance"

TABLE: tuple[Behaviour, ...] = (
    Behaviour(SHOP, "paths in any case, v1 and v2 alike", _R, "1"),
    Behaviour(SHOP, "header trio on every call, 401 without it", _D, "1"),
    Behaviour(SHOP, "body of 401", _A, "2", "UNAUTHORISED_BODY"),
    Behaviour(SHOP, "OAuth: consent, code for a token, bearer alone on every call", _D, "1"),
    Behaviour(SHOP, "401 where an app lacks the permission for a resource", _D, "1"),
    Behaviour(SHOP, "names of permissions", _A, "1", "BEARER_SCOPES"),
    Behaviour(SHOP, "elements of an error", _A, "2", "ERROR_VALUE"),
    Behaviour(SHOP, "whether 400 and 404 have a body", _A, "2", "ERROR_BODIES"),
    Behaviour(SHOP, "size of a request", _A, "2", "LARGEST_BODY"),
    Behaviour(SHOP, "JSON and XML by Accept and Content-Type, 415 for others", _D, "1"),
    Behaviour(SHOP, "elements of XML", _A, "1", "XML_NAMES"),
    Behaviour(SHOP, "$select and $orderby on the fetched page alone", _D, "1"),
    Behaviour(SHOP, "verbs of every resource but webhooks; store settings only read", _D, "5, 6, 7"),
    Behaviour(SHOP, "PUT of the list of webhooks, DELETE of one", _A, "8"),
    Behaviour(SHOP, "body of 405", _A, "2", "METHOD_NOT_ALLOWED_MESSAGE"),
    Behaviour(SHOP, "arrays everywhere, countonly an object", _R, "2"),
    Behaviour(SHOP, "404 on an empty list, 400 past the end", _R, "2, 3"),
    Behaviour(SHOP, "limit 10 by default, at most 300 orders, 200 products, 500 others", _D, "3"),
    Behaviour(SHOP, "limit above the cap", _A, "3", "LIMIT_ABOVE_CAP_IS_CLAMPED"),
    Behaviour(SHOP, "offset 1-based", _R, "3"),
    Behaviour(SHOP, "offset 0", _A, "3", "OFFSET_ZERO_IS_ONE"),
    Behaviour(SHOP, "order filters, lastupdate by date only", _D, "3"),
    Behaviour(SHOP, "last day of a lastupdate filter", _A, "3", "LASTUPDATE_END_IS_MIDNIGHT"),
    Behaviour(SHOP, "filters of products, customers, vendors, makers, categories, returns", _D, "3"),
    Behaviour(SHOP, "whether a name must be equal", _A, "3", "NAME_FILTERS_CONTAIN"),
    Behaviour(SHOP, "compact JSON, dotted doubles, fixed property order, store-local times", _R, "1, 4"),
    Behaviour(SHOP, "tracking codes padded to 50", _R, "4"),
    Behaviour(SHOP, "results of text fields, 206 on partial success", _D, "2"),
    Behaviour(SHOP, "every item of a bulk PUT failed", _A, "2", "ALL_FAILED_STATUS"),
    Behaviour(SHOP, "several records in one POST, each with a result", _A, "2"),
    Behaviour(SHOP, "message of a DELETE", _A, "2", "DELETED_MESSAGE"),
    Behaviour(SHOP, "times as MM/DD/YYYY or ISO, numbers as text, booleans as numbers", _R, "4"),
    Behaviour(
        SHOP, "fields and rows of lists that a PUT does not name stay, unknown ones are passed over", _A, "4"
    ),
    Behaviour(SHOP, "PUT merges and sets LastUpdate of order and shipment 0, not UserID", _R, "4"),
    Behaviour(SHOP, "null in a PUT", _A, "4", "NULL_ON_PUT_KEEPS"),
    Behaviour(SHOP, "text too long", _A, "5", "OVERLONG_TEXT_IS_REFUSED"),
    Behaviour(SHOP, "shipment 0 is the order row: status, tax, LastUpdate", _R, "5.2"),
    Behaviour(SHOP, "a status on shipment 0 is the order's; characters of ShipmentMethodName", _R, "5.2"),
    Behaviour(SHOP, "guests, gift certificates, bundle rows, option prices, amount identity", _R, "5"),
    Behaviour(SHOP, "numbers of cards masked, verification codes a constant", _R, "5.1"),
    Behaviour(SHOP, "order status list", _R, "5.6"),
    Behaviour(SHOP, "status 12", _A, "5.6", "STATUS_12"),
    Behaviour(
        SHOP, "POST of orders, items, shipments, transactions, questions; what an order needs", _D, "5"
    ),
    Behaviour(SHOP, "OrderAmount and OrderDiscount follow every write to their parts", _A, "5.1"),
    Behaviour(SHOP, "SKU, name, price and weight that an item leaves out are the product's", _A, "5.3"),
    Behaviour(SHOP, "an item of a product that does not exist", _A, "5", "UNKNOWN_PRODUCT_IS_REFUSED"),
    Behaviour(SHOP, "an order for a customer that does not exist", _A, "5", "UNKNOWN_CUSTOMER_IS_REFUSED"),
    Behaviour(SHOP, "item stock as of reading", _R, "5.3"),
    Behaviour(
        SHOP, "stock taken by a checkout, returned by a cancel", _A, "5.6", "CANCELLED_ORDERS_RETURN_STOCK"
    ),
    Behaviour(SHOP, "bypassorderprocessing leaves the stock", _D, "5"),
    Behaviour(SHOP, "type of a refund", _A, "5.4", "REFUND_TYPE"),
    Behaviour(SHOP, "sign of a refund", _A, "5.4", "REFUND_IS_NEGATIVE"),
    Behaviour(SHOP, "products with options and variants: fields, codes, names cut at a quote", _R, "6"),
    Behaviour(SHOP, "stock of products by SKUInfo, of variants by AdvancedOptions", _R, "6"),
    Behaviour(SHOP, "variants inside the PUT of a product", _A, "6", "NESTED_OPTIONS_ARE_WRITTEN"),
    Behaviour(SHOP, "customers, groups, categories, makers, vendors, returns; hashed password", _D, "7"),
    Behaviour(
        SHOP,
        "what a new product, customer, group, category, maker or vendor needs",
        _A,
        "6, 7",
        "REQUIRED_OF_NEW",
    ),
    Behaviour(SHOP, "two customers with one mail address", _A, "7", "CUSTOMER_EMAIL_IS_UNIQUE"),
    Behaviour(SHOP, "webhook: GET probe, unsigned array of one order, repeated after 5xx", _R, "8"),
    Behaviour(SHOP, "ids of events beyond 1 and 2", _A, "8", "WEBHOOK_EVENTS"),
    Behaviour(SHOP, "spacing and end of repeats", _A, "8", "WEBHOOK_RETRY_AFTER"),
    Behaviour(SHOP, "answers that count as delivered", _A, "8", "WEBHOOK_FAILED_FROM"),
    Behaviour(SHOP, "how long a receiver may take", _A, "8", "WEBHOOK_TIMEOUT_S"),
    Behaviour(SHOP, "deliveries under way go where the webhook pointed when they were queued", _A, "8"),
    Behaviour(SHOP, "how often a receiver is probed", _A, "8", "PROBE_ONCE"),
    Behaviour(SHOP, "answer to the probe", _A, "8", "PROBE_ANSWER_IS_IGNORED"),
    Behaviour(SHOP, "a PUT raises the changed event", _A, "8", "PUT_TRIGGERS_ORDER_CHANGED"),
    Behaviour(SHOP, "bucket of 50, draining 2 a second", _D, "9"),
    Behaviour(SHOP, "one bucket a store, of which refused callers take nothing", _A, "9"),
    Behaviour(SHOP, "answer when the bucket is full", _A, "9", "THROTTLE_STATUS"),
    Behaviour(SHOP, "headers of that answer", _A, "9", "THROTTLE_HEADERS"),
    Behaviour(SHOP, "StoreTimeZone holds an IANA name", _A, "7"),
    Behaviour(LOGIN, "client credentials, scope and answer", _R, "2.1"),
    Behaviour(LOGIN, "client assertions signed with a certificate (PS256, RS256)", _R, "2.2"),
    Behaviour(LOGIN, "assertions of a trusted provider", _D, "2.2"),
    Behaviour(LOGIN, "claims of a token", _A, "2.1", "LOGIN_TOKEN_VERSION"),
    Behaviour(LOGIN, "AADSTS errors", _A, "2.4"),
    Behaviour(LOGIN, "a proof that is not good", _A, "2.4", "LOGIN_INVALID_CLIENT_STATUS"),
    Behaviour(LOGIN, "an unknown application", _A, "2.4", "LOGIN_UNKNOWN_APPLICATION_STATUS"),
    Behaviour(ORGANISATION, "401 without a token for this organisation", _A, "2.1", "UNAUTHORISED_CHALLENGE"),
    Behaviour(ORGANISATION, "decimals of money", _A, "4"),
    Behaviour(ORGANISATION, "money with 10 decimals, times in whole seconds, lookups as _x_value", _R, "4"),
    Behaviour(ORGANISATION, "instants for date-only columns", _A, "4", "DATE_ONLY_TAKES_INSTANTS"),
    Behaviour(ORGANISATION, "the earliest time", _A, "4", "EARLIEST_TIME"),
    Behaviour(ORGANISATION, "$select, $filter, $orderby, $top, $count, parameter aliases", _D, "5"),
    Behaviour(ORGANISATION, "filters on related rows, any and all, wildcards of LIKE", _D, "5"),
    Behaviour(ORGANISATION, "query functions in UTC", _D, "5"),
    Behaviour(ORGANISATION, "first day of a week", _A, "5", "WEEK_STARTS_ON"),
    Behaviour(ORGANISATION, "byte order mark before a plain count", _A, "5", "COUNT_HAS_BOM"),
    Behaviour(ORGANISATION, "$expand over several levels, at most 15, link to each collection", _D, "5"),
    Behaviour(ORGANISATION, "$apply with filter, groupby, aggregate, at most 50,000 rows", _D, "5"),
    Behaviour(ORGANISATION, "FetchXML with links, aggregates and a paging cookie encoded twice", _D, "5"),
    Behaviour(ORGANISATION, "SQL: SELECT with joins, WHERE, GROUP BY, ORDER BY", _D, "5"),
    Behaviour(ORGANISATION, "name of a linked column in FetchXML answers", _A, "5", "FETCH_LINKED_NAME"),
    Behaviour(ORGANISATION, "formatted values, lookup annotations, metadata=none and full", _D, "4"),
    Behaviour(ORGANISATION, "`ne` includes rows where the column is empty", _A, "5"),
    Behaviour(ORGANISATION, "pages with nextLink and Prefer echo", _R, "6"),
    Behaviour(ORGANISATION, "change tracking: delta links, deleted rows last, $count of changes", _D, "8"),
    Behaviour(ORGANISATION, "tables that do not track changes", _A, "8", "UNTRACKED_TABLES"),
    Behaviour(ORGANISATION, "asking those for changes", _A, "8", "UNTRACKED_CODE"),
    Behaviour(ORGANISATION, "status of an expired delta token", _A, "8", "DELTA_EXPIRED_STATUS"),
    Behaviour(ORGANISATION, "a row created and deleted between two reads is reported deleted", _A, "8"),
    Behaviour(ORGANISATION, "create, update, upsert, delete under If-Match and If-None-Match", _R, "7"),
    Behaviour(ORGANISATION, "read-only columns", _A, "7", "READ_ONLY_IS_REFUSED"),
    Behaviour(
        ORGANISATION, "deleting clears lookups, lines go with their order", _A, "7", "DELETE_CLEARS_LOOKUPS"
    ),
    Behaviour(
        ORGANISATION, "alternate keys: addressing, uniqueness, key columns ignored on update", _D, "7.1"
    ),
    Behaviour(ORGANISATION, "characters that break a key's address", _A, "7.1", "UNSAFE_KEY_CHARACTERS"),
    Behaviour(ORGANISATION, "single properties, $value, $ref of lookups and collections", _D, "7, 7.2"),
    Behaviour(ORGANISATION, "collections whose name nobody published", _A, "7.2", "COLLECTION_NAME"),
    Behaviour(ORGANISATION, "bind by id or key", _R, "7.2"),
    Behaviour(ORGANISATION, "bind to a missing row", _A, "7.2", "MISSING_BIND_STATUS"),
    Behaviour(ORGANISATION, "$batch, continue-on-error, change sets, $n", _R, "9"),
    Behaviour(ORGANISATION, "status of a stopped batch", _A, "9", "STOPPED_BATCH_STATUS"),
    Behaviour(
        ORGANISATION,
        "6000 requests, 20 min of execution and 52 at once in 300 s, Retry-After, headers",
        _D,
        "12",
    ),
    Behaviour(ORGANISATION, "execution time of a request", _A, "12", "EXECUTION_COST_S"),
    Behaviour(ORGANISATION, "metadata against the limits", _A, "12", "METADATA_IS_FREE"),
    Behaviour(ORGANISATION, "Retry-After of the limit on concurrency", _A, "12", "CONCURRENT_RETRY_AFTER_S"),
    Behaviour(ORGANISATION, "Retry-After of who goes on sending", _A, "12", "THROTTLED_CALL_ADDS_S"),
    Behaviour(ORGANISATION, "suggested parallelism", _A, "3.2", "DOP_HINT"),
    Behaviour(ORGANISATION, "application users, roles, privileges by table and access", _D, "2.1, 13"),
    Behaviour(
        ORGANISATION, "depth of privileges: own and teams' rows, business unit, units below, all", _A, "13"
    ),
    Behaviour(ORGANISATION, "a row out of the reach of a privilege", _A, "13", "OUT_OF_REACH_CODE"),
    Behaviour(ORGANISATION, "a missing privilege", _A, "13", "MISSING_PRIVILEGE_CODE"),
    Behaviour(ORGANISATION, "names of privileges", _A, "13", "PRIVILEGE_NOUNS"),
    Behaviour(ORGANISATION, "privileges of actions", _A, "13, 15.4", "PRIVILEGES_OF_ACTIONS"),
    Behaviour(ORGANISATION, "nested rows on create, the whole tree or nothing", _D, "7.2"),
    Behaviour(ORGANISATION, "CreateMultiple, UpdateMultiple, UpsertMultiple, all or nothing", _D, "10"),
    Behaviour(ORGANISATION, "the same row twice in one message", _A, "10", "BULK_DUPLICATE_CODE"),
    Behaviour(ORGANISATION, "BulkDelete as a background operation", _R, "10"),
    Behaviour(ORGANISATION, "how long a BulkDelete takes", _A, "10", "BULK_DELETE_AFTER_S"),
    Behaviour(ORGANISATION, "new keys from Pending to Active or Failed", _D, "7.1"),
    Behaviour(ORGANISATION, "how long a key takes", _A, "7.1", "KEY_STEPS_S"),
    Behaviour(ORGANISATION, "keys and columns that cannot be made", _A, "7.1, 14", "METADATA_REFUSED_CODE"),
    Behaviour(ORGANISATION, "duplicate rules, on where the request asks for it", _D, "13.1"),
    Behaviour(ORGANISATION, "status of a duplicate found", _A, "13.1", "DUPLICATES_FOUND_STATUS"),
    Behaviour(ORGANISATION, "webhooks: endpoints, steps, images, execution context, one retry", _R, "18"),
    Behaviour(ORGANISATION, "delay of an asynchronous step", _A, "18.2", "ASYNC_STEP_DELAY_S"),
    Behaviour(ORGANISATION, "write whose synchronous step failed", _A, "18.2", "SYNC_STEP_FAILED_STATUS"),
    Behaviour(ORGANISATION, "zone of OperationCreatedOn", _A, "18.3", "CONTEXT_ZONE"),
    Behaviour(ORGANISATION, "solutions: stage, import, result, export, delete", _R, "19"),
    Behaviour(ORGANISATION, "how long an import takes", _A, "19", "IMPORT_STEPS_S"),
    Behaviour(ORGANISATION, "an older managed solution", _A, "19", "OLDER_SOLUTION_IS_REFUSED"),
    Behaviour(
        ORGANISATION, "deleting a managed solution", _A, "19", "MANAGED_COLUMNS_GO_WITH_THEIR_SOLUTION"
    ),
    Behaviour(ORGANISATION, "error bodies and codes", _R, "13"),
    Behaviour(ORGANISATION, "a body that says it is no JSON", _A, "1", "WRONG_MEDIA_TYPE_STATUS"),
    Behaviour(ORGANISATION, "EntityDefinitions, Attributes with casts, Keys, relationships", _R, "14"),
    Behaviour(ORGANISATION, "columns and lookups made and changed, RetrieveMetadataChanges", _D, "14"),
    Behaviour(ORGANISATION, "service document and $metadata", _D, "1"),
    Behaviour(ORGANISATION, "addresses up to 32,768 characters, 65,536 inside $batch", _D, "1"),
    Behaviour(ORGANISATION, "draft products, order numbers, derived columns", _D, "15.1, 15.2"),
    Behaviour(ORGANISATION, "price arithmetic and pricingerrorcode without HTTP error", _D, "15.2, 15.3"),
    Behaviour(ORGANISATION, "ties in rounding", _A, "15.3", "ROUNDING"),
    Behaviour(
        ORGANISATION, "no price list: overridden prices", _A, "15.2", "MISSING_PRICE_LIST_ZEROES_OVERRIDES"
    ),
    Behaviour(ORGANISATION, "line with a product that is not active", _A, "15.2", "PRODUCT_NOT_ACTIVE_CODE"),
    Behaviour(ORGANISATION, "line without unit", _A, "15.2", "UNIT_MISSING_CODE"),
    Behaviour(ORGANISATION, "line with a unit of another group", _A, "15.2", "UNIT_WRONG_CODE"),
    Behaviour(ORGANISATION, "line without order", _A, "15.2", "LINE_WITHOUT_ORDER_CODE"),
    Behaviour(ORGANISATION, "FulfillSalesOrder both ways, CancelSalesOrder, states by PATCH", _D, "15.4"),
    Behaviour(ORGANISATION, "writing to a submitted order", _A, "15.4", "ORDER_LOCKED_CODE"),
    Behaviour(ORGANISATION, "writing to an invoice that is not active", _A, "15.4", "INVOICE_LOCKED_CODE"),
    Behaviour(ORGANISATION, "line without invoice", _A, "15.2", "LINE_WITHOUT_INVOICE_CODE"),
    Behaviour(ORGANISATION, "ConvertSalesOrderToInvoice, pricing locks, Merge", _D, "15.4"),
    Behaviour(ORGANISATION, "state of an order with an invoice", _A, "15.4", "CONVERTED_ORDER_IS_INVOICED"),
    Behaviour(
        ORGANISATION, "prices of an invoice made of an order", _A, "15.4", "CONVERTED_INVOICE_IS_PRICE_LOCKED"
    ),
    Behaviour(ORGANISATION, "merging what cannot be merged", _A, "15.4", "MERGE_REFUSED_CODE"),
    Behaviour(ORGANISATION, "status that does not belong to the state", _A, "15.4", "INVALID_STATE_CODE"),
    Behaviour(FINANCE, "401 without a token for this environment", _A, "17", "FINANCE_CHALLENGE"),
    Behaviour(FINANCE, "an application that is no user of it", _A, "17", "FINANCE_STRANGER_STATUS"),
    Behaviour(FINANCE, "entity sets by case, every key field in the address", _D, "17"),
    Behaviour(FINANCE, "the caller's company alone, cross-company=true for all", _D, "17"),
    Behaviour(FINANCE, "eq ne gt ge lt le and or not, patterns for contains, typed enumerations", _D, "17"),
    Behaviour(FINANCE, "$select, $orderby, $count, $skip with $top, first-level $expand", _D, "17"),
    Behaviour(FINANCE, "pages of at most 10,000 with nextLink", _D, "17"),
    Behaviour(FINANCE, "how a page continues", _A, "17", "FINANCE_PAGE_OPTION"),
    Behaviour(FINANCE, "names of fields, their types, members of enumerations", _R, "17.1"),
    Behaviour(
        FINANCE,
        "ReleasedProductsV2, SalesPriceAgreements, SalesOrderLines, SalesInvoiceHeadersV2",
        _A,
        "17.1",
    ),
    Behaviour(FINANCE, "empty dates of 1900, empty text for null, dates at noon", _A, "17"),
    Behaviour(FINANCE, "201 with the row, 204 for changes, ETag and If-Match", _A, "17"),
    Behaviour(FINANCE, "a stale ETag", _A, "17", "FINANCE_STALE_STATUS"),
    Behaviour(FINANCE, "a key without a row", _A, "17", "FINANCE_MISSING_ROW_MESSAGE"),
    Behaviour(FINANCE, "business events: ids and bodies", _A, "17", "FINANCE_EVENTS"),
    Behaviour(FINANCE, "repeats of a business event", _A, "17", "FINANCE_EVENT_REPEATS_S"),
    Behaviour(FINANCE, "fields and navigations below a row", _A, "17", "FINANCE_PATHS_GO_BELOW_ROWS"),
    Behaviour(FINANCE, "an entity that the user's roles do not grant", _A, "17", "FINANCE_WITHHELD_STATUS"),
    Behaviour(FINANCE, "PATCH of a key without a row", _A, "17", "FINANCE_PATCH_CREATES"),
    Behaviour(FINANCE, "business rules in innererror after Infolog", _R, "17"),
    Behaviour(FINANCE, "which fields are mandatory, which point to other rows", _A, "17.1"),
    Behaviour(
        FINANCE, "fields that follow from a document's course", _A, "17", "FINANCE_READ_ONLY_IS_REFUSED"
    ),
    Behaviour(FINANCE, "numbers that are too large", _A, "17", "FINANCE_WHOLE_DIGITS"),
    Behaviour(FINANCE, "a line's amount where it is given", _A, "17.1", "FINANCE_GIVEN_AMOUNT_STANDS"),
    Behaviour(FINANCE, "sales order lines reserve stock on hand by warehouse", _D, "17.1"),
    Behaviour(FINANCE, "how a new order reserves", _A, "17.1", "FINANCE_RESERVATION"),
    Behaviour(FINANCE, "$batch of at most 5,000, change sets", _D, "17"),
    Behaviour(FINANCE, "429 and Retry-After when resources are short", _D, "17"),
    Behaviour(FINANCE, "service document, $metadata, /Metadata pages", _D, "17"),
)


def assumed() -> dict[str, object]:
    """Every assumption with its present value, by the name of its constant."""
    return {b.constant: getattr(assumptions, b.constant) for b in TABLE if b.constant}
