"""Money: rounding once, and sharing out without losing a cent."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from math import floor
from typing import Final

from tagline.errors import RecordError

_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_UP)
"""Of its own, so that no caller's decimal context changes an amount."""

MAX_AMOUNT: Final = Decimal(10) ** 15
"""Far beyond what either remote stores; an amount of that size is a fault of its source."""


def money(amount: Decimal | int, places: int = 2) -> Decimal:
    """
    Round an amount to its currency's decimal places, a half away from zero as invoices do.

    Raises:
        RecordError: It is infinite, no number, or of 10^15 and more (code `money-unfit`).
    """
    value = Decimal(amount)
    if not value.is_finite():
        raise RecordError(
            "an amount is no finite number", code="money-unfit", hint="correct it at its source"
        )
    if abs(value) >= MAX_AMOUNT:
        raise RecordError("an amount is 10^15 or more", code="money-unfit", hint="correct it at its source")
    rounded = value.quantize(Decimal(1).scaleb(-places), context=_EXACT)
    return rounded or abs(rounded)  # never "-0.00"


def allocate(
    total: Decimal, weights: Sequence[Decimal], step: Decimal = Decimal("0.01")
) -> tuple[Decimal, ...]:
    """
    Share a total out by weight, in whole steps, so that the shares add up to it exactly (largest remainder).

    Each share is within one step of its exact part; of equal remainders the earlier one gets the step. Weights may be negative,
    as a discount row's; where all add up to zero, the shares are equal. The shares of `-total` are the negated shares of `total`.

    Args:
        total: A multiple of `step`; round it with `money` first.
        weights: One per share.
        step: The smallest unit, above zero.

    Raises:
        RecordError: The total is no multiple of the step, a number is no usable one, or there is something to share and
            nobody to get it (code `allocate-impossible`).
    """
    if not all(number.is_finite() and abs(number) < MAX_AMOUNT for number in (total, step, *weights)):
        raise _impossible("a number is not finite, or 10^15 and more")
    if step <= 0:
        raise _impossible(f"a step of {step} is not above zero")
    steps = Fraction(total) / Fraction(step)
    if steps.denominator != 1:
        raise _impossible(f"the total is no multiple of {step}")
    if not weights:
        if total:
            raise _impossible("there is no share to carry the total")
        return ()
    sign, count = (-1, -steps.numerator) if steps < 0 else (1, steps.numerator)
    parts = [Fraction(weight) for weight in weights]
    if sum(parts) == 0:
        parts = [Fraction(1)] * len(parts)
    exact = [count * part / sum(parts) for part in parts]
    shares = [floor(part) for part in exact]
    by_remainder = sorted(range(len(shares)), key=lambda i: (shares[i] - exact[i], i))
    for index in by_remainder[: count - sum(shares)]:
        shares[index] += 1
    return tuple(_EXACT.multiply(Decimal(sign * share), step) if share else step * 0 for share in shares)


def _impossible(why: str) -> RecordError:
    return RecordError(
        f"an amount cannot be shared out: {why}",
        code="allocate-impossible",
        hint="round the total with money() and check the weights",
    )
