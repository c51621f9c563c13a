"""Purchase orders of Field Service."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from tagline.connectors.dataverse.models.account import Account
from tagline.connectors.dataverse.models.transaction_currency import TransactionCurrency
from tagline.connectors.dataverse.models.warehouse import Warehouse
from tagline.domain.model import Model, Ref, Remote, column

STATUSES = (690970000, 690970001, 690970002, 690970003, 690970004)
"""Draft, Submitted, Canceled, Products Received, Billed."""


class PurchaseOrder(Model):
    """A purchase order; its vendor is an account."""

    remote: ClassVar[Remote] = Remote(
        "dataverse", "msdyn_purchaseorder", "msdyn_purchaseorders", "msdyn_purchaseorderid"
    )

    msdyn_purchaseorderid: str | None = column()
    msdyn_name: str | None = column(max_length=100, doc="Its number.")
    msdyn_vendor: Ref[Account] | None = column(required=True)
    msdyn_purchaseorderdate: datetime | None = column(required=True)
    msdyn_systemstatus: int | None = column(required=True, options=STATUSES)
    msdyn_approvalstatus: int | None = column(options=(690970000, 690970001))
    msdyn_receivetowarehouse: Ref[Warehouse] | None = column()
    transactioncurrencyid: Ref[TransactionCurrency] | None = column(required=True)
    msdyn_totalamount: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    msdyn_amountbilled: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    statecode: int | None = column(create=False, options=(0, 1))
