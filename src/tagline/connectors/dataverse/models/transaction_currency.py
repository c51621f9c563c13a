"""Currencies."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from tagline.domain.model import Model, Remote, column


class TransactionCurrency(Model):
    """A currency; its ISO code has an alternate key of ours."""

    remote: ClassVar[Remote] = Remote(
        "dataverse",
        "transactioncurrency",
        "transactioncurrencies",
        "transactioncurrencyid",
        (("isocurrencycode",),),
    )

    transactioncurrencyid: str | None = column()
    isocurrencycode: str | None = column(required=True, max_length=5)
    currencyname: str | None = column(required=True, max_length=100)
    currencyprecision: int | None = column(required=True)
    currencysymbol: str | None = column(required=True, max_length=10)
    exchangerate: Decimal | None = column(
        create=False, update=False, doc="Units of this currency for one of the organisation's."
    )
    statecode: int | None = column(create=False, options=(0, 1))
