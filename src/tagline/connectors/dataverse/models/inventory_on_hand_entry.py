"""Answers of Supply Chain about stock."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from tagline.connectors.dataverse.models.inventory_on_hand_request import InventoryOnHandRequest
from tagline.connectors.dataverse.models.warehouse import Warehouse
from tagline.domain.model import Model, Ref, Remote, column


class InventoryOnHandEntry(Model):
    """One answer to a request; never written by us. Types of its columns are inferred from a description."""

    remote: ClassVar[Remote] = Remote(
        "dataverse",
        "msdyn_inventoryonhandentry",
        "msdyn_inventoryonhandentries",
        "msdyn_inventoryonhandentryid",
    )

    msdyn_inventoryonhandentryid: str | None = column()
    msdyn_name: str | None = column(create=False, update=False, max_length=100)
    msdyn_request: Ref[InventoryOnHandRequest] | None = column(create=False, update=False)
    msdyn_inventorywarehouse: Ref[Warehouse] | None = column(create=False, update=False)
    msdyn_atpdate: datetime | None = column(create=False, update=False)
    msdyn_onhandquantity: Decimal | None = column(create=False, update=False)
    msdyn_availableonhandquantity: Decimal | None = column(create=False, update=False)
    msdyn_reservedonhandquantity: Decimal | None = column(create=False, update=False)
    msdyn_unavailableonhandquantity: Decimal | None = column(create=False, update=False)
    msdyn_orderedquantity: Decimal | None = column(create=False, update=False)
    msdyn_availableorderedquantity: Decimal | None = column(create=False, update=False)
    msdyn_reservedorderedquantity: Decimal | None = column(create=False, update=False)
    msdyn_onorderquantity: Decimal | None = column(create=False, update=False)
    msdyn_totalavailablequantity: Decimal | None = column(create=False, update=False)
    msdyn_projectedonhandquantity: Decimal | None = column(create=False, update=False)
    msdyn_projectedreceiptquantity: Decimal | None = column(create=False, update=False)
    msdyn_projectedissuequantity: Decimal | None = column(create=False, update=False)
    msdyn_atpquantity: Decimal | None = column(create=False, update=False)
