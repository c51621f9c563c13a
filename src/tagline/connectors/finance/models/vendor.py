"""Vendors of a legal entity."""

from __future__ import annotations

from typing import ClassVar

from tagline.domain.model import Model, Remote, column


class Vendor(Model):
    """
    A supplier's account.

    Source: reference/dataverse-metadata/fno-VendorsV2.json.
    """

    remote: ClassVar[Remote] = Remote(
        "finance", "VendorV2", "VendorsV2", "VendorAccountNumber", (("VendorAccountNumber",),)
    )

    VendorAccountNumber: str | None = column(update=False)
    VendorGroupId: str | None = column(required=True)
    VendorPartyType: str | None = column(update=False, doc="`Organization` or `Person`.")
    VendorPartyNumber: str | None = column(create=False, update=False)
    VendorOrganizationName: str | None = column()
    VendorSearchName: str | None = column()
    PersonFirstName: str | None = column(personal=True)
    PersonLastName: str | None = column(personal=True)
    CurrencyCode: str | None = column()
    InvoiceVendorAccountNumber: str | None = column()
    PrimaryEmailAddress: str | None = column(personal=True)
    AddressDescription: str | None = column(personal=True)
    AddressStreet: str | None = column(personal=True)
    AddressCity: str | None = column(personal=True)
    AddressStateId: str | None = column()
    AddressZipCode: str | None = column(personal=True)
    AddressCountryRegionId: str | None = column()
    DefaultPaymentTermsName: str | None = column()
    DefaultVendorPaymentMethodName: str | None = column()
