"""Models of Dataverse rows. Lengths and options: reference/dataverse-metadata. Columns named `tl_*` are ours."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from tagline.domain.model import Model, Ref, Remote, column


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


class PriceLevel(Model):
    """A price list."""

    remote: ClassVar[Remote] = Remote("dataverse", "pricelevel", "pricelevels", "pricelevelid", (("name",),))

    pricelevelid: str | None = column()
    name: str | None = column(required=True, max_length=100)
    transactioncurrencyid: Ref[TransactionCurrency] | None = column(update=False)
    statecode: int | None = column(create=False, options=(0, 1))


class UnitOfMeasure(Model):
    """A unit."""

    remote: ClassVar[Remote] = Remote("dataverse", "uom", "uoms", "uomid", (("name",),))

    uomid: str | None = column()
    name: str | None = column(required=True, max_length=100)


class Product(Model):
    """A product; only active ones (statecode 0) can be sold."""

    remote: ClassVar[Remote] = Remote("dataverse", "product", "products", "productid", (("productnumber",),))

    productid: str | None = column()
    productnumber: str | None = column(required=True, max_length=100)
    name: str | None = column(required=True, max_length=100)
    defaultuomid: Ref[UnitOfMeasure] | None = column()
    statecode: int | None = column(create=False, options=(0, 1, 2, 3))


class Account(Model):
    """A customer that buys."""

    remote: ClassVar[Remote] = Remote("dataverse", "account", "accounts", "accountid", (("tl_customerkey",),))

    accountid: str | None = column()
    tl_customerkey: str | None = column(
        max_length=100, doc="The shop's customer, by id or a digest of the e-mail; address-safe."
    )
    name: str | None = column(required=True, max_length=160, personal=True)
    emailaddress1: str | None = column(max_length=100, personal=True)
    telephone1: str | None = column(max_length=50, personal=True)
    address1_name: str | None = column(max_length=200, personal=True)
    address1_line1: str | None = column(max_length=250, personal=True)
    address1_line2: str | None = column(max_length=250, personal=True)
    address1_city: str | None = column(max_length=80)
    address1_stateorprovince: str | None = column(max_length=50)
    address1_postalcode: str | None = column(max_length=20, personal=True)
    address1_country: str | None = column(max_length=80)
    statecode: int | None = column(create=False, options=(0, 1))


class Contact(Model):
    """A person."""

    remote: ClassVar[Remote] = Remote("dataverse", "contact", "contacts", "contactid", (("tl_customerkey",),))

    contactid: str | None = column()
    tl_customerkey: str | None = column(
        max_length=100, doc="The shop's customer, by id or a digest of the e-mail; address-safe."
    )
    firstname: str | None = column(max_length=50, personal=True)
    lastname: str | None = column(max_length=50, personal=True)
    emailaddress1: str | None = column(max_length=100, personal=True)
    telephone1: str | None = column(max_length=50, personal=True)
    parentcustomerid: Ref[Account] | None = column()
    address1_line1: str | None = column(max_length=250, personal=True)
    address1_line2: str | None = column(max_length=250, personal=True)
    address1_city: str | None = column(max_length=80)
    address1_stateorprovince: str | None = column(max_length=50)
    address1_postalcode: str | None = column(max_length=20, personal=True)
    address1_country: str | None = column(max_length=80)
    statecode: int | None = column(create=False, options=(0, 1))


class SalesOrder(Model):
    """A sales order; locked from state Submitted on, its state changes by action, its totals are computed."""

    remote: ClassVar[Remote] = Remote(
        "dataverse", "salesorder", "salesorders", "salesorderid", (("tl_orderkey",),)
    )

    salesorderid: str | None = column()
    tl_orderkey: str | None = column(max_length=100, doc="The shop's order; address-safe.")
    name: str | None = column(required=True, max_length=300)
    customerid: Ref[Account | Contact] | None = column(required=True)
    pricelevelid: Ref[PriceLevel] | None = column(required=True)
    transactioncurrencyid: Ref[TransactionCurrency] | None = column(required=True, update=False)
    description: str | None = column(max_length=2000)
    datefulfilled: datetime | None = column(doc="Date only on the remote.")
    tl_orderedon: datetime | None = column(doc="When the shopper ordered; an instant.")
    billto_name: str | None = column(max_length=200, personal=True)
    billto_line1: str | None = column(max_length=250, personal=True)
    billto_line2: str | None = column(max_length=250, personal=True)
    billto_city: str | None = column(max_length=80)
    billto_stateorprovince: str | None = column(max_length=50)
    billto_postalcode: str | None = column(max_length=20, personal=True)
    billto_country: str | None = column(max_length=80)
    billto_telephone: str | None = column(max_length=50, personal=True)
    shipto_name: str | None = column(max_length=200, personal=True)
    shipto_line1: str | None = column(max_length=250, personal=True)
    shipto_line2: str | None = column(max_length=250, personal=True)
    shipto_city: str | None = column(max_length=80)
    shipto_stateorprovince: str | None = column(max_length=50)
    shipto_postalcode: str | None = column(max_length=20, personal=True)
    shipto_country: str | None = column(max_length=80)
    shipto_telephone: str | None = column(max_length=50, personal=True)
    freightamount: Decimal | None = column(precision=2, unit="money")
    discountamount: Decimal | None = column(precision=2, unit="money")
    statecode: int | None = column(create=False, options=(0, 1, 2, 3, 4))
    statuscode: int | None = column(options=(1, 2, 3, 4, 100001, 100002, 100003))
    totalamount: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    totaltax: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    totallineitemamount: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    pricingerrorcode: int | None = column(create=False, update=False)


class SalesOrderDetail(Model):
    """A line of a sales order."""

    remote: ClassVar[Remote] = Remote(
        "dataverse", "salesorderdetail", "salesorderdetails", "salesorderdetailid", (("tl_linekey",),)
    )

    salesorderdetailid: str | None = column()
    tl_linekey: str | None = column(max_length=100, doc="The shop's order and row; address-safe.")
    salesorderid: Ref[SalesOrder] | None = column(required=True, update=False)
    productid: Ref[Product] | None = column()
    uomid: Ref[UnitOfMeasure] | None = column()
    isproductoverridden: bool | None = column(update=False)
    productdescription: str | None = column(max_length=500)
    ispriceoverridden: bool | None = column()
    quantity: Decimal | None = column(precision=5)
    priceperunit: Decimal | None = column(precision=2, unit="money")
    manualdiscountamount: Decimal | None = column(precision=2, unit="money")
    tax: Decimal | None = column(precision=2, unit="money")
    description: str | None = column(max_length=2000)
    lineitemnumber: int | None = column()
    extendedamount: Decimal | None = column(create=False, update=False, precision=2, unit="money")
    pricingerrorcode: int | None = column(create=False, update=False)
