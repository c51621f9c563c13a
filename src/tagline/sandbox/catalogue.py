"""What both remotes of the sandbox sell: the same SKUs in the shop and the organisation, but for one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

UNKNOWN_SKU = "MUG-LTD-07"
"""Sold by the shop and missing in every organisation, until somebody adds it."""


@dataclass(frozen=True)
class Product:
    """A product as both sides know it."""

    catalog_id: int
    sku: str
    name: str
    price: Decimal
    weight: Decimal
    choices: tuple[tuple[str, Decimal], ...] = ()
    """Sizes with what each adds to the price."""


_KINDS = (
    ("TEA", "loose leaf tea", (("100 g", "0.00"), ("250 g", "6.50"), ("1 kg", "21.75"))),
    ("COF", "whole bean coffee", (("250 g", "0.00"), ("1 kg", "14.30"))),
    ("CUP", "porcelain cup", ()),
    ("TIN", "storage tin", (("Plain lid", "0.00"), ("Window lid", "1.95"))),
)
_SORTS = (
    "Assam",
    "Ceylon",
    "Darjeeling",
    "Earl Grey",
    "Gyokuro",
    "Java",
    "Kenya AA",
    "Lapsang",
    "Mocha & Cream",
    "Yirgacheffe",
)


def _products() -> tuple[Product, ...]:
    found: list[Product] = []
    for k, (prefix, kind, choices) in enumerate(_KINDS):
        for s, sort in enumerate(_SORTS):
            cents = 499 + (k * 1013 + s * 377) % 2600
            found.append(
                Product(
                    catalog_id=100 + len(found),
                    sku=f"{prefix}-{s + 1:03}",
                    name=f"{sort} {kind}",
                    price=Decimal(cents) / 100,
                    weight=Decimal(2 + (k + s) % 5) / 4,
                    choices=tuple((name, Decimal(price)) for name, price in choices),
                )
            )
    return tuple(found)


PRODUCTS = _products()
LIMITED = Product(190, UNKNOWN_SKU, "Limited edition mug", Decimal("24.90"), Decimal("0.5"))


@dataclass(frozen=True)
class Varied:
    """A product that the shop keeps in variants of two options, each with a SKU and a stock of its own."""

    product: Product
    option_sets: tuple[tuple[str, tuple[str, ...]], ...]
    """Names of the options with what can be chosen."""


VARIED = (
    Varied(
        Product(150, "APR-001", "Linen apron", Decimal("34.00"), Decimal("0.75")),
        (("Size", ("S", "M", "L")), ("Colour", ("Red", "Navy"))),
    ),
    Varied(
        Product(151, "TBC-001", "Table cloth", Decimal("58.50"), Decimal("1.5")),
        (("Length", ('60" long', '84" long')), ("Colour", ("White", "Sage"))),
    ),
)
"""Only the shop sells them, and only by REST and in its catalogue: what shoppers order by seed stays as it is."""
