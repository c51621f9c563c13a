"""Posted invoices of sales orders."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar

from tagline.connectors.finance.models.customer import Customer
from tagline.connectors.finance.models.sales_order_header import SalesOrderHeader
from tagline.domain.model import Model, Ref, Remote, column


class SalesInvoiceHeader(Model):
    """
    An invoice as it was posted; it never changes afterwards, and is only read.

    Its names are assumed, see the package.
    """

    remote: ClassVar[Remote] = Remote(
        "finance",
        "SalesInvoiceHeaderV2",
        "SalesInvoiceHeadersV2",
        "row_id",
        (("InvoiceDate", "InvoiceNumber", "LedgerVoucher"), ("InvoiceNumber",)),
    )

    row_id: str | None = column(create=False, update=False, local=True)
    InvoiceNumber: str | None = column(create=False, update=False)
    InvoiceDate: date | None = column(create=False, update=False)
    LedgerVoucher: str | None = column(create=False, update=False)
    SalesOrderNumber: Ref[SalesOrderHeader] | None = column(create=False, update=False)
    InvoiceCustomerAccountNumber: Ref[Customer] | None = column(create=False, update=False)
    OrderingCustomerAccountNumber: Ref[Customer] | None = column(create=False, update=False)
    CurrencyCode: str | None = column(create=False, update=False)
    TotalInvoiceAmount: Decimal | None = column(create=False, update=False)
    TotalTaxAmount: Decimal | None = column(create=False, update=False)
    TotalDiscountAmount: Decimal | None = column(create=False, update=False)
    TotalChargeAmount: Decimal | None = column(create=False, update=False)
    CustomersOrderReference: str | None = column(create=False, update=False)
    PaymentTermsName: str | None = column(create=False, update=False)
    DueDate: date | None = column(create=False, update=False)
