"""Money is rounded once and never lost."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tagline.errors import RecordError
from tagline.mapping.transforms import allocate, money

CENT = Decimal("0.01")
AMOUNTS = st.decimals(min_value=-(10**9), max_value=10**9, places=2)
WEIGHTS = st.lists(st.decimals(min_value=0, max_value=10**6, places=4), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("amount", "places", "rounded"),
    [
        ("0.005", 2, "0.01"),
        ("0.015", 2, "0.02"),
        ("0.025", 2, "0.03"),
        ("-0.005", 2, "-0.01"),
        ("0.0049999", 2, "0.00"),
        ("-0.001", 2, "0.00"),
        ("1", 2, "1.00"),
        ("2.5", 0, "3"),
        ("1.00005", 4, "1.0001"),
    ],
)
def test_a_tie_goes_away_from_zero(amount, places, rounded):
    assert str(money(Decimal(amount), places)) == rounded


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=6))
def test_rounding_moves_an_amount_by_half_a_cent_at_most_and_only_once(amount):
    rounded = money(amount)
    assert abs(rounded - amount) <= Decimal("0.005")
    assert rounded.as_tuple().exponent == -2
    assert money(rounded) == rounded
    assert money(-amount) == -rounded


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+15", "-1E+20"])
def test_what_is_no_amount_is_refused_and_not_told(amount):
    with pytest.raises(RecordError) as caught:
        money(Decimal(amount))
    assert caught.value.code == "money-unfit"
    assert amount not in caught.value.message


def test_the_sum_of_no_rows_is_an_amount():
    assert str(money(0)) == "0.00"


def test_a_callers_decimal_context_changes_nothing():
    with localcontext() as context:
        context.prec = 3
        assert money(Decimal("123456.785")) == Decimal("123456.79")
        shares = allocate(Decimal("123456.78"), [Decimal(1), Decimal(1)])
    assert shares == (Decimal("61728.39"), Decimal("61728.39"))


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        ("0.10", ["1", "1", "1"], ["0.04", "0.03", "0.03"]),
        ("-0.10", ["1", "1", "1"], ["-0.04", "-0.03", "-0.03"]),
        ("1.00", ["0", "3", "0"], ["0.00", "1.00", "0.00"]),
        ("0.05", ["0", "0"], ["0.03", "0.02"]),
        ("7.77", ["19.99", "5.01", "0"], ["6.21", "1.56", "0.00"]),
        ("9.00", ["10", "-1"], ["10.00", "-1.00"]),
        ("0.00", ["5", "5"], ["0.00", "0.00"]),
        ("0", [], []),
    ],
)
def test_shares_by_largest_remainder(total, weights, shares):
    found = allocate(Decimal(total), [Decimal(w) for w in weights])
    assert [str(share) for share in found] == shares


@given(AMOUNTS, WEIGHTS)
def test_shares_add_up_exactly_and_each_is_within_a_step_of_its_part(total, weights):
    shares = allocate(total, weights)
    assert sum(shares) == total
    assert len(shares) == len(weights)
    whole = sum(weights)
    assume(whole)
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * whole - total * weight) < CENT * whole


@given(AMOUNTS, st.lists(st.decimals(min_value=-(10**4), max_value=10**4, places=2), min_size=1, max_size=9))
def test_shares_add_up_with_discount_rows_and_mirror_a_refund(total, weights):
    shares = allocate(total, weights)
    assert sum(shares) == total
    assert allocate(-total, weights) == tuple(-share for share in shares)


@given(AMOUNTS, WEIGHTS)
def test_a_heavier_row_never_gets_less(total, weights):
    assume(total >= 0)
    shares = allocate(total, sorted(weights, reverse=True))
    assert list(shares) == sorted(shares, reverse=True)


@pytest.mark.parametrize(
    ("total", "weights", "step"),
    [
        ("0.005", ["1"], "0.01"),
        ("1", [], "0.01"),
        ("NaN", ["1"], "0.01"),
        ("1", ["Infinity"], "0.01"),
        ("1E+20", ["1"], "0.01"),
        ("1", ["1"], "0"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(total, weights, step):
    with pytest.raises(RecordError) as caught:
        allocate(Decimal(total), [Decimal(w) for w in weights], Decimal(step))
    assert caught.value.code == "allocate-impossible"


def test_another_step_shares_whole_units():
    assert allocate(Decimal(10), [Decimal(1)] * 3, Decimal(5)) == (Decimal(5), Decimal(5), Decimal(0))
