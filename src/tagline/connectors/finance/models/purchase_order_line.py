"""Lines of purchase orders."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar

from tagline.connectors.finance.enums import NoYes, PurchStatus
from tagline.connectors.finance.models.purchase_order_header import PurchaseOrderHeader
from tagline.connectors.finance.models.released_product import ReleasedProduct
from tagline.connectors.finance.models.warehouse import Warehouse
from tagline.domain.model import Model, Ref, Remote, column


class PurchaseOrderLine(Model):
    """
    A line, known by its order and its number.

    Source: reference/dataverse-metadata/fno-PurchaseOrderLinesV2.json.
    """

    remote: ClassVar[Remote] = Remote(
        "finance",
        "PurchaseOrderLineV2",
        "PurchaseOrderLinesV2",
        "row_id",
        (("LineNumber", "PurchaseOrderNumber"),),
    )

    row_id: str | None = column(create=False, update=False, local=True)
    PurchaseOrderNumber: Ref[PurchaseOrderHeader] | None = column(required=True, update=False)
    LineNumber: int | None = column(required=True, update=False)
    ItemNumber: Ref[ReleasedProduct] | None = column(update=False)
    ExternalItemNumber: str | None = column()
    LineDescription: str | None = column()
    OrderedPurchaseQuantity: Decimal | None = column(required=True)
    PurchaseUnitSymbol: str | None = column()
    PurchasePrice: Decimal | None = column()
    PurchasePriceQuantity: Decimal | None = column()
    LineDiscountAmount: Decimal | None = column()
    LineDiscountPercentage: Decimal | None = column()
    LineAmount: Decimal | None = column()
    CalculateLineAmount: NoYes | None = column()
    ReceivingSiteId: str | None = column()
    ReceivingWarehouseId: Ref[Warehouse] | None = column()
    RequestedDeliveryDate: date | None = column()
    ConfirmedDeliveryDate: date | None = column()
    PurchaseOrderLineStatus: PurchStatus | None = column(create=False, update=False)
    SalesTaxGroupCode: str | None = column()
    SalesTaxItemGroupCode: str | None = column()
