"""Lines of invoices."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from tagline.connectors.dataverse.models.invoice import Invoice
from tagline.connectors.dataverse.models.product import Product
from tagline.connectors.dataverse.models.sales_order_detail import SalesOrderDetail
from tagline.connectors.dataverse.models.unit_of_measure import UnitOfMeasure
from tagline.domain.model import Model, Ref, Remote, column


class InvoiceDetail(Model):
    """A line of an invoice."""

    remote: ClassVar[Remote] = Remote(
        "dataverse", "invoicedetail", "invoicedetails", "invoicedetailid", (("tl_linekey",),)
    )

    invoicedetailid: str | None = column()
    tl_linekey: str | None = column(max_length=100, doc="The invoice and its row; address-safe.")
    invoiceid: Ref[Invoice] | None = column(required=True, update=False)
    salesorderdetailid: Ref[SalesOrderDetail] | None = column()
    productid: Ref[Product] | None = column()
    uomid: Ref[UnitOfMeasure] | None = column()
    isproductoverridden: bool | None = column(update=False)
    productdescription: str | None = column(max_length=500)
    ispriceoverridden: bool | None = column()
    quantity: Decimal | None = column(precision=5)
    priceperunit: Decimal | None = column(precision=2, unit="money")
    manualdiscountamount: Decimal | None = column(precision=2, unit="money")
    tax: Decimal | None = column(precision=2, unit="money")
    description: str | None = column(max_length=2000)
    lineitemnumber: int | None = column()
    shippingtrackingnumber: str | None = column(max_length=100)
    baseamount: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    extendedamount: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    pricingerrorcode: int | None = column(create=False, update=False)
