"""Accounts of the ledger."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

from tagline.connectors.finance.enums import DimensionLedgerAccountType, NoYes
from tagline.domain.model import Model, Remote, column


class MainAccount(Model):
    """
    An account of a chart of accounts, which companies share; only read.

    Source: reference/dataverse-metadata/fno-MainAccounts.json.
    """

    remote: ClassVar[Remote] = Remote(
        "finance", "MainAccount", "MainAccounts", "row_id", (("ChartOfAccounts", "MainAccountId"),)
    )

    row_id: str | None = column(create=False, update=False, local=True)
    ChartOfAccounts: str | None = column(create=False, update=False)
    MainAccountId: str | None = column(create=False, update=False)
    Name: str | None = column(create=False, update=False)
    MainAccountType: DimensionLedgerAccountType | None = column(create=False, update=False)
    MainAccountCategory: str | None = column(create=False, update=False)
    DefaultCurrency: str | None = column(create=False, update=False)
    IsSuspended: NoYes | None = column(create=False, update=False)
    DoNotAllowManualEntry: NoYes | None = column(create=False, update=False)
    ActiveFrom: date | None = column(create=False, update=False)
    ActiveTo: date | None = column(create=False, update=False)
