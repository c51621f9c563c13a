from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.dataverse.pricing import PricedLine, order_total

money = st.decimals(0, 10_000, places=2)
lines = st.lists(st.builds(PricedLine, st.decimals(0, 100, places=5), money, money, money), max_size=5)


def test_a_total_is_lines_less_discounts_plus_freight_and_tax():
    given_lines = [
        PricedLine(Decimal(2), Decimal("10.00"), Decimal("1.00"), Decimal("1.50")),
        PricedLine(Decimal("0.5"), Decimal("3.33"), tax=Decimal("0.10")),
    ]
    # 20.00 - 1.00 + 1.50, 1.67 (1.665 away from zero) + 0.10, freight 5.00, discount 2.00
    assert order_total(given_lines, Decimal("5.00"), Decimal("2.00")) == Decimal("25.27")


def test_nothing_costs_nothing():
    assert order_total([]) == Decimal("0.00")


@given(lines, lines, money, money)
def test_a_total_is_the_sum_of_its_parts_in_any_order(some, others, freight, discount):
    whole = order_total([*some, *others], freight, discount)
    assert whole == order_total(others, freight) + order_total(some, Decimal(0), discount)
