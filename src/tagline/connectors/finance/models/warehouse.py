"""Warehouses of a legal entity."""

from __future__ import annotations

from typing import ClassVar

from tagline.connectors.finance.enums import NoYes
from tagline.domain.model import Model, Remote, column


class Warehouse(Model):
    """
    A warehouse of a site.

    Source: reference/dataverse-metadata/fno-Warehouses.json.
    """

    remote: ClassVar[Remote] = Remote(
        "finance", "Warehouse", "Warehouses", "WarehouseId", (("WarehouseId",),)
    )

    WarehouseId: str | None = column(required=True, update=False)
    WarehouseName: str | None = column()
    OperationalSiteId: str | None = column(required=True)
    IsWarehouseExternallyManaged: NoYes | None = column()
