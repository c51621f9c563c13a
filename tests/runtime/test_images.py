from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import ClassVar

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from tagline.domain.model import Model, Ref, Remote, ref
from tagline.errors import TryAgainError, UsageError
from tagline.runtime.images import Images, from_text, key_from_text, to_text
from tagline.runtime.key_ring import KeyRing, make_key

KEY = make_key()


class Town(Model):
    remote: ClassVar[Remote] = Remote("atlas", "town", "towns", "townid", (("code",),))


zones = st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=30))])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.datetimes(timezones=zones)
    | st.dates()
    | st.text().map(lambda code: ref(Town, code=code))
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(values)
def test_a_value_comes_back_as_it_was(value):
    assert from_text(to_text(value)) == value


@given(st.dictionaries(st.text(), values))
def test_an_image_comes_back_as_it_was(image):
    images = Images(KeyRing.of(KEY.text))
    assert images.unseal(images.seal(image, KEY), KEY.id) == image


@given(st.dictionaries(st.text(min_size=1), scalars, min_size=1))
def test_a_key_comes_back_in_its_form(values):
    key = tuple(sorted(values.items(), key=lambda pair: pair[0]))
    assert key_from_text(to_text(key)) == key


def test_types_are_kept_where_equality_would_not_show_it():
    image = {
        "d": Decimal("1.00"),
        "t": datetime(2026, 1, 1, tzinfo=UTC),
        "day": date(2026, 1, 1),
        "n": 1,
        "b": True,
    }
    back = from_text(to_text(image))
    assert {k: (type(v), str(v)) for k, v in back.items()} == {k: (type(v), str(v)) for k, v in image.items()}


def test_nothing_of_an_image_can_be_read_without_the_key():
    blob = Images(KeyRing.of(KEY.text)).seal({"billto_line1": "12 Secret Street"}, KEY)
    assert b"Secret" not in blob
    assert b"billto" not in blob


def test_an_image_of_the_first_tagline_is_read():
    blob = Fernet(KEY.text).encrypt(to_text({"name": "Jane Doe"}).encode())
    assert Images(KeyRing.of(KEY.text)).unseal(blob, KEY.id) == {"name": "Jane Doe"}


def test_a_key_that_the_ring_lacks_is_named_and_the_record_may_wait():
    other = make_key()
    blob = Images(KeyRing.of(other.text)).seal({}, other)
    with pytest.raises(TryAgainError) as refused:
        Images(KeyRing.of(KEY.text)).unseal(blob, other.id)
    assert refused.value.code == "state-key-wrong"
    assert other.id in refused.value.message


def test_an_image_of_before_a_rotation_is_read_with_the_ring():
    old = make_key()
    blob = Images(KeyRing.of(old.text)).seal({"name": "Jane Doe"}, old)
    assert Images(KeyRing.of(f"{KEY.text}\n{old.text}")).unseal(blob, old.id) == {"name": "Jane Doe"}


def test_a_reference_to_an_unknown_model_is_named():
    text = to_text({"x": Ref(Town, (("code", "a"),))}).replace("town", "village")
    with pytest.raises(UsageError) as refused:
        from_text(text)
    assert (refused.value.code, "atlas village" in refused.value.message) == ("image-model-unknown", True)


def test_what_no_row_holds_is_refused():
    with pytest.raises(TypeError, match="object"):
        to_text({"x": object()})
