"""Questions to Supply Chain about stock, asked through dual-write."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from tagline.connectors.dataverse.models.product import Product
from tagline.connectors.dataverse.models.warehouse import Warehouse
from tagline.domain.model import Model, Ref, Remote, column


class InventoryOnHandRequest(Model):
    """One question; its answers come later as entries. Types of its columns are inferred from a description."""

    remote: ClassVar[Remote] = Remote(
        "dataverse",
        "msdyn_inventoryonhandrequest",
        "msdyn_inventoryonhandrequests",
        "msdyn_inventoryonhandrequestid",
    )

    msdyn_inventoryonhandrequestid: str | None = column()
    msdyn_name: str | None = column(max_length=100)
    msdyn_requestid: str | None = column(max_length=100)
    msdyn_referencenumber: str | None = column(max_length=100)
    msdyn_product: Ref[Product] | None = column()
    msdyn_inventorywarehouse: Ref[Warehouse] | None = column()
    msdyn_orderquantity: Decimal | None = column()
    msdyn_isatpcalculation: bool | None = column()
    statecode: int | None = column(create=False, options=(0, 1))
