"""The states an order can be in. Source: reference/shift4shop-api.md section 5.6."""

from __future__ import annotations

from typing import ClassVar

from tagline.connectors.shift4shop.models.base import Flag, ShopModel, Text, Whole
from tagline.domain.model import Remote, column


class OrderStatus(ShopModel):
    """A state of orders; read only. Tell states by id or definition, never by the text, which the merchant edits."""

    remote: ClassVar[Remote] = Remote("shift4shop", "OrderStatus", "OrderStatus", "OrderStatusID")

    OrderStatusID: Whole = column(create=False, update=False, default=0, doc="Primary key.")
    Sorting: Whole = column(create=False, update=False, default=0)
    StatusDefinition: Text = column(
        create=False, update=False, max_length=50, default="", doc="The vendor's."
    )
    StatusText: Text = column(create=False, update=False, max_length=50, default="", doc="The merchant's.")
    Visible: Flag = column(create=False, update=False, default=False)
