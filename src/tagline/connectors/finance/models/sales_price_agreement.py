"""Sales prices by trade agreement."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar

from tagline.connectors.finance.models.customer import Customer
from tagline.connectors.finance.models.released_product import ReleasedProduct
from tagline.connectors.finance.models.warehouse import Warehouse
from tagline.domain.model import Model, Ref, Remote, column


class SalesPriceAgreement(Model):
    """
    A price of an item for a customer, a group of customers, or all where both are blank. Read only: new ones are posted from a trade
    agreement journal by people.

    Its names are assumed, see the package.
    """

    remote: ClassVar[Remote] = Remote(
        "finance", "SalesPriceAgreement", "SalesPriceAgreements", "RecordId", (("RecordId",),)
    )

    RecordId: int | None = column(create=False, update=False)
    ItemNumber: Ref[ReleasedProduct] | None = column(create=False, update=False)
    CustomerAccountNumber: Ref[Customer] | None = column(create=False, update=False)
    PriceCustomerGroupCode: str | None = column(create=False, update=False)
    PriceCurrencyCode: str | None = column(create=False, update=False)
    Price: Decimal | None = column(create=False, update=False)
    SalesPriceQuantity: Decimal | None = column(create=False, update=False)
    QuantityUnitSymbol: str | None = column(create=False, update=False)
    FromQuantity: Decimal | None = column(create=False, update=False)
    ToQuantity: Decimal | None = column(create=False, update=False)
    PriceApplicableFromDate: date | None = column(create=False, update=False)
    PriceApplicableToDate: date | None = column(create=False, update=False)
    PriceSiteId: str | None = column(create=False, update=False)
    PriceWarehouseId: Ref[Warehouse] | None = column(create=False, update=False)
