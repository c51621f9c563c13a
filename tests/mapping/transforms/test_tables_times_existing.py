"""Tables, instants and values that depend on what stands there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.domain.model import KEEP
from tagline.errors import RecordError, UsageError
from tagline.mapping.transforms import date_in, fill_blank, instant, table

STATES = table("order_state", {1: "new", 4: "shipped"})


def test_a_value_of_the_table_gives_its_counterpart():
    assert STATES.at(4) == "shipped"


@pytest.mark.parametrize(
    ("value", "shown"), [(7, "7"), ("NEW", "'NEW'"), (None, "None"), (" ", "a blank text")]
)
def test_a_missing_code_is_named_with_its_table(value, shown):
    with pytest.raises(RecordError) as caught:
        STATES.at(value)
    assert caught.value.code == "value-unmapped"
    assert caught.value.message == f"table order_state has no row for {shown}"
    assert caught.value.__context__ is None


@given(st.one_of(st.text(alphabet="xyz@ ", min_size=5).filter(str.strip), st.integers(min_value=10_000)))
def test_a_missing_value_that_may_describe_a_person_is_not_told(value):
    with pytest.raises(RecordError) as caught:
        table("t", {}).at(value)
    assert str(value) not in caught.value.message + caught.value.hint


def test_a_table_keeps_its_rows_whatever_becomes_of_theirs():
    rows = {1: "a"}
    copied = table("t", rows)
    rows[1] = "b"
    assert copied.at(1) == "a"


@given(st.datetimes(), st.integers(min_value=-14 * 60, max_value=14 * 60))
def test_an_instant_is_the_same_moment_in_utc(moment, offset):
    zone = timezone(timedelta(minutes=offset))
    try:
        found = instant(moment.replace(tzinfo=zone))
    except OverflowError:
        return  # the ends of the calendar
    assert found == moment.replace(tzinfo=zone)
    assert found.tzinfo is UTC


@pytest.mark.parametrize("transform", [instant, lambda moment: date_in(moment, "UTC")])
def test_a_time_without_a_zone_is_refused(transform):
    with pytest.raises(RecordError) as caught:
        transform(datetime(2026, 1, 1))  # noqa: DTZ001
    assert caught.value.code == "time-without-zone"


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("UTC", date(2026, 7, 1)),
        ("America/New_York", date(2026, 6, 30)),
        ("Pacific/Auckland", date(2026, 7, 1)),
    ],
)
def test_a_date_is_the_one_on_the_wall_of_its_zone(zone, day):
    assert date_in(datetime(2026, 7, 1, 2, tzinfo=UTC), zone) == day


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "America"])
def test_a_zone_that_does_not_exist_is_refused(zone):
    with pytest.raises(UsageError) as caught:
        date_in(datetime(2026, 7, 1, tzinfo=UTC), zone)
    assert caught.value.code == "zone-unknown"


@dataclass(frozen=True)
class Row:
    values: Mapping[str, Any] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("existing", "expected"),
    [
        (None, "new"),
        (Row({"name": None}), "new"),
        (Row({"name": " "}), "new"),
        (Row({"name": "theirs"}), KEEP),
        (Row({"name": 0}), KEEP),
    ],
    ids=["no row", "null", "blank", "given", "zero"],
)
def test_only_a_blank_is_filled(existing, expected):
    assert fill_blank(existing, "name", "new") == expected


def test_a_column_that_was_not_read_is_never_overwritten():
    with pytest.raises(UsageError) as caught:
        fill_blank(Row(), "name", "new")
    assert caught.value.code == "column-not-read"
