"""Customers of a legal entity."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from tagline.connectors.finance.enums import CustVendorBlocked, NoYes
from tagline.domain.model import Model, Remote, column


class Customer(Model):
    """
    A customer account. The number may be given; a number sequence of the company gives it where it is not, and then no row
    is found again by it.

    Source: reference/dataverse-metadata/fno-CustomersV3.json.
    """

    remote: ClassVar[Remote] = Remote(
        "finance", "CustomerV3", "CustomersV3", "CustomerAccount", (("CustomerAccount",),)
    )

    CustomerAccount: str | None = column(update=False)
    CustomerGroupId: str | None = column(required=True)
    PartyType: str | None = column(update=False, doc="`Organization` or `Person`.")
    PartyNumber: str | None = column(create=False, update=False)
    OrganizationName: str | None = column(personal=True)
    NameAlias: str | None = column(personal=True)
    PersonFirstName: str | None = column(personal=True)
    PersonMiddleName: str | None = column(personal=True)
    PersonLastName: str | None = column(personal=True)
    SalesCurrencyCode: str | None = column(required=True)
    InvoiceAccount: str | None = column()
    LanguageId: str | None = column()
    PrimaryContactEmail: str | None = column(personal=True)
    PrimaryContactPhone: str | None = column(personal=True)
    AddressDescription: str | None = column(personal=True)
    AddressStreet: str | None = column(personal=True)
    AddressCity: str | None = column(personal=True)
    AddressState: str | None = column()
    AddressZipCode: str | None = column(personal=True)
    AddressCountryRegionId: str | None = column()
    PaymentTerms: str | None = column()
    PaymentMethod: str | None = column()
    DeliveryMode: str | None = column()
    DeliveryTerms: str | None = column()
    SalesTaxGroup: str | None = column()
    TaxExemptNumber: str | None = column(personal=True)
    DiscountPriceGroupId: str | None = column()
    CreditLimit: Decimal | None = column()
    OnHoldStatus: CustVendorBlocked | None = column()
    SiteId: str | None = column()
    WarehouseId: str | None = column()
    IsOneTimeCustomer: NoYes | None = column()
