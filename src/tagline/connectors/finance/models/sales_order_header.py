"""Sales orders."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar

from tagline.connectors.finance.enums import ItemReservation, NoYes, ProcessingStatus, SalesStatus
from tagline.connectors.finance.models.customer import Customer
from tagline.connectors.finance.models.warehouse import Warehouse
from tagline.domain.model import Model, Ref, Remote, column


class SalesOrderHeader(Model):
    """
    A sales order without its lines. A number sequence gives the number; `CustomersOrderReference` is ours, and what an order is found
    again by before its number is known. Finance does not keep it unique.

    Source: reference/dataverse-metadata/fno-SalesOrderHeadersV2.json.
    """

    remote: ClassVar[Remote] = Remote(
        "finance",
        "SalesOrderHeaderV2",
        "SalesOrderHeadersV2",
        "SalesOrderNumber",
        (("CustomersOrderReference",),),
    )

    SalesOrderNumber: str | None = column(update=False)
    CustomersOrderReference: str | None = column()
    OrderingCustomerAccountNumber: Ref[Customer] | None = column(required=True)
    InvoiceCustomerAccountNumber: Ref[Customer] | None = column()
    SalesOrderName: str | None = column(personal=True)
    CurrencyCode: str | None = column(required=True)
    SalesOrderOriginCode: str | None = column()
    SalesOrderPoolId: str | None = column()
    SalesOrderStatus: SalesStatus | None = column(create=False, update=False)
    SalesOrderProcessingStatus: ProcessingStatus | None = column(create=False, update=False)
    OrderCreationDateTime: datetime | None = column(create=False, update=False)
    RequestedShippingDate: date | None = column()
    RequestedReceiptDate: date | None = column()
    ConfirmedShippingDate: date | None = column()
    ConfirmedReceiptDate: date | None = column()
    DefaultShippingSiteId: str | None = column()
    DefaultShippingWarehouseId: Ref[Warehouse] | None = column()
    DeliveryModeCode: str | None = column()
    DeliveryTermsCode: str | None = column()
    DeliveryAddressName: str | None = column(personal=True)
    DeliveryAddressStreet: str | None = column(personal=True)
    DeliveryAddressCity: str | None = column(personal=True)
    DeliveryAddressStateId: str | None = column()
    DeliveryAddressZipCode: str | None = column(personal=True)
    DeliveryAddressCountryRegionId: str | None = column()
    IsDeliveryAddressOrderSpecific: NoYes | None = column()
    Email: str | None = column(personal=True)
    LanguageId: str | None = column()
    PaymentTermsName: str | None = column()
    CustomerPaymentMethodName: str | None = column()
    SalesTaxGroupCode: str | None = column()
    ArePricesIncludingSalesTax: NoYes | None = column()
    InventoryReservationMethod: ItemReservation | None = column()
    TotalDiscountPercentage: Decimal | None = column()
    OrderTotalAmount: Decimal | None = column(create=False, update=False)
    OrderTotalTaxAmount: Decimal | None = column(create=False, update=False)
    OrderTotalChargesAmount: Decimal | None = column(create=False, update=False)
    OrderTotalDiscountAmount: Decimal | None = column(create=False, update=False)
