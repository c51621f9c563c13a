"""What a shop has before anybody calls: catalogue, categories, makers, vendors, customers. Always the same, but for the time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from itertools import product as combinations
from typing import Any

from tagline.sandbox import shop_shapes as shapes
from tagline.sandbox.catalogue import LIMITED, PRODUCTS, VARIED, Product, Varied
from tagline.sandbox.shop_fields import STATUSES, Record
from tagline.sandbox.shoppers import REGISTERED, Shopper, registered

Table = dict[int, Record]
OPENED = "2019-03-04T00:00:00"
"""When the shop came to be, at its midnight."""
_CATEGORIES = (
    (1, "Teas", 0),
    (2, "Black teas", 1),
    (3, "Green teas", 1),
    (4, "Coffees", 0),
    (5, "Porcelain", 0),
    (6, "Storage", 0),
    (7, "Kitchen linen", 0),
    (8, "Last year's", 0),
)
_GREEN = frozenset({"TEA-005"})
_KIND_CATEGORY = {"TEA": 1, "COF": 4, "CUP": 5, "TIN": 6, "MUG": 5, "APR": 7, "TBC": 7}
_MANUFACTURERS = ("Sandbox Blenders", "Harbor Roasters", "Kiln & Glaze", "Tinworks", "Loom House")
_KIND_MANUFACTURER = {"TEA": 1, "COF": 2, "CUP": 3, "TIN": 4, "MUG": 3, "APR": 5, "TBC": 5}
_DISTRIBUTORS = (
    ("Leaf Line Imports", "Amrit Rao", "Newark", "NJ"),
    ("Pier 9 Coffee Trading", "Lou Marsh", "Oakland", "CA"),
    ("Homewares Direct", "Ines Duarte", "Columbus", "OH"),
)
_KIND_DISTRIBUTOR = {"TEA": 1, "COF": 2}
_GROUPS = ((1, "Retail", 0, "0.00"), (2, "Wholesale", 2, "150.00"), (3, "Friends of the house", 1, "0.00"))


def tables(store_url: str, now: str) -> dict[str, Table]:
    """
    The tables of a new shop by resource.

    Args:
        store_url: Where the shop's pages are.
        now: Its time, which everything was last changed at.
    """
    made = {name: dict(table) for name, table in _made().items()}
    made["products"] = {
        key: {
            **row,
            "LastUpdate": now,
            "ProductLink": f"{store_url}/{row['CustomFileName']}",
        }
        for key, row in made["products"].items()
    }
    for name in ("categories", "manufacturers", "distributors", "customers"):
        made[name] = {key: {**row, "LastUpdate": now} for key, row in made[name].items()}
    return made


@cache
def _made() -> Mapping[str, Table]:
    return {
        "products": _by_key((*(_plain(p) for p in (*PRODUCTS, LIMITED)), *(_varied(v) for v in VARIED))),
        "categories": {
            key: shapes.CATEGORIES.fresh()
            | {"CategoryID": key, "CategoryName": name, "CategoryParent": parent, "Sorting": key}
            | {"CategoryMain": parent == 0, "Hide": key == 8, "Link": f"category-s_{key}.html"}
            for key, name, parent in _CATEGORIES
        },
        "manufacturers": {
            key: shapes.MANUFACTURERS.fresh()
            | {"ManufacturerID": key, "ManufacturerName": name, "Sorting": key}
            for key, name in enumerate(_MANUFACTURERS, 1)
        },
        "distributors": {
            key: shapes.DISTRIBUTORS.fresh()
            | {"DistributorID": key, "CompanyName": company, "ContactName": contact, "City": city}
            | {"State": state, "Country": "US", "Email": f"orders{key}@example.org", "Phone": f"555-020{key}"}
            for key, (company, contact, city, state) in enumerate(_DISTRIBUTORS, 1)
        },
        "customergroups": {
            key: shapes.CUSTOMER_GROUPS.fresh()
            | {"CustomerGroupID": key, "Name": name, "PriceLevel": level, "MinimumOrder": Decimal(least)}
            for key, name, level, least in _GROUPS
        },
        "customers": {
            shopper.customer_id: customer(shopper) for shopper in (registered(i) for i in range(REGISTERED))
        },
        "rma": {},
        "orderstatus": {
            key: {"OrderStatusID": key, "Sorting": key, "StatusDefinition": text}
            | {"StatusText": text, "Visible": True}
            for key, text in STATUSES.items()
        },
    }


def customer(shopper: Shopper) -> Record:
    """A registered shopper as the shop keeps it."""
    address = {
        "Company": shopper.company,
        "FirstName": shopper.first,
        "LastName": shopper.last,
        "Address1": shopper.street,
        "City": shopper.city,
        "State": shopper.state,
        "ZipCode": shopper.zip,
        "Country": shopper.country,
        "PhoneNumber": shopper.phone,
    }
    return (
        shapes.CUSTOMERS.fresh()
        | {"CustomerID": shopper.customer_id, "Email": shopper.email, "Password": hashed(shopper.email)}
        | {f"{side}{name}": value for side in ("Billing", "Shipping") for name, value in address.items()}
        | {"CustomerGroupID": 2 if shopper.company else 1, "Enabled": True}
    )


def hashed(password: str) -> str:
    """What stands where a password was: 32 hexadecimal digits."""
    return hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()


def _by_key(rows: Iterable[Record]) -> Table:
    return {row["SKUInfo"]["CatalogID"]: row for row in sorted(rows, key=lambda r: r["SKUInfo"]["CatalogID"])}


def _plain(product: Product) -> Record:
    """A product whose sizes are one option set; their stock is told apart, their SKU is not."""
    row = _common(product)
    if not product.choices:
        return row
    options = [
        shapes.OPTIONS.fresh()
        | {"OptionID": product.catalog_id * 10 + i, "OptionName": name, "OptionSelected": i == 0}
        | {"OptionValue": price, "OptionSorting": i + 1}
        for i, (name, price) in enumerate(product.choices)
    ]
    row["OptionSetList"] = [_option_set(product.catalog_id, "Size", 1, options)]
    row["AdvancedOptionList"] = [
        _variant(product, (option,), stock=5 + (product.catalog_id + i * 13) % 60, suffix="")
        for i, option in enumerate(options)
    ]
    return row


def _varied(varied: Varied) -> Record:
    """A product of which every combination of options is a variant with a SKU."""
    product, row = varied.product, _common(varied.product)
    sets = []
    for s, (name, choices) in enumerate(varied.option_sets):
        options = [
            shapes.OPTIONS.fresh()
            | {"OptionID": product.catalog_id * 10 + s * 5 + i, "OptionName": choice, "OptionSorting": i + 1}
            for i, choice in enumerate(choices)
        ]
        sets.append(_option_set(product.catalog_id * 10 + s, name, s + 1, options))
    row["OptionSetList"] = sets
    row["AdvancedOptionList"] = [
        _variant(product, chosen, stock=(n * 7) % 23, suffix=_suffix(product, chosen))
        for n, chosen in enumerate(combinations(*(each["OptionList"] for each in sets)), 1)
    ]
    # In this one the product's number is the sum of its variants; in the plain ones it is a number of its own.
    row["SKUInfo"]["Stock"] = Decimal(sum(v["AdvancedOptionStock"] for v in row["AdvancedOptionList"]))
    return row


def _suffix(product: Product, chosen: tuple[Record, ...]) -> str:
    marks = ("".join(c for c in option["OptionName"] if c.isalnum())[:3].upper() for option in chosen)
    return "-".join((product.sku, *marks))


def _option_set(key: int, name: str, sorting: int, options: list[Record]) -> Record:
    return shapes.OPTION_SETS.fresh() | {
        "OptionSetID": key,
        "OptionSetName": name,
        "OptionSorting": sorting,
        "OptionRequired": True,
        "OptionType": "Dropdown",
        "OptionList": options,
    }


def _variant(product: Product, chosen: tuple[Record, ...], *, stock: int, suffix: str) -> Record:
    names = ", ".join(option["OptionName"] for option in chosen)
    return shapes.ADVANCED_OPTIONS.fresh() | {
        "AdvancedOptionCode": "-".join(str(option["OptionID"]) for option in chosen),
        "AdvancedOptionSufix": suffix,
        "AdvancedOptionName": names.partition('"')[0],
        "AdvancedOptionCost": _half(product.price),
        "AdvancedOptionStock": stock,
        "AdvancedOptionWeight": product.weight,
        "AdvancedOptionPrice": product.price,
    }


def _half(price: Decimal) -> Decimal:
    return (price / 2).quantize(Decimal("0.01"))


def _common(product: Product) -> Record:
    kind, key = product.sku[:3], product.catalog_id
    category = 3 if product.sku in _GREEN else 2 if kind == "TEA" else _KIND_CATEGORY[kind]
    distributor = _KIND_DISTRIBUTOR.get(kind, 3)
    on_sale = key % 9 == 0
    own: dict[str, Any] = {
        "MFGID": f"M{key}",
        "ShortDescription": product.name,
        "ManufacturerID": _KIND_MANUFACTURER[kind],
        "ManufacturerName": _MANUFACTURERS[_KIND_MANUFACTURER[kind] - 1],
        "DistributorList": [
            shapes.DISTRIBUTOR_ITEMS.fresh()
            | {"DistributorID": distributor, "DistributorName": _DISTRIBUTORS[distributor - 1][0]}
            | {"DistributorItemCost": _half(product.price), "DistributorItemID": f"D-{key}"}
        ],
        "GTIN": f"00{key:011}",
        "CategoryList": [
            {"CategoryID": number, "CategoryName": _CATEGORIES[number - 1][1]}
            for number in ((1, category) if kind == "TEA" else (category,))
        ],
        "HomeSpecial": key % 8 == 0,
        "Weight": product.weight,
        "StockAlert": 5,
        "InventoryControl": -1,
        "Description": f"<p>{product.name}, packed by hand.</p>",
        "MainImageFile": f"assets/images/{product.sku.lower()}.jpg",
        "ThumbnailFile": f"assets/images/{product.sku.lower()}_thumbnail.jpg",
        "DateCreated": OPENED,
        "MinimumQuantity": Decimal(0),
        "CustomFileName": f"{product.sku.lower()}_p_{key}.html",
        "Title": product.name,
    }
    row = shapes.PRODUCTS.fresh() | own
    row["SKUInfo"] |= {
        "CatalogID": key,
        "SKU": product.sku,
        "Name": product.name,
        "Cost": _half(product.price),
        "Price": product.price,
        "Currency": "USD",
        "RetailPrice": product.price,
        # A sale price may stand there while nothing is on sale.
        "SalePrice": (product.price * Decimal("0.9")).quantize(Decimal("0.01")),
        "OnSale": on_sale,
        "Stock": Decimal(key * 37 % 240 - 6),
    }
    return row
