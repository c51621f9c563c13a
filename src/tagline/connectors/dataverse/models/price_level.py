"""Price lists."""

from __future__ import annotations

from typing import ClassVar

from tagline.connectors.dataverse.models.transaction_currency import TransactionCurrency
from tagline.domain.model import Model, Ref, Remote, column


class PriceLevel(Model):
    """A price list."""

    remote: ClassVar[Remote] = Remote("dataverse", "pricelevel", "pricelevels", "pricelevelid", (("name",),))

    pricelevelid: str | None = column()
    name: str | None = column(required=True, max_length=100)
    transactioncurrencyid: Ref[TransactionCurrency] | None = column(update=False)
    description: str | None = column(max_length=2000)
    statecode: int | None = column(create=False, options=(0, 1))
    statuscode: int | None = column(options=(100001, 100002))
