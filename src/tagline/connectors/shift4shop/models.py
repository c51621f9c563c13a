"""Models of 3dcart / Shift4Shop records. Field names, lengths and quirks: reference/shift4shop-api.md section 5.

Card data, payment tokens and password hashes are deliberately no fields: what is not declared is dropped at the edge.
Text arrives padded and is trimmed; every time is local to the store and made aware by the connector.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, ConfigDict

from tagline.domain.model import Model, Remote, column


def _trimmed(value: object) -> object:
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else value


def _whole(value: object) -> object:
    """The shop quotes some whole numbers; blank means none."""
    if isinstance(value, str):
        return value.strip() or 0
    return 0 if value is None else value


Text = Annotated[str, BeforeValidator(_trimmed)]
Whole = Annotated[int, BeforeValidator(_whole)]


class ShopModel(Model):
    """A record as the shop sends it; fields we do not know are ignored, since the schema grows without notice."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)


class OrderItem(ShopModel):
    """One row of an order; bundle parts are rows of price zero."""

    remote: ClassVar[Remote] = Remote("shift4shop", "OrderItem", "Items", "ItemIndexID")

    CatalogID: Whole = column(update=False, default=0)
    ItemIndexID: Whole = column(update=False, default=0, doc="Key of the row within its order.")
    ItemID: Text = column(update=False, max_length=150, default="", doc="The SKU.")
    ItemShipmentID: Whole = column(update=False, default=0)
    ItemQuantity: Decimal = column(update=False, default=Decimal(0))
    ItemDescription: Text = column(update=False, default="", doc="HTML: name, then options.")
    ItemUnitPrice: Decimal = column(update=False, default=Decimal(0), doc="Without options.")
    ItemOptionPrice: Decimal = column(update=False, default=Decimal(0), doc="Options, per unit.")
    ItemOptions: Text = column(update=False, default="")
    ItemAdditionalField3: Text = column(
        update=False, max_length=255, default="", doc="ItemIndexID of the bundle's parent row."
    )


class Shipment(ShopModel):
    """One destination of an order; ShipmentID is 0 on ordinary orders and so no key."""

    remote: ClassVar[Remote] = Remote("shift4shop", "Shipment", "Shipments", "ShipmentID")

    ShipmentID: Whole = column(update=False, default=0)
    ShipmentOrderStatus: Whole = column(default=0)
    ShipmentFirstName: Text = column(update=False, max_length=100, default="", personal=True)
    ShipmentLastName: Text = column(update=False, max_length=50, default="", personal=True)
    ShipmentCompany: Text = column(update=False, max_length=200, default="", personal=True)
    ShipmentAddress: Text = column(update=False, max_length=255, default="", personal=True)
    ShipmentAddress2: Text = column(update=False, max_length=50, default="", personal=True)
    ShipmentCity: Text = column(update=False, max_length=50, default="")
    ShipmentState: Text = column(update=False, max_length=50, default="")
    ShipmentZipCode: Text = column(update=False, max_length=20, default="", personal=True)
    ShipmentCountry: Text = column(update=False, max_length=50, default="")
    ShipmentPhone: Text = column(update=False, max_length=50, default="", personal=True)
    ShipmentEmail: Text = column(update=False, max_length=100, default="", personal=True)
    ShipmentCost: Decimal = column(update=False, default=Decimal(0))
    ShipmentTax: Decimal = column(
        update=False, default=Decimal(0), doc="On shipment 0 it repeats the order's tax: never add it."
    )
    ShipmentMethodName: Text = column(update=False, max_length=150, default="")
    ShipmentTrackingCode: Text = column(max_length=100, default="")
    ShipmentShippedDate: Text = column(max_length=50, default="", doc="Free text in several formats.")
    ShipmentNumber: Whole = column(update=False, default=0, doc="1-based.")


class Transaction(ShopModel):
    """A payment row; a gift certificate is one, never a discount."""

    remote: ClassVar[Remote] = Remote("shift4shop", "Transaction", "Transactions", "TransactionIndexID")

    TransactionIndexID: Whole = column(update=False, default=0)
    TransactionType: Text = column(update=False, max_length=10, default="")
    TransactionMethod: Text = column(update=False, max_length=255, default="")
    TransactionAmount: Decimal = column(update=False, default=Decimal(0))


class Order(ShopModel):
    """An order of the shop; the grand total is OrderAmount, and no currency stands in it."""

    remote: ClassVar[Remote] = Remote("shift4shop", "Order", "Orders", "OrderID")

    OrderID: Whole = column(required=True, update=False, default=0, doc="Primary key; gaps are normal.")
    InvoiceNumberPrefix: Text = column(update=False, max_length=50, default="")
    InvoiceNumber: Whole = column(update=False, default=0)
    CustomerID: Whole = column(update=False, default=0, doc="0 is a guest.")
    OrderDate: datetime | None = column(update=False, doc="When it was completed.")
    LastUpdate: datetime | None = column(update=False, doc="Set by every PUT, ours included.")
    OrderStatusID: Whole = column(default=0)
    AlternateOrderID: Text = column(
        max_length=100, default="", doc="May hold a marketplace's id. Length uncertain."
    )
    BillingFirstName: Text = column(update=False, max_length=100, default="", personal=True)
    BillingLastName: Text = column(update=False, max_length=100, default="", personal=True)
    BillingCompany: Text = column(update=False, max_length=255, default="", personal=True)
    BillingAddress: Text = column(update=False, max_length=200, default="", personal=True)
    BillingAddress2: Text = column(update=False, max_length=50, default="", personal=True)
    BillingCity: Text = column(update=False, max_length=100, default="")
    BillingState: Text = column(update=False, max_length=100, default="")
    BillingZipCode: Text = column(update=False, max_length=20, default="", personal=True)
    BillingCountry: Text = column(update=False, max_length=50, default="")
    BillingPhoneNumber: Text = column(update=False, max_length=30, default="", personal=True)
    BillingEmail: Text = column(update=False, max_length=100, default="", personal=True)
    BillingPaymentMethod: Text = column(update=False, default="")
    ShipmentList: tuple[Shipment, ...] = column(update=False, default=())
    OrderItemList: tuple[OrderItem, ...] = column(update=False, default=())
    TransactionList: tuple[Transaction, ...] = column(update=False, default=())
    OrderDiscount: Decimal = column(update=False, default=Decimal(0))
    SalesTax: Decimal = column(update=False, default=Decimal(0))
    SalesTax2: Decimal = column(update=False, default=Decimal(0))
    SalesTax3: Decimal = column(update=False, default=Decimal(0))
    OrderAmount: Decimal = column(
        update=False, default=Decimal(0), doc="Lines with options + shipping + taxes - discount."
    )
    CustomerComments: Text = column(update=False, default="")
    InternalComments: Text = column(default="")
    ExternalComments: Text = column(max_length=50, default="")
    store_currency: str = column(
        create=False,
        update=False,
        default="",
        doc="Not the shop's: the connection's currency, added by the connector.",
    )

    def key(self) -> str:
        """The order's key as text: its OrderID."""
        return str(self.OrderID)
