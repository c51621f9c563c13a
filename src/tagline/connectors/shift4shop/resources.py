"""What the shop's API offers for each model, as data: reading, finding, writing and noticing changes are written once over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from tagline.connectors.shift4shop.models import (
    AdvancedOption,
    Category,
    Customer,
    CustomerGroup,
    Distributor,
    Manufacturer,
    Order,
    OrderItem,
    OrderStatus,
    Product,
    Question,
    Rma,
    Shipment,
    ShopModel,
    SkuInfo,
    Transaction,
)
from tagline.connectors.shift4shop.models.product import SKU_INFO
from tagline.domain.model import Model
from tagline.errors import UsageError

ANY_CAP: Final = 500
"""Rows of one answer where the shop states no other number. Source: reference/shift4shop-api.md section 3."""
RMA_WINDOW: Final = timedelta(days=180)
"""Returns older than this are taken as closed: they are not compared any more."""


class Noticing(StrEnum):
    """How changes of a model are found."""

    BY_DAY = "by day"
    """A filter that takes a day: the day is read again until it is over."""
    BY_TIME = "by time"
    """A filter that takes a time."""
    BY_COMPARING = "by comparing"
    """No filter: the whole list is read, and each row compared with its digest."""
    WITH_OWNER = "with its owner"
    """Not by itself: a change of it changes the record that it stands in."""


@dataclass(frozen=True)
class Resource:
    """What the API offers for one model."""

    model: type[ShopModel]
    name: str
    """For people, in the plural."""
    path: str
    """Of its list; `{}` stands for the owner's id where it has one."""
    cap: int = ANY_CAP
    """Rows of one answer."""
    owner: str = ""
    """Column that names the owning record, for what exists only beneath one; empty for others."""
    stands_in: tuple[type[ShopModel], str] | None = None
    """The owning record's model and the list in it that holds these rows, too."""
    noticing: Noticing = Noticing.BY_COMPARING
    window: timedelta | None = None
    """How far back `datestart` lets the list reach, where it would grow without end."""
    has_days: bool = False
    """Whether `datestart` and `dateend` cut its list by the day that its records are of."""
    filters: Mapping[str, str] = field(default_factory=dict)
    """Column of an alternate key -> query parameter that finds by it."""
    beneath: Mapping[str, str] = field(default_factory=dict)
    """Column -> list of the rows that have an id in it."""
    newest_last: bool = False
    """Whether records that are asked for are nearly always the list's last."""
    creates: bool = False
    updates: bool = False
    deletes: bool = False
    nest: str = ""
    """Object that a written row's columns of `SkuInfo` stand in."""
    one: str = ""
    """Path of one record by its id, where it is not the list's path followed by the id."""
    written_to: str = ""
    """Path of its list for writing, where another than for reading."""
    create_flags: Mapping[str, object] = field(default_factory=dict)
    """Query of a POST."""
    least_id: int = 1
    """Smallest number that is an id; one beneath an owner may be 0."""
    is_numbered: bool = True
    """Whether its ids are numbers."""

    @property
    def id_column(self) -> str:
        return self.model.remote.primary_id

    def list_path(self, owner: str = "") -> str:
        return self.path.format(owner)

    def one_path(self, own: str) -> str:
        """Path of one record to read it, for what has no owner."""
        return self.one.format(own) if self.one else f"{self.path}/{own}"

    def write_path(self, owner: str = "", own: str = "") -> str:
        """Where rows are written: the list, or the one record with that id."""
        path = (self.written_to or self.path).format(owner)
        # Ids are digits but for a variant's code, which may hold anything.
        return f"{path}/{quote(own, safe='')}" if own else path


_NO_MAIL: Final[Mapping[str, object]] = {"bypassorderprocessing": 1, "bypassorderemail": 1}
"""An order that we create is a copy: the shop neither mails the shopper nor touches stock, gift certificates and rewards."""


def _of_order(model: type[ShopModel], name: str, in_order: str, *, least_id: int = 1) -> Resource:
    return Resource(
        model,
        name,
        f"/Orders/{{}}/{name.title()}",
        owner="OrderID",
        stands_in=(Order, in_order),
        noticing=Noticing.WITH_OWNER,
        creates=True,
        updates=True,
        least_id=least_id,
    )


def _kept(model: type[ShopModel], name: str, path: str, **filters: str) -> Resource:
    """A small table that a merchant keeps."""
    return Resource(model, name, path, filters=filters, creates=True, updates=True, deletes=True)


_ALL: Final = (
    Resource(
        Order,
        "orders",
        "/Orders",
        cap=300,
        noticing=Noticing.BY_DAY,
        has_days=True,
        filters={"InvoiceNumberPrefix": "invoiceprefix", "InvoiceNumber": "invoicenumber"},
        newest_last=True,
        creates=True,
        updates=True,
        create_flags=_NO_MAIL,
    ),
    _of_order(OrderItem, "items", "OrderItemList"),
    _of_order(Shipment, "shipments", "ShipmentList", least_id=0),
    _of_order(Transaction, "transactions", "TransactionList"),
    _of_order(Question, "questions", "QuestionList"),
    Resource(
        Product,
        "products",
        "/Products",
        cap=200,
        noticing=Noticing.BY_TIME,
        filters={"SKU": "sku"},
        beneath={"ManufacturerID": "/Manufacturers/{}/Products"},
        creates=True,
        updates=True,
        deletes=True,
        nest=SKU_INFO,
    ),
    Resource(
        SkuInfo,
        "stock",
        "/Products/skuinfo",
        noticing=Noticing.WITH_OWNER,
        filters={"SKU": "sku"},
        updates=True,
        nest=SKU_INFO,
        one="/Products/{}/skuinfo",
        written_to="/Products",
    ),
    Resource(
        AdvancedOption,
        "variants",
        "/Products/{}/AdvancedOptions",
        owner="CatalogID",
        stands_in=(Product, "AdvancedOptionList"),
        noticing=Noticing.WITH_OWNER,
        updates=True,
        is_numbered=False,
    ),
    Resource(
        Customer,
        "customers",
        "/Customers",
        noticing=Noticing.BY_TIME,
        filters={"Email": "email"},
        beneath={"CustomerGroupID": "/CustomerGroups/{}/Customers"},
        creates=True,
        updates=True,
        deletes=True,
    ),
    _kept(CustomerGroup, "customer groups", "/CustomerGroups"),
    _kept(Category, "categories", "/Categories", CategoryName="category"),
    _kept(Distributor, "distributors", "/Distributors", CompanyName="company", Email="email"),
    _kept(Manufacturer, "manufacturers", "/Manufacturers", ManufacturerName="manufacturer"),
    Resource(OrderStatus, "order statuses", "/OrderStatus"),
    Resource(Rma, "returns", "/RMA", window=RMA_WINDOW, has_days=True),
)
"""
Verbs, caps and filters: reference/shift4shop-api.md sections 3 and 5 to 7.

An assumption: a bulk PUT exists wherever a list takes PUT at all; one refused as a whole is sent one by one.
"""

RESOURCES: Final[Mapping[type[Model], Resource]] = {each.model: each for each in _ALL}


def resource_of(model: type[Model], connection: str, doing: str) -> Resource:
    """
    What the API offers for a model.

    Raises:
        UsageError: Nothing (code `not-supported`).
    """
    found = RESOURCES.get(model)
    if found is None:
        raise not_supported(connection, f"{doing} {model.__name__}")
    return found


def not_supported(connection: str, doing: str) -> UsageError:
    """The error that tells what the API has no way for."""
    return UsageError(
        f"the Shift4Shop connector cannot do this: {doing}",
        code="not-supported",
        where={"connection": connection},
        hint="see the guide `connect` for what the shop offers for each model",
    )
