"""Lines of sales orders."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from tagline.connectors.dataverse.models.product import Product
from tagline.connectors.dataverse.models.sales_order import SalesOrder
from tagline.connectors.dataverse.models.unit_of_measure import UnitOfMeasure
from tagline.domain.model import Model, Ref, Remote, column


class SalesOrderDetail(Model):
    """A line of a sales order."""

    remote: ClassVar[Remote] = Remote(
        "dataverse", "salesorderdetail", "salesorderdetails", "salesorderdetailid", (("tl_linekey",),)
    )

    salesorderdetailid: str | None = column()
    tl_linekey: str | None = column(max_length=100, doc="The shop's order and row; address-safe.")
    salesorderid: Ref[SalesOrder] | None = column(required=True, update=False)
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
    baseamount: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    extendedamount: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    pricingerrorcode: int | None = column(create=False, update=False)
