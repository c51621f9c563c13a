"""Sales orders."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar

from tagline.connectors.dataverse.models.account import Account
from tagline.connectors.dataverse.models.contact import Contact
from tagline.connectors.dataverse.models.price_level import PriceLevel
from tagline.connectors.dataverse.models.transaction_currency import TransactionCurrency
from tagline.domain.model import Model, Ref, Remote, column


class SalesOrder(Model):
    """A sales order; locked from state Submitted on, its state changes by action, its totals are computed."""

    remote: ClassVar[Remote] = Remote(
        "dataverse", "salesorder", "salesorders", "salesorderid", (("tl_orderkey",),)
    )

    salesorderid: str | None = column()
    tl_orderkey: str | None = column(max_length=100, doc="The shop's order; address-safe.")
    name: str | None = column(required=True, max_length=300)
    ordernumber: str | None = column(update=False, max_length=100, doc="Generated where it is not given.")
    customerid: Ref[Account | Contact] | None = column(required=True)
    pricelevelid: Ref[PriceLevel] | None = column(required=True)
    transactioncurrencyid: Ref[TransactionCurrency] | None = column(required=True, update=False)
    description: str | None = column(max_length=2000)
    datefulfilled: date | None = column()
    tl_orderedon: datetime | None = column(doc="When the shopper ordered; an instant.")
    emailaddress: str | None = column(max_length=100, personal=True)
    billto_name: str | None = column(max_length=200, personal=True)
    billto_line1: str | None = column(max_length=250, personal=True)
    billto_line2: str | None = column(max_length=250, personal=True)
    billto_line3: str | None = column(max_length=250, personal=True)
    billto_city: str | None = column(max_length=80)
    billto_stateorprovince: str | None = column(max_length=50)
    billto_postalcode: str | None = column(max_length=20, personal=True)
    billto_country: str | None = column(max_length=80)
    billto_telephone: str | None = column(max_length=50, personal=True)
    shipto_name: str | None = column(max_length=200, personal=True)
    shipto_line1: str | None = column(max_length=250, personal=True)
    shipto_line2: str | None = column(max_length=250, personal=True)
    shipto_line3: str | None = column(max_length=250, personal=True)
    shipto_city: str | None = column(max_length=80)
    shipto_stateorprovince: str | None = column(max_length=50)
    shipto_postalcode: str | None = column(max_length=20, personal=True)
    shipto_country: str | None = column(max_length=80)
    shipto_telephone: str | None = column(max_length=50, personal=True)
    shippingmethodcode: int | None = column(options=(1, 2, 3, 4, 5, 6, 7))
    paymenttermscode: int | None = column(options=(1, 2, 3, 4))
    freightamount: Decimal | None = column(precision=2, unit="money")
    discountamount: Decimal | None = column(precision=2, unit="money")
    discountpercentage: Decimal | None = column(precision=2)
    statecode: int | None = column(create=False, options=(0, 1, 2, 3, 4))
    statuscode: int | None = column(options=(1, 2, 3, 4, 100001, 100002, 100003))
    totalamount: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    totaltax: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    totallineitemamount: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    totalamountlessfreight: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    totaldiscountamount: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    totallineitemdiscountamount: Decimal | None = column(
        create=False, update=False, precision=2, unit="money"
    )
    pricingerrorcode: int | None = column(create=False, update=False)
