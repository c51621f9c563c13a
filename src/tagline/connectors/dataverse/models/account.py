"""Accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from tagline.connectors.dataverse.models.transaction_currency import TransactionCurrency
from tagline.domain.model import Model, Ref, Remote, column

if TYPE_CHECKING:
    from tagline.connectors.dataverse.models.contact import Contact


class Account(Model):
    """A customer that buys."""

    remote: ClassVar[Remote] = Remote("dataverse", "account", "accounts", "accountid", (("tl_customerkey",),))

    accountid: str | None = column()
    tl_customerkey: str | None = column(
        max_length=100, doc="The shop's customer, by id or a digest of the e-mail; address-safe."
    )
    name: str | None = column(required=True, max_length=160, personal=True)
    accountnumber: str | None = column(max_length=20)
    primarycontactid: Ref[Contact] | None = column()
    emailaddress1: str | None = column(max_length=100, personal=True)
    telephone1: str | None = column(max_length=50, personal=True)
    fax: str | None = column(max_length=50, personal=True)
    websiteurl: str | None = column(max_length=200)
    description: str | None = column(max_length=2000)
    address1_name: str | None = column(max_length=200, personal=True)
    address1_line1: str | None = column(max_length=250, personal=True)
    address1_line2: str | None = column(max_length=250, personal=True)
    address1_line3: str | None = column(max_length=250, personal=True)
    address1_city: str | None = column(max_length=80)
    address1_stateorprovince: str | None = column(max_length=50)
    address1_postalcode: str | None = column(max_length=20, personal=True)
    address1_country: str | None = column(max_length=80)
    transactioncurrencyid: Ref[TransactionCurrency] | None = column()
    paymenttermscode: int | None = column(options=(1, 2, 3, 4))
    creditlimit: Decimal | None = column(precision=2, unit="money")
    creditonhold: bool | None = column()
    statecode: int | None = column(create=False, options=(0, 1))
    statuscode: int | None = column(options=(1, 2))
