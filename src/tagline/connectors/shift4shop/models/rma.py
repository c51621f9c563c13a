"""Returns (RMA), read only and without amounts. Field names: reference/shift4shop-api.md section 7."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from tagline.connectors.shift4shop.models.base import Code, ShopModel, Text, Whole
from tagline.domain.model import Remote, column


class RmaItem(ShopModel):
    """What a shopper sends back."""

    remote: ClassVar[Remote] = Remote("shift4shop", "RMAItem", "Items", "CatalogID")

    CatalogID: Whole = column(create=False, update=False, default=0)
    SKU: Code = column(create=False, update=False, default="")
    ItemName: Text = column(create=False, update=False, default="")
    ReturnQuantity: Whole = column(create=False, update=False, default=0)
    ReceivedQuantity: Whole = column(create=False, update=False, default=0)
    RestockQuantity: Whole = column(create=False, update=False, default=0)


class Rma(ShopModel):
    """A return; what its reason, method and status ids mean cannot be looked up."""

    remote: ClassVar[Remote] = Remote("shift4shop", "RMA", "RMA", "RMAID")

    RMAID: Whole = column(create=False, update=False, default=0, doc="Primary key.")
    RmaDate: datetime | None = column(create=False, update=False)
    OrderID: Whole = column(create=False, update=False, default=0)
    RMAReasonID: Whole = column(create=False, update=False, default=0)
    RMAMethodID: Whole = column(create=False, update=False, default=0)
    RMAStatusID: Whole = column(create=False, update=False, default=0)
    Comments: Text = column(create=False, update=False, default="", personal=True)
    InternalComments: Text = column(create=False, update=False, default="")
    StaffComments: Text = column(create=False, update=False, default="")
    RMAItemList: tuple[RmaItem, ...] = column(create=False, update=False, default=())
