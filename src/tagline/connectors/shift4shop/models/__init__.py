"""Models of 3dcart / Shift4Shop records, one file per entity."""

from __future__ import annotations

from tagline.connectors.shift4shop.models.base import ShopModel
from tagline.connectors.shift4shop.models.category import Category
from tagline.connectors.shift4shop.models.customer import Customer, CustomerGroup
from tagline.connectors.shift4shop.models.distributor import Distributor
from tagline.connectors.shift4shop.models.manufacturer import Manufacturer
from tagline.connectors.shift4shop.models.order import (
    Order,
    OrderItem,
    Promotion,
    Question,
    Shipment,
    Transaction,
)
from tagline.connectors.shift4shop.models.order_status import OrderStatus
from tagline.connectors.shift4shop.models.product import (
    AdvancedOption,
    Product,
    ProductCategory,
    ProductDistributor,
    SkuInfo,
)
from tagline.connectors.shift4shop.models.rma import Rma, RmaItem

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
    "Shipment",
    "ShopModel",
    "SkuInfo",
    "Transaction",
]
