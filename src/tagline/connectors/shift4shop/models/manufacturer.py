"""Manufacturers. Field names and lengths: reference/shift4shop-api.md section 7."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from tagline.connectors.shift4shop.models.base import ShopModel, Text, Whole
from tagline.domain.model import Remote, column


class Manufacturer(ShopModel):
    """Who makes a product."""

    remote: ClassVar[Remote] = Remote(
        "shift4shop", "Manufacturer", "Manufacturers", "ManufacturerID", (("ManufacturerName",),)
    )

    ManufacturerID: Whole = column(update=False, default=0, doc="Primary key.")
    ManufacturerName: Text = column(max_length=50, default="")
    Logo: Text = column(default="", doc="Relative to the store's root.")
    Sorting: Whole = column(default=0)
    Header: Text = column(default="", doc="HTML.")
    Website: Text = column(max_length=50, default="")
    PageTitle: Text = column(max_length=150, default="")
    MetaTags: Text = column(default="")
    RedirectURL: Text = column(default="")
    UserID: Text = column(create=False, update=False, default="", doc="Who edited it last.")
    LastUpdate: datetime | None = column(create=False, update=False)
