"""Products released to a legal entity."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from tagline.connectors.finance.models.vendor import Vendor
from tagline.domain.model import Model, Ref, Remote, column


class ReleasedProduct(Model):
    """
    A product that the company may buy, stock and sell; `SalesPrice` is its base price, see `SalesPriceAgreement` for others.

    Its names are assumed, see the package.
    """

    remote: ClassVar[Remote] = Remote(
        "finance", "ReleasedProductV2", "ReleasedProductsV2", "ItemNumber", (("ItemNumber",),)
    )

    ItemNumber: str | None = column(required=True, update=False)
    ProductNumber: str | None = column(update=False)
    ProductName: str | None = column(create=False, update=False)
    SearchName: str | None = column()
    ItemModelGroupId: str | None = column()
    ProductGroupId: str | None = column()
    InventoryUnitSymbol: str | None = column()
    SalesUnitSymbol: str | None = column()
    PurchaseUnitSymbol: str | None = column()
    SalesPrice: Decimal | None = column()
    SalesPriceQuantity: Decimal | None = column()
    UnitCost: Decimal | None = column()
    PurchasePrice: Decimal | None = column()
    NetProductWeight: Decimal | None = column()
    GrossProductWeight: Decimal | None = column()
    SalesSalesTaxItemGroupCode: str | None = column()
    PrimaryVendorAccountNumber: Ref[Vendor] | None = column()
