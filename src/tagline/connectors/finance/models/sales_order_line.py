"""Lines of sales orders."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar

from tagline.connectors.finance.enums import ItemReservation, SalesStatus
from tagline.connectors.finance.models.released_product import ReleasedProduct
from tagline.connectors.finance.models.sales_order_header import SalesOrderHeader
from tagline.connectors.finance.models.warehouse import Warehouse
from tagline.domain.model import Model, Ref, Remote, column


class SalesOrderLine(Model):
    """
    A line. Finance gives `InventoryLotId`; what a line is found again by is its order and our number in `CustomersLineNumber`, which is 0
    on a line that a person added. Writing a line reserves stock as the order's reservation method says.

    Its names are assumed, see the package.
    """

    remote: ClassVar[Remote] = Remote(
        "finance",
        "SalesOrderLine",
        "SalesOrderLines",
        "InventoryLotId",
        (("CustomersLineNumber", "SalesOrderNumber"),),
    )

    InventoryLotId: str | None = column(create=False, update=False)
    SalesOrderNumber: Ref[SalesOrderHeader] | None = column(required=True, update=False)
    CustomersLineNumber: int | None = column()
    LineCreationSequenceNumber: int | None = column(create=False, update=False)
    ItemNumber: Ref[ReleasedProduct] | None = column(required=True, update=False)
    ExternalItemNumber: str | None = column()
    LineDescription: str | None = column()
    OrderedSalesQuantity: Decimal | None = column(required=True)
    SalesUnitSymbol: str | None = column()
    SalesPrice: Decimal | None = column()
    SalesPriceQuantity: Decimal | None = column()
    LineDiscountAmount: Decimal | None = column()
    LineDiscountPercentage: Decimal | None = column()
    LineAmount: Decimal | None = column()
    CurrencyCode: str | None = column(create=False, update=False)
    ShippingSiteId: str | None = column()
    ShippingWarehouseId: Ref[Warehouse] | None = column()
    ProductConfigurationId: str | None = column()
    ProductColorId: str | None = column()
    ProductSizeId: str | None = column()
    ProductStyleId: str | None = column()
    SalesOrderLineStatus: SalesStatus | None = column(create=False, update=False)
    InventoryReservationMethod: ItemReservation | None = column()
    RequestedShippingDate: date | None = column()
    RequestedReceiptDate: date | None = column()
    SalesTaxGroupCode: str | None = column()
    SalesTaxItemGroupCode: str | None = column()
