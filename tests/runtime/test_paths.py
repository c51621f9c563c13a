"""A path leads to one field of the source's model, and a value put there has its type."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.domain.model import Model, Remote, column
from tagline.errors import UsageError
from tagline.runtime.paths import field_at, parsed, replaced


class Item(Model):
    remote: ClassVar[Remote] = Remote("shop", "PathItem", "PathItems", "sku")

    sku: str = column(default="", max_length=10)
    quantity: Decimal = column(default=Decimal(1))


class Buyer(Model):
    remote: ClassVar[Remote] = Remote("shop", "PathBuyer", "PathBuyers", "name")

    name: str = column(default="")
    token: str = column(default="", secret=True)


class Basket(Model):
    remote: ClassVar[Remote] = Remote("shop", "PathBasket", "PathBaskets", "number")

    number: int = column(default=0)
    paid: bool = column(default=False)
    at: datetime | None = column()
    buyer: Buyer | None = column()
    items: list[Item] = column(default=[])
    tags: tuple[str, ...] = column(default=())


BASKET = Basket(number=7, buyer=Buyer(name="a"), items=[Item(sku="A"), Item(sku="B")], tags=("x", "y"))


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("number", "12", 12),
        ("paid", "true", True),
        ("items.1.quantity", "2.50", Decimal("2.50")),
        ("items.0.sku", "12", "12"),
        ("items.0.sku", "", ""),
        ("at", "2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("at", "", None),
        ("buyer.name", "Ann", "Ann"),
        ("tags.1", "z", "z"),
    ],
    ids=["int", "bool", "decimal", "digits", "empty", "instant", "cleared", "below", "element"],
)
def test_a_typed_value_is_of_the_fields_type(path: str, text: str, value: object) -> None:
    assert parsed(Basket, path, text) == value
    assert type(parsed(Basket, path, text)) is type(value) or isinstance(value, datetime)


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("items.0.sk", "items.0.sku"),
        ("nmber", "number"),
        ("items.x.sku", "items.0"),
        ("number.x", "number has no fields"),
        ("items", "items.0.sku"),
        ("items.0", "items.0.sku"),
        ("buyer", "buyer.name"),
        ("buyer.token", "buyer has no fields"),
        ("", "number"),
    ],
    ids=["below", "near", "index", "scalar", "list", "record", "optional", "secret", "empty"],
)
def test_a_path_that_leads_to_no_field_is_refused_with_the_nearest(path: str, near: str) -> None:
    with pytest.raises(UsageError) as refused:
        field_at(Basket, path)
    assert refused.value.code == "override-path-unknown"
    assert near in refused.value.hint


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("number", "secret-word"),
        ("items.0.sku", "secret-word-long"),
        ("at", "2026-03-01T12:00:00"),
        ("number", ""),
    ],
    ids=["type", "length", "no zone", "not optional"],
)
def test_a_value_that_does_not_fit_is_refused_and_not_told(path: str, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parsed(Basket, path, text)
    assert refused.value.code == "override-value-invalid"
    assert "secret-word" not in f"{refused.value.message}{refused.value.hint}"


@given(st.integers(0, 1), st.text(max_size=10))
def test_a_replaced_field_is_the_only_one_that_differs(at: int, sku: str) -> None:
    made = replaced(BASKET, f"items.{at}.sku", sku)
    assert isinstance(made, Basket)
    assert made.items[at].sku == sku
    assert made.items[1 - at] == BASKET.items[1 - at]
    assert made.model_copy(update={"items": BASKET.items}) == BASKET


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [("items.2.sku", "C", "2 elements"), ("number", "x", "valid integer"), ("gone", 1, "no field")],
    ids=["beyond the list", "another type", "another model"],
)
def test_what_no_longer_fits_a_record_is_told(path: str, value: object, why: str) -> None:
    """A record loses rows and a release changes its model while an override stands."""
    with pytest.raises(ValueError, match=why):
        replaced(BASKET, path, value)
    with pytest.raises(ValueError, match="nothing above"):
        replaced(BASKET.model_copy(update={"buyer": None}), "buyer.name", "x")
