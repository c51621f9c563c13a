"""Prices of products in price lists."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from tagline.connectors.dataverse.models.price_level import PriceLevel
from tagline.connectors.dataverse.models.product import Product
from tagline.connectors.dataverse.models.transaction_currency import TransactionCurrency
from tagline.connectors.dataverse.models.unit_group import UnitGroup
from tagline.connectors.dataverse.models.unit_of_measure import UnitOfMeasure
from tagline.domain.model import Model, Ref, Remote, column


class ProductPriceLevel(Model):
    """What a unit of a product costs in a price list; one for each (price list, product, unit)."""

    remote: ClassVar[Remote] = Remote(
        "dataverse", "productpricelevel", "productpricelevels", "productpricelevelid", (("tl_pricekey",),)
    )

    productpricelevelid: str | None = column()
    tl_pricekey: str | None = column(max_length=100, doc="Price list, SKU and unit; address-safe.")
    pricelevelid: Ref[PriceLevel] | None = column(required=True)
    productid: Ref[Product] | None = column(required=True)
    uomid: Ref[UnitOfMeasure] | None = column(required=True)
    uomscheduleid: Ref[UnitGroup] | None = column()
    transactioncurrencyid: Ref[TransactionCurrency] | None = column()
    pricingmethodcode: int | None = column(
        options=(1, 2, 3, 4, 5, 6), doc="1 takes `amount`, the others a `percentage` of another price."
    )
    amount: Decimal | None = column(precision=2, unit="money")
    percentage: Decimal | None = column()
    quantitysellingcode: int | None = column(options=(1, 2, 3))
    roundingpolicycode: int | None = column(options=(1, 2, 3, 4))
    roundingoptioncode: int | None = column(options=(1, 2))
    roundingoptionamount: Decimal | None = column(precision=2, unit="money")
