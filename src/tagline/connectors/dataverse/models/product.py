"""Products."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from tagline.connectors.dataverse.models.price_level import PriceLevel
from tagline.connectors.dataverse.models.unit_group import UnitGroup
from tagline.connectors.dataverse.models.unit_of_measure import UnitOfMeasure
from tagline.domain.model import Model, Ref, Remote, column


class Product(Model):
    """A product; made as a draft (statecode 2), and only active ones (0) can be sold."""

    remote: ClassVar[Remote] = Remote("dataverse", "product", "products", "productid", (("productnumber",),))

    productid: str | None = column()
    productnumber: str | None = column(required=True, max_length=100)
    name: str | None = column(required=True, max_length=100)
    description: str | None = column(max_length=2000)
    defaultuomscheduleid: Ref[UnitGroup] | None = column()
    defaultuomid: Ref[UnitOfMeasure] | None = column()
    quantitydecimal: int | None = column(doc="Decimal places of quantities, 0 to 5.")
    pricelevelid: Ref[PriceLevel] | None = column(doc="Default price list.")
    productstructure: int | None = column(options=(1, 2, 3), doc="Product, family or bundle.")
    producttypecode: int | None = column(options=(1, 2, 3, 4))
    price: Decimal | None = column(precision=2, unit="money", doc="List price.")
    standardcost: Decimal | None = column(precision=2, unit="money")
    currentcost: Decimal | None = column(precision=2, unit="money")
    stockweight: Decimal | None = column()
    stockvolume: Decimal | None = column()
    quantityonhand: Decimal | None = column()
    isstockitem: bool | None = column()
    size: str | None = column(max_length=200)
    producturl: str | None = column(max_length=255)
    vendorid: str | None = column(max_length=100, doc="Text, no lookup.")
    vendorname: str | None = column(max_length=100)
    vendorpartnumber: str | None = column(max_length=100)
    statecode: int | None = column(create=False, options=(0, 1, 2, 3))
    statuscode: int | None = column(options=(0, 1, 2, 3))
