"""The resources of the shop as data: shape, verbs, caps, parameters, lists inside. Source: 3dcart notes, sections 3, 5, 6 and 7."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tagline.sandbox import shop_shapes as shapes
from tagline.sandbox.assumptions import REQUIRED_OF_NEW
from tagline.sandbox.shop_lists import OTHER_CAP, Compare, Filter
from tagline.sandbox.shop_shape import Shape

READ: Final = frozenset({"GET"})
WRITE: Final = frozenset({"GET", "POST", "PUT"})
WHOLE: Final = frozenset({"GET", "PUT", "DELETE"})

ORDER_NEW, ORDER_CHANGED = "Order New", "Order Status Change"
CUSTOMER_NEW, CUSTOMER_CHANGED = "Customer New", "Customer Update"
PRODUCT_NEW, PRODUCT_CHANGED, STOCK_CHANGED = "Product New", "Product Update", "Inventory Change"


@dataclass(frozen=True)
class Part:
    """A list inside a record, with an address of its own."""

    field: str
    verbs: frozenset[str] = WRITE
    """Of the list; `PUT` there means `PUT` of one by its key too."""


@dataclass(frozen=True)
class Resource:
    """One kind of records behind an address."""

    shape: Shape
    verbs: frozenset[str] = WRITE
    """Of the list."""
    one: frozenset[str] = WHOLE
    """Of one record."""
    cap: int = OTHER_CAP
    filters: tuple[Filter, ...] = ()
    parts: Mapping[str, Part] = field(default_factory=dict)
    within: str = ""
    """The object that holds the key, empty when the record itself does."""
    required: tuple[str, ...] = ()
    """Fields that a new record must have."""
    events: tuple[str, str] = ("", "")
    """Webhook events of a new and of a changed record."""

    @property
    def key(self) -> str:
        return self.shape.key


@dataclass(frozen=True)
class Membership:
    """Records of one resource that belong to a record of another."""

    members: str
    """The resource that is listed."""
    field: str
    """A number, or a list of objects that hold it under the owner's key."""


def _filters(table: str) -> tuple[Filter, ...]:
    """`parameter comparison Field`, separated by commas."""
    found = []
    for entry in table.split(","):
        parameter, compare, name = entry.split()
        found.append(Filter(parameter, Compare(compare), name))
    return tuple(found)


ORDER_FILTERS: Final = _filters(
    "orderid number OrderID, invoicenumber number InvoiceNumber, invoicenumberstart from InvoiceNumber,"
    "invoicenumberend to InvoiceNumber, orderstatus number OrderStatusID, invoiceprefix text InvoiceNumberPrefix,"
    "billingemail text BillingEmail, datestart since OrderDate, dateend until OrderDate,"
    "lastupdatestart since-day LastUpdate, lastupdateend until-day LastUpdate"
)
PRODUCT_FILTERS: Final = _filters(
    "sku text SKUInfo/SKU, name name SKUInfo/Name, costfrom from SKUInfo/Cost, costto to SKUInfo/Cost,"
    "pricefrom from SKUInfo/Price, priceto to SKUInfo/Price, stockfrom from SKUInfo/Stock, stockto to SKUInfo/Stock,"
    "hide flag Hide, freeshipping flag FreeShipping, onsale flag SKUInfo/OnSale, nontax flag NonTaxable,"
    "notforsale flag NotForSale, giftcertificate flag GiftCertificate, homespecial flag HomeSpecial,"
    "categoryspecial flag CategorySpecial, nonsearchable flag NonSearchable, selfship flag SelfShip,"
    "rewarddisable flag DisableRewards, lastupdatestart since LastUpdate, lastupdateend until LastUpdate"
)
SKU_FILTERS: Final = _filters("catalogid number CatalogID, sku text SKU, name name Name")
CUSTOMER_FILTERS: Final = _filters(
    "email text Email, firstname text BillingFirstName, lastname text BillingLastName, city text BillingCity,"
    "state text BillingState, country text BillingCountry, phone text BillingPhoneNumber,"
    "lastupdatestart since LastUpdate, lastupdateend until LastUpdate"
)
DISTRIBUTOR_FILTERS: Final = _filters(
    "company name CompanyName, email text Email, city text City, state text State, country text Country, phone text Phone"
)
RMA_FILTERS: Final = _filters(
    "rmastatusid number RMAStatusID, rmareasonid number RMAReasonID, rmamethodid number RMAMethodID,"
    "catalogid number RMAItemList/CatalogID, sku text RMAItemList/SKU, datestart since RmaDate, dateend until RmaDate"
)
EVENT_FILTERS: Final = _filters("name name EventName")

RESOURCES: Final[Mapping[str, Resource]] = {
    "orders": Resource(
        shapes.ORDERS,
        one=frozenset({"GET", "PUT"}),
        cap=300,
        events=(ORDER_NEW, ORDER_CHANGED),
        filters=ORDER_FILTERS,
        parts={
            "items": Part("OrderItemList"),
            "shipments": Part("ShipmentList"),
            "transactions": Part("TransactionList"),
            "questions": Part("QuestionList"),
        },
    ),
    "products": Resource(
        shapes.PRODUCTS,
        cap=200,
        filters=PRODUCT_FILTERS,
        within="SKUInfo",
        required=REQUIRED_OF_NEW["products"],
        events=(PRODUCT_NEW, PRODUCT_CHANGED),
        parts={
            "advancedoptions": Part("AdvancedOptionList", frozenset({"GET", "PUT"})),
            "options": Part("OptionSetList"),
            "images": Part("ImageGalleryList"),
            "features": Part("FeatureList"),
            "discount": Part("DiscountList"),
            "related": Part("RelatedProductList"),
            "upselling": Part("UpSellingItemList"),
            "serials": Part("SerialList"),
            "eproducts": Part("EProductList"),
            "categories": Part("CategoryList", READ),
            "distributors": Part("DistributorList", READ),
        },
    ),
    "customers": Resource(
        shapes.CUSTOMERS,
        filters=CUSTOMER_FILTERS,
        required=REQUIRED_OF_NEW["customers"],
        events=(CUSTOMER_NEW, CUSTOMER_CHANGED),
    ),
    "customergroups": Resource(shapes.CUSTOMER_GROUPS, required=REQUIRED_OF_NEW["customergroups"]),
    "categories": Resource(
        shapes.CATEGORIES,
        filters=_filters("category name CategoryName"),
        required=REQUIRED_OF_NEW["categories"],
        parts={"options": Part("OptionSetList")},
    ),
    "manufacturers": Resource(
        shapes.MANUFACTURERS,
        filters=_filters("manufacturer name ManufacturerName"),
        required=REQUIRED_OF_NEW["manufacturers"],
    ),
    "distributors": Resource(
        shapes.DISTRIBUTORS, filters=DISTRIBUTOR_FILTERS, required=REQUIRED_OF_NEW["distributors"]
    ),
    "rma": Resource(
        shapes.RMAS,
        verbs=READ,
        one=READ,
        filters=RMA_FILTERS,
        parts={"items": Part("RMAItemList", READ)},
    ),
    "orderstatus": Resource(shapes.STATUS, verbs=READ, one=READ),
}
"""By the lower-case first segment of the address."""

MEMBERSHIPS: Final[Mapping[tuple[str, str], Membership]] = {
    ("categories", "products"): Membership("products", "CategoryList"),
    ("manufacturers", "products"): Membership("products", "ManufacturerID"),
    ("distributors", "products"): Membership("products", "DistributorList"),
    ("customergroups", "customers"): Membership("customers", "CustomerGroupID"),
}
"""By owner and last segment, as in `Categories/{id}/Products`."""
