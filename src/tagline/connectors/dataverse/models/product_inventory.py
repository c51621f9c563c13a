"""Stock as Field Service keeps it."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from tagline.connectors.dataverse.models.product import Product
from tagline.connectors.dataverse.models.unit_of_measure import UnitOfMeasure
from tagline.connectors.dataverse.models.warehouse import Warehouse
from tagline.domain.model import Model, Ref, Remote, column


class ProductInventory(Model):
    """How much of a product lies in a warehouse; its quantities change by inventory journals, so they are read only."""

    remote: ClassVar[Remote] = Remote(
        "dataverse", "msdyn_productinventory", "msdyn_productinventories", "msdyn_productinventoryid"
    )

    msdyn_productinventoryid: str | None = column()
    msdyn_name: str | None = column(max_length=100)
    msdyn_product: Ref[Product] | None = column(required=True)
    msdyn_unit: Ref[UnitOfMeasure] | None = column(required=True)
    msdyn_warehouse: Ref[Warehouse] | None = column(required=True)
    msdyn_qtyonhand: Decimal | None = column(create=False, update=False, precision=2)
    msdyn_qtyavailable: Decimal | None = column(create=False, update=False, precision=2)
    msdyn_qtyallocated: Decimal | None = column(create=False, update=False, precision=2)
    msdyn_qtyonorder: Decimal | None = column(create=False, update=False, precision=2)
    msdyn_reorderpoint: Decimal | None = column(precision=2)
    msdyn_bin: str | None = column(max_length=100)
    msdyn_row: str | None = column(max_length=100)
    statecode: int | None = column(create=False, options=(0, 1))
