"""Stock by item, dimensions, site and warehouse."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from tagline.connectors.finance.models.released_product import ReleasedProduct
from tagline.connectors.finance.models.warehouse import Warehouse
from tagline.domain.model import Model, Ref, Remote, column


class WarehouseOnHand(Model):
    """
    What a warehouse holds of one item in one combination of dimensions, which are blank where the item has none. Finance computes it; it is
    only read.

    Source: reference/dataverse-metadata/fno-WarehousesOnHandV2.json.
    """

    remote: ClassVar[Remote] = Remote(
        "finance",
        "WarehouseOnHandV2",
        "WarehousesOnHandV2",
        "row_id",
        (
            (
                "InventorySiteId",
                "InventoryWarehouseId",
                "ItemNumber",
                "ProductColorId",
                "ProductConfigurationId",
                "ProductSizeId",
                "ProductStyleId",
                "ProductVersionId",
            ),
        ),
    )

    row_id: str | None = column(create=False, update=False, local=True)
    ItemNumber: Ref[ReleasedProduct] | None = column(create=False, update=False)
    ProductColorId: str | None = column(create=False, update=False)
    ProductConfigurationId: str | None = column(create=False, update=False)
    ProductSizeId: str | None = column(create=False, update=False)
    ProductStyleId: str | None = column(create=False, update=False)
    ProductVersionId: str | None = column(create=False, update=False)
    InventorySiteId: str | None = column(create=False, update=False)
    InventoryWarehouseId: Ref[Warehouse] | None = column(create=False, update=False)
    ProductName: str | None = column(create=False, update=False)
    OnHandQuantity: Decimal | None = column(create=False, update=False)
    AvailableOnHandQuantity: Decimal | None = column(create=False, update=False)
    ReservedOnHandQuantity: Decimal | None = column(create=False, update=False)
    OrderedQuantity: Decimal | None = column(create=False, update=False)
    OnOrderQuantity: Decimal | None = column(create=False, update=False)
    TotalAvailableQuantity: Decimal | None = column(create=False, update=False)
