"""Products, their stock and their variants. Field names, lengths and quirks: reference/shift4shop-api.md section 6."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

from pydantic import model_validator

from tagline.connectors.shift4shop.models.base import Code, Flag, Number, ShopModel, Text, Whole
from tagline.domain.model import Remote, column

SKU_INFO: Final = "SKUInfo"
"""The object in which the shop nests a product's key, prices and stock; our models hold its fields side by side with the rest."""


def lifted(value: Any) -> Any:
    """A product with the fields of its `SKUInfo` among its own; anything else as it is."""
    if isinstance(value, Mapping) and isinstance(inner := value.get(SKU_INFO), Mapping):
        return {**{name: each for name, each in value.items() if name != SKU_INFO}, **inner}
    return value


class SkuInfo(ShopModel):
    """Key, prices and stock of a product: a cheap read, and the way stock is written."""

    remote: ClassVar[Remote] = Remote("shift4shop", "SKUInfo", "Products/skuinfo", "CatalogID", (("SKU",),))

    CatalogID: Whole = column(update=False, default=0, doc="Primary key of the product.")
    SKU: Code = column(max_length=255, default="")
    Name: Text = column(max_length=255, default="")
    Cost: Number = column(default=Decimal(0))
    Price: Number = column(default=Decimal(0), doc="The shopper pays SalePrice where OnSale is set.")
    RetailPrice: Number = column(default=Decimal(0))
    SalePrice: Number = column(default=Decimal(0))
    OnSale: Flag = column(default=False)
    Stock: Number = column(
        default=Decimal(0),
        doc="Absolute; fractions and negatives occur. Of a product with variants it is a number of its own.",
    )

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, data: Any) -> Any:
        return lifted(data)


class AdvancedOption(ShopModel):
    """A variant of a product, with stock of its own."""

    remote: ClassVar[Remote] = Remote(
        "shift4shop",
        "AdvancedOption",
        "AdvancedOptions",
        "AdvancedOptionCode",
        (("CatalogID", "AdvancedOptionCode"),),
    )

    CatalogID: Whole = column(
        update=False,
        local=True,
        default=0,
        doc="Of the product; empty where the variant stands in its product.",
    )
    AdvancedOptionCode: Code = column(
        update=False, max_length=50, default="", doc="Option ids joined by `-`; unique within the product."
    )
    AdvancedOptionSufix: Code = column(
        max_length=50,
        default="",
        doc="May hold the variant's whole SKU, or nothing. Spelled as the shop does.",
    )
    AdvancedOptionName: Text = column(update=False, default="", doc="Cut at the first double quote.")
    AdvancedOptionCost: Number = column(default=Decimal(0))
    AdvancedOptionStock: Whole = column(default=0, doc="Absolute; whole numbers alone.")
    AdvancedOptionWeight: Number = column(default=Decimal(0))
    AdvancedOptionPrice: Number = column(default=Decimal(0), doc="Absolute, in place of the product's Price.")
    AdvancedOptionGTIN: Code = column(max_length=50, default="")


class ProductCategory(ShopModel):
    """A category that a product stands in."""

    remote: ClassVar[Remote] = Remote("shift4shop", "Category", "Categories", "CategoryID")

    CategoryID: Whole = column(default=0)
    CategoryName: Text = column(max_length=150, default="")


class ProductDistributor(ShopModel):
    """Where a product is bought, and at what cost."""

    remote: ClassVar[Remote] = Remote("shift4shop", "Distributor", "Distributors", "DistributorID")

    DistributorID: Whole = column(default=0)
    DistributorName: Text = column(max_length=50, default="")
    DistributorItemCost: Number = column(default=Decimal(0))
    DistributorItemID: Code = column(max_length=50, default="")
    DistributorStockID: Code = column(max_length=50, default="")


class Product(SkuInfo):
    """
    A product of the catalogue.

    Its variants are read with it and written as `AdvancedOption`: inside the update of a product they were seen to break.
    """

    remote: ClassVar[Remote] = Remote("shift4shop", "Product", "Products", "CatalogID", (("SKU",),))

    MFGID: Code = column(max_length=50, default="", doc="The manufacturer's part number.")
    ShortDescription: Text = column(default="", doc="HTML.")
    ManufacturerID: Whole = column(default=0)
    ManufacturerName: Text = column(update=False, max_length=50, default="")
    DistributorList: tuple[ProductDistributor, ...] = column(update=False, default=())
    CategoryList: tuple[ProductCategory, ...] = column(update=False, default=())
    AdvancedOptionList: tuple[AdvancedOption, ...] = column(create=False, update=False, default=())
    LastUpdate: datetime | None = column(create=False, update=False, doc="Set by every PUT, ours included.")
    DateCreated: datetime | None = column(create=False, update=False)
    GTIN: Code = column(max_length=50, default="")
    TaxCode: Code = column(default="")
    NonTaxable: Flag = column(default=False)
    NotForSale: Flag = column(default=False)
    Hide: Flag = column(default=False)
    GiftCertificate: Flag = column(update=False, default=False)
    FreeShipping: Flag = column(default=False)
    SelfShip: Flag = column(default=False)
    HomeSpecial: Flag = column(default=False)
    CategorySpecial: Flag = column(default=False)
    NonSearchable: Flag = column(default=False)
    AllowFractionalQuantity: Flag = column(default=False)
    ShipCost: Number = column(default=Decimal(0))
    Weight: Number = column(default=Decimal(0), doc="In the store's unit of weight.")
    Height: Number = column(default=Decimal(0))
    Width: Number = column(default=Decimal(0))
    Depth: Number = column(default=Decimal(0))
    MinimumQuantity: Number = column(default=Decimal(0))
    MaximumQuantity: Number = column(default=Decimal(0))
    PriceLevel1: Number = column(default=Decimal(0), doc="Price for customer groups of level 1; 0 is none.")
    PriceLevel2: Number = column(default=Decimal(0))
    PriceLevel3: Number = column(default=Decimal(0))
    PriceLevel4: Number = column(default=Decimal(0))
    PriceLevel5: Number = column(default=Decimal(0))
    PriceLevel6: Number = column(default=Decimal(0))
    PriceLevel7: Number = column(default=Decimal(0))
    PriceLevel8: Number = column(default=Decimal(0))
    PriceLevel9: Number = column(default=Decimal(0))
    PriceLevel10: Number = column(default=Decimal(0))
    StockAlert: Whole = column(default=0, doc="Stock below which the merchant is told.")
    ReorderQuantity: Whole = column(default=0)
    InventoryControl: Whole = column(
        default=0, doc="At stock 0: -1 the store's default, 1 out of stock, 2 back order, 3 waiting list."
    )
    WarehouseLocation: Text = column(max_length=150, default="")
    WarehouseBin: Text = column(max_length=150, default="")
    WarehouseAisle: Text = column(max_length=150, default="")
    WarehouseCustom: Text = column(max_length=150, default="")
    Description: Text = column(default="", doc="HTML.")
    Keywords: Text = column(default="")
    Title: Text = column(default="")
    ProductLink: Text = column(create=False, update=False, default="", doc="Absolute address of its page.")
    MainImageFile: Text = column(default="", doc="Relative to the store's root.")
    ThumbnailFile: Text = column(default="")
    ExtraField1: Text = column(max_length=150, default="")
    ExtraField2: Text = column(max_length=150, default="")
    ExtraField3: Text = column(max_length=150, default="")
    ExtraField4: Text = column(max_length=150, default="")
    ExtraField5: Text = column(max_length=150, default="")
