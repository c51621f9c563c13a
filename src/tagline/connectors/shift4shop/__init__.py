"""3dcart / Shift4Shop: what an integration names of it. The client is built by `tagline.connectors.connect`."""

from __future__ import annotations

from typing import ClassVar

from tagline.connectors.shift4shop.models import (
    AdvancedOption,
    Category,
    Customer,
    CustomerGroup,
    Distributor,
    Manufacturer,
    Order,
    OrderItem,
    OrderStatus,
    Product,
    ProductCategory,
    ProductDistributor,
    Promotion,
    Question,
    Rma,
    RmaItem,
    Shipment,
    SkuInfo,
    Transaction,
)
from tagline.domain.system import System, Trigger

__all__ = [
    "AdvancedOption",
    "Category",
    "Customer",
    "CustomerGroup",
    "Distributor",
    "Manufacturer",
    "Order",
    "OrderItem",
    "OrderStatus",
    "Product",
    "ProductCategory",
    "ProductDistributor",
    "Promotion",
    "Question",
    "Rma",
    "RmaItem",
    "Shift4Shop",
    "Shipment",
    "SkuInfo",
    "Transaction",
]


class Shift4Shop(System):
    """
    A 3dcart / Shift4Shop store.

    Which events a store offers beside those of orders is its own list; one it does not have is told when webhooks are registered.
    """

    kind: ClassVar[str] = "shift4shop"

    @property
    def order_placed(self) -> Trigger:
        """An order was placed."""
        return Trigger(self, "order-placed", Order)

    @property
    def order_changed(self) -> Trigger:
        """An order's status or content changed."""
        return Trigger(self, "order-changed", Order)

    @property
    def product_changed(self) -> Trigger:
        """A product was edited."""
        return Trigger(self, "product-changed", Product)

    @property
    def customer_placed(self) -> Trigger:
        """A customer registered."""
        return Trigger(self, "customer-placed", Customer)

    @property
    def customer_changed(self) -> Trigger:
        """A customer was edited."""
        return Trigger(self, "customer-changed", Customer)
