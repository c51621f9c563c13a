"""Warehouses of Field Service, and of Finance by dual-write."""

from __future__ import annotations

from typing import ClassVar

from tagline.domain.model import Model, Remote, column


class Warehouse(Model):
    """A warehouse."""

    remote: ClassVar[Remote] = Remote(
        "dataverse", "msdyn_warehouse", "msdyn_warehouses", "msdyn_warehouseid", (("msdyn_name",),)
    )

    msdyn_warehouseid: str | None = column()
    msdyn_name: str | None = column(required=True, max_length=100)
    msdyn_description: str | None = column(max_length=2000)
    statecode: int | None = column(create=False, options=(0, 1))
