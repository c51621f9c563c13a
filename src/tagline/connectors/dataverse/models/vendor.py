"""Vendors of Finance, as dual-write brings them."""

from __future__ import annotations

from typing import ClassVar

from tagline.domain.model import Model, Remote, column


class Vendor(Model):
    """
    A supplier. Only the table is certain: names and lengths of these columns are assumed from the map of dual-write.

    Source: reference/dataverse-api.md section 17.2 (VendorsV2 and msdyn_vendors).
    """

    remote: ClassVar[Remote] = Remote(
        "dataverse", "msdyn_vendor", "msdyn_vendors", "msdyn_vendorid", (("msdyn_vendoraccountnumber",),)
    )

    msdyn_vendorid: str | None = column()
    msdyn_vendoraccountnumber: str | None = column(max_length=20)
    msdyn_name: str | None = column(max_length=100)
    statecode: int | None = column(create=False, options=(0, 1))
