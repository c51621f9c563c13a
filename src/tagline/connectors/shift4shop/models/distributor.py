"""Distributors: the shop's vendors. Field names and lengths: reference/shift4shop-api.md section 7."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from tagline.connectors.shift4shop.models.base import Code, Flag, ShopModel, Text, Whole
from tagline.domain.model import Remote, column


class Distributor(ShopModel):
    """A vendor that products are bought from."""

    remote: ClassVar[Remote] = Remote(
        "shift4shop", "Distributor", "Distributors", "DistributorID", (("CompanyName",), ("Email",))
    )

    DistributorID: Whole = column(update=False, default=0, doc="Primary key.")
    CompanyName: Text = column(max_length=50, default="")
    ContactName: Text = column(max_length=50, default="", personal=True)
    Address: Text = column(max_length=50, default="", personal=True)
    Address2: Text = column(max_length=50, default="", personal=True)
    City: Text = column(max_length=50, default="")
    State: Text = column(max_length=50, default="")
    Zip: Code = column(max_length=50, default="", personal=True)
    Country: Text = column(max_length=50, default="")
    Phone: Code = column(max_length=50, default="", personal=True)
    Fax: Code = column(max_length=50, default="", personal=True)
    Email: Text = column(max_length=50, default="", personal=True)
    Comments: Text = column(default="")
    NotifyOnNewOrder: Flag = column(
        default=False, doc="Whether the shop mails it on each order of its products."
    )
    NotifyOnCancelledOrder: Flag = column(default=False)
    IsDropShipper: Flag = column(default=False)
    POStyle: Whole = column(default=0)
    POEmailNotification: Flag = column(default=False)
    POShippingInfo: Text = column(default="")
    POPaymentInfo: Text = column(default="")
    POAdditionalNotes: Text = column(default="")
    POEmailSubject: Text = column(default="")
    UserID: Text = column(create=False, update=False, default="", doc="Who edited it last.")
    LastUpdate: datetime | None = column(create=False, update=False)
