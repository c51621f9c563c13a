"""Units."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from tagline.connectors.dataverse.models.unit_group import UnitGroup
from tagline.domain.model import Model, Ref, Remote, column


class UnitOfMeasure(Model):
    """A unit."""

    remote: ClassVar[Remote] = Remote("dataverse", "uom", "uoms", "uomid", (("name",),))

    uomid: str | None = column()
    name: str | None = column(required=True, max_length=100)
    uomscheduleid: Ref[UnitGroup] | None = column(required=True)
    baseuom: Ref[UnitOfMeasure] | None = column()
    quantity: Decimal | None = column(doc="Of the base unit.")
    isschedulebaseuom: bool | None = column()
