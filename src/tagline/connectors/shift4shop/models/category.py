"""Categories of the catalogue. Field names and lengths: reference/shift4shop-api.md section 7."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from tagline.connectors.shift4shop.models.base import Flag, ShopModel, Text, Whole
from tagline.domain.model import Remote, column


class Category(ShopModel):
    """A category of the catalogue; how its page looks is no field of ours."""

    remote: ClassVar[Remote] = Remote(
        "shift4shop", "Category", "Categories", "CategoryID", (("CategoryName",),)
    )

    CategoryID: Whole = column(update=False, default=0, doc="Primary key.")
    CategoryName: Text = column(max_length=150, default="", doc="Two categories may share one.")
    CategoryDescription: Text = column(default="", doc="HTML.")
    CategoryMain: Flag = column(default=False)
    CategoryParent: Whole = column(default=0, doc="CategoryID of the one above; 0 is the root.")
    CategoryMenuGroup: Whole = column(default=0)
    Sorting: Whole = column(default=0)
    Hide: Flag = column(default=False)
    HomeSpecialCategory: Flag = column(default=False)
    FilterCategory: Flag = column(default=False)
    Link: Text = column(create=False, update=False, default="")
    CategoryIcon: Text = column(default="")
    CategoryHeader: Text = column(default="")
    CategoryFooter: Text = column(default="")
    Title: Text = column(default="")
    MetaTags: Text = column(default="")
    AdditionalKeywords: Text = column(default="")
    CustomFileName: Text = column(default="")
    UserID: Text = column(create=False, update=False, default="", doc="Who edited it last.")
    LastUpdate: datetime | None = column(create=False, update=False)
