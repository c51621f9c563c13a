"""Secret fields are removed wherever they stand, in every kind of value that can hold others."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.domain.scrub import scrub

plain = st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(max_size=3)
names = st.sampled_from(["a", "B", "CardNumber", "password", "PaymentToken"])
trees = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(names, inner, max_size=3)
        | st.dictionaries(names, inner, max_size=3).map(MappingProxyType)
    ),
)


def fields(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [*value, *(name for inner in value.values() for name in fields(inner))]
    if isinstance(value, list | tuple):
        return [name for inner in value for name in fields(inner)]
    return []


@given(trees)
def test_no_secret_field_is_left_at_any_depth(value: Any):
    assert set(fields(scrub(value))) <= {"a", "B"}


@pytest.mark.parametrize("held", [None, True, 1, 1.5, Decimal("1.50"), "text"], ids=repr)
def test_values_that_hold_nothing_stay_as_they_are(held: object):
    assert {"a": held, "b": [held]} == scrub({"a": held, "b": [held], "password": held})
