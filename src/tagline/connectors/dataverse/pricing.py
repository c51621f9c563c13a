"""What Dataverse will compute of an order, so that totals can be shown before anything is written.

Source: reference/dataverse-api.md section 15.3. Ties are rounded away from zero, which is an assumption (section 21, 5).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

CENT: Final = Decimal("0.01")


@dataclass(frozen=True)
class PricedLine:
    """The inputs of one line."""

    quantity: Decimal
    priceperunit: Decimal
    manualdiscountamount: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)


def order_total(
    lines: Iterable[PricedLine], freight: Decimal = Decimal(0), discount: Decimal = Decimal(0)
) -> Decimal:
    """`totalamount` of an order with these lines, its `freightamount` and its `discountamount`."""
    total = freight - discount
    for line in lines:
        base = (line.priceperunit * line.quantity).quantize(CENT, ROUND_HALF_UP)
        total += base - line.manualdiscountamount + line.tax
    return total.quantize(CENT, ROUND_HALF_UP)
