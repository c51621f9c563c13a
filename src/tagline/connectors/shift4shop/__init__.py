"""3dcart / Shift4Shop: what an integration names of it. The client is built by `tagline.connectors.connect`."""

from __future__ import annotations

from typing import ClassVar

from tagline.connectors.shift4shop.models import Order, OrderItem, Shipment, Transaction
from tagline.domain.system import System, Trigger

__all__ = ["Order", "OrderItem", "Shift4Shop", "Shipment", "Transaction"]


class Shift4Shop(System):
    """A 3dcart / Shift4Shop store."""

    kind: ClassVar[str] = "shift4shop"

    @property
    def order_placed(self) -> Trigger:
        """An order was placed."""
        return Trigger(self, "order-placed", Order)

    @property
    def order_changed(self) -> Trigger:
        """An order's status or content changed."""
        return Trigger(self, "order-changed", Order)
