"""Orders and what belongs to them. Field names, lengths and quirks: reference/shift4shop-api.md section 5."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from tagline.connectors.shift4shop.models.base import Code, Number, ShopModel, Text, Whole
from tagline.domain.model import Remote, column


class OrderItem(ShopModel):
    """One row of an order; bundle parts are rows of price zero."""

    remote: ClassVar[Remote] = Remote(
        "shift4shop", "OrderItem", "Items", "ItemIndexID", (("OrderID", "ItemIndexID"), ("OrderID", "ItemID"))
    )

    OrderID: Whole = column(
        update=False, local=True, default=0, doc="Of the order; empty where the row stands in its order."
    )
    CatalogID: Whole = column(update=False, default=0)
    ItemIndexID: Whole = column(update=False, default=0, doc="Key of the row within its order.")
    ItemID: Text = column(update=False, max_length=150, default="", doc="The SKU.")
    ItemShipmentID: Whole = column(default=0, doc="0 on orders with one address.")
    ItemQuantity: Decimal = column(default=Decimal(0))
    ItemDescription: Text = column(default="", doc="HTML: name, then options.")
    ItemUnitPrice: Decimal = column(default=Decimal(0), doc="Without options.")
    ItemOptionPrice: Decimal = column(default=Decimal(0), doc="Options, per unit.")
    ItemOptions: Text = column(
        update=False, default="", doc="Option ids, a comma before each; joined by `-` the variant's code."
    )
    ItemAdditionalField1: Text = column(max_length=255, default="")
    ItemAdditionalField2: Text = column(max_length=255, default="")
    ItemAdditionalField3: Text = column(
        max_length=255, default="", doc="ItemIndexID of the bundle's parent row."
    )
    ItemWeight: Number = column(default=Decimal(0), doc="In the store's unit of weight.")
    ItemUnitCost: Number = column(default=Decimal(0))
    ItemUnitStock: Number = column(
        create=False, update=False, default=Decimal(0), doc="Stock at the time of reading; may be negative."
    )
    ItemWarehouseID: Whole = column(default=0)
    ItemWarehouseLocation: Text = column(update=False, max_length=150, default="")


class Shipment(ShopModel):
    """One destination of an order; ShipmentID is 0 on ordinary orders and so no key."""

    remote: ClassVar[Remote] = Remote(
        "shift4shop",
        "Shipment",
        "Shipments",
        "ShipmentID",
        (("OrderID", "ShipmentID"), ("OrderID", "ShipmentTrackingCode")),
    )

    OrderID: Whole = column(
        update=False, local=True, default=0, doc="Of the order; empty where the shipment stands in its order."
    )
    ShipmentID: Whole = column(update=False, default=0)
    ShipmentOrderStatus: Whole = column(
        default=0, doc="Writing it on shipment 0 sets the order's status, and can mail the shopper."
    )
    ShipmentFirstName: Text = column(max_length=100, default="", personal=True)
    ShipmentLastName: Text = column(max_length=50, default="", personal=True)
    ShipmentCompany: Text = column(max_length=200, default="", personal=True)
    ShipmentAddress: Text = column(max_length=255, default="", personal=True)
    ShipmentAddress2: Text = column(max_length=50, default="", personal=True)
    ShipmentCity: Text = column(max_length=50, default="")
    ShipmentState: Text = column(max_length=50, default="")
    ShipmentZipCode: Text = column(max_length=20, default="", personal=True)
    ShipmentCountry: Text = column(max_length=50, default="")
    ShipmentPhone: Text = column(max_length=50, default="", personal=True)
    ShipmentEmail: Text = column(max_length=100, default="", personal=True)
    ShipmentCost: Decimal = column(default=Decimal(0))
    ShipmentTax: Decimal = column(
        update=False, default=Decimal(0), doc="On shipment 0 it repeats the order's tax: never add it."
    )
    ShipmentMethodName: Text = column(
        max_length=150, default="", doc="Holds the carrier, too. Letters, digits, spaces and . ( ) - alone."
    )
    ShipmentTrackingCode: Text = column(max_length=100, default="")
    ShipmentShippedDate: Text = column(max_length=50, default="", doc="Free text in several formats.")
    ShipmentNumber: Whole = column(update=False, default=0, doc="1-based.")
    ShipmentBoxes: Whole = column(default=0)
    ShipmentInternalComment: Text = column(default="")
    ShipmentMethodID: Whole = column(default=0)
    ShipmentWeight: Number = column(default=Decimal(0), doc="In the store's unit of weight.")
    ShipmentAlias: Text = column(max_length=100, default="", personal=True)
    ShipmentAddressTypeID: Whole = column(default=0)


class Transaction(ShopModel):
    """A payment row; a gift certificate is one, never a discount."""

    remote: ClassVar[Remote] = Remote(
        "shift4shop",
        "Transaction",
        "Transactions",
        "TransactionIndexID",
        (("OrderID", "TransactionIndexID"), ("OrderID", "TransactionID")),
    )

    OrderID: Whole = column(update=False, default=0)
    TransactionIndexID: Whole = column(update=False, default=0, doc="Key of the row.")
    TransactionID: Text = column(
        max_length=50, default="", doc="The gateway's; may have a text before it, as PayPal's does."
    )
    TransactionDateTime: datetime | None = column()
    TransactionType: Text = column(
        max_length=10, default="", doc="`Sale` and `CBA` were seen; no list is published."
    )
    TransactionMethod: Text = column(max_length=255, default="")
    TransactionAmount: Decimal = column(default=Decimal(0))
    TransactionApproval: Text = column(max_length=50, default="")
    TransactionReference: Text = column(
        max_length=255, default="", personal=True, doc="Of a gift certificate its code, which is worth money."
    )
    TransactionGatewayID: Whole = column(default=0)
    TransactionResponseCode: Text = column(max_length=50, default="")
    TransactionCaptured: Whole = column(default=0, doc="0 on settled sales as well: tells nothing.")


class Question(ShopModel):
    """A checkout question with its answer."""

    remote: ClassVar[Remote] = Remote(
        "shift4shop",
        "Question",
        "Questions",
        "QuestionAnswerIndexID",
        (("OrderID", "QuestionAnswerIndexID"), ("OrderID", "QuestionID")),
    )

    OrderID: Whole = column(update=False, default=0)
    QuestionAnswerIndexID: Whole = column(
        update=False, default=0, doc="Key of the row; older stores leave it out."
    )
    QuestionID: Whole = column(update=False, default=0)
    QuestionTitle: Text = column(default="")
    QuestionAnswer: Text = column(default="", personal=True)
    QuestionType: Text = column(update=False, max_length=10, default="")
    QuestionCheckoutStep: Whole = column(update=False, default=0)
    QuestionSorting: Whole = column(default=0)
    QuestionDiscountGroup: Whole = column(update=False, default=0)


class Promotion(ShopModel):
    """A promotion that an order enjoyed; coupon codes stand nowhere else."""

    remote: ClassVar[Remote] = Remote("shift4shop", "Promotion", "Promotions", "PromotionID")

    PromotionID: Whole = column(update=False, default=0)
    PromotionName: Text = column(update=False, max_length=150, default="")
    Coupon: Text = column(update=False, max_length=50, default="")
    DiscountAmount: Number = column(update=False, default=Decimal(0))


class Order(ShopModel):
    """An order of the shop; the grand total is OrderAmount, and no currency stands in it."""

    remote: ClassVar[Remote] = Remote(
        "shift4shop", "Order", "Orders", "OrderID", (("InvoiceNumberPrefix", "InvoiceNumber"),)
    )

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
    BillingPaymentMethodID: Code = column(
        update=False, default="", doc="A number as text; a new order needs one that exists."
    )
    OrderType: Code = column(update=False, default="")
    SalesPerson: Text = column(max_length=50, default="")
    ShipmentList: tuple[Shipment, ...] = column(update=False, default=())
    OrderItemList: tuple[OrderItem, ...] = column(update=False, default=())
    TransactionList: tuple[Transaction, ...] = column(update=False, default=())
    QuestionList: tuple[Question, ...] = column(update=False, default=())
    PromotionList: tuple[Promotion, ...] = column(create=False, update=False, default=())
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
        local=True,
        default="",
        doc="Not the shop's: the connection's currency, added by the connector.",
    )

    def key(self) -> str:
        """The order's key as text: its OrderID."""
        return str(self.OrderID)
