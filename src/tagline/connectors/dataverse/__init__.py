"""Dataverse: what an integration names of it. The client is built by `tagline.connectors.connect`."""

from __future__ import annotations

from typing import ClassVar

from tagline.connectors.dataverse.models import (
    Account,
    Contact,
    PriceLevel,
    Product,
    SalesOrder,
    SalesOrderDetail,
    TransactionCurrency,
    UnitOfMeasure,
)
from tagline.domain.system import System

__all__ = [
    "Account",
    "Contact",
    "Dataverse",
    "PriceLevel",
    "Product",
    "SalesOrder",
    "SalesOrderDetail",
    "TransactionCurrency",
    "UnitOfMeasure",
]


class Dataverse(System):
    """A Dataverse organisation."""

    kind: ClassVar[str] = "dataverse"
