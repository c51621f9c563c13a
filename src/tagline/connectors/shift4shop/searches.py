"""
What the shop's lists can be filtered by, as data: which query parameter answers which condition.

A parameter may let more through than it says, since what it finds is compared once more: whether a name is compared whole or in part,
and where a day ends, differs or is not known.

Source: reference/shift4shop-api.md section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tagline.connectors.shift4shop.models import (
    Category,
    Customer,
    Distributor,
    Manufacturer,
    Order,
    Product,
    Rma,
    SkuInfo,
)
from tagline.domain.model import Model


@dataclass(frozen=True)
class Search:
    """Parameters for one column; empty where there is none. To each of them a blank or 0 counts as not given."""

    same: str = ""
    """Takes the value that the column has."""
    least: str = ""
    most: str = ""


def _same(**columns: str) -> dict[str, Search]:
    return {column: Search(same=parameter) for column, parameter in columns.items()}


def _between(**columns: tuple[str, str]) -> dict[str, Search]:
    return {column: Search(least=least, most=most) for column, (least, most) in columns.items()}


_PRICES: Final = {
    "Cost": ("costfrom", "costto"),
    "Price": ("pricefrom", "priceto"),
    "Stock": ("stockfrom", "stockto"),
}
_PRODUCT_FLAGS: Final = {
    "Hide": "hide",
    "FreeShipping": "freeshipping",
    "OnSale": "onsale",
    "NonTaxable": "nontax",
    "NotForSale": "notforsale",
    "GiftCertificate": "giftcertificate",
    "HomeSpecial": "homespecial",
    "CategorySpecial": "categoryspecial",
    "NonSearchable": "nonsearchable",
    "SelfShip": "selfship",
}

SEARCHES: Final[Mapping[type[Model], Mapping[str, Search]]] = {
    Order: {
        **_same(
            OrderStatusID="orderstatus", InvoiceNumberPrefix="invoiceprefix", BillingEmail="billingemail"
        ),
        **_between(OrderDate=("datestart", "dateend"), LastUpdate=("lastupdatestart", "lastupdateend")),
        "InvoiceNumber": Search("invoicenumber", "invoicenumberstart", "invoicenumberend"),
    },
    Product: {
        **_same(SKU="sku", Name="name", **_PRODUCT_FLAGS),
        **_between(LastUpdate=("lastupdatestart", "lastupdateend"), **_PRICES),
    },
    SkuInfo: _same(CatalogID="catalogid", SKU="sku", Name="name"),
    Customer: _same(
        Email="email",
        BillingFirstName="firstname",
        BillingLastName="lastname",
        BillingCity="city",
        BillingState="state",
        BillingCountry="country",
        BillingPhoneNumber="phone",
    ),
    Category: _same(CategoryName="category"),
    Manufacturer: _same(ManufacturerName="manufacturer"),
    Distributor: _same(
        CompanyName="company", Email="email", City="city", State="state", Country="country", Phone="phone"
    ),
    Rma: {
        **_same(RMAStatusID="rmastatusid", RMAReasonID="rmareasonid", RMAMethodID="rmamethodid"),
        **_between(RmaDate=("datestart", "dateend")),
    },
}
