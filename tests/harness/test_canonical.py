"""Two requests are the same call exactly when nothing that means something differs, and a difference is told by name."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.harness.canonical import Call, call, canonical_json, differences, distance

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["number", "members", "a", ""]) | st.text(), inner, max_size=3)
    ),
    max_leaves=12,
)


def make_call(
    body: bytes = b"{}",
    *,
    method: str = "POST",
    host: str = "crm.example",
    target: str = "/x",
    headers: Mapping[str, str] | None = None,
) -> Call:
    return call(method, host, target, {"Content-Type": "application/json", **(headers or {})}, body)


def make_batch(*parts: str, boundary: str = "b") -> Call:
    lines = "".join(f"--{boundary}\r\nContent-Type: application/http\r\n\r\n{p}\r\n" for p in parts)
    kind = f"multipart/mixed; boundary={boundary}"
    return make_call(f"{lines}--{boundary}--\r\n".encode(), headers={"Content-Type": kind})


def marked(value: Any) -> Any:
    """The value with its types, since Python holds `1`, `1.0` and `True` for equal."""
    if isinstance(value, dict):
        return {k: marked(v) for k, v in value.items()}
    return [marked(v) for v in value] if isinstance(value, list) else (type(value).__name__, str(value))


@given(JSON, JSON)
def test_canonical_texts_are_equal_exactly_for_equal_values(one: Any, other: Any) -> None:
    assert (canonical_json(json.dumps(one)) == canonical_json(json.dumps(other))) == (
        marked(one) == marked(other)
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1}', '{"a": {"number": "1"}}'),
        ('{"a": 1}', '{"members": {"a": 1}}'),
        ('{"a": 1}', '{"a": "1"}'),
        ('{"a": 1}', '{"a": 1.0}'),
        ('{"a": 1}', '{"a": true}'),
        ('{"a": null}', "{}"),
        ('{"a": 1, "a": 2}', '{"a": 2}'),
    ],
)
def test_values_that_only_look_alike_are_other_calls_and_the_difference_is_told(one: str, other: str) -> None:
    """A message that finds no difference would send the author looking for a repeated call."""
    ours, theirs = make_call(one.encode()), make_call(other.encode())
    assert ours != theirs
    assert differences(ours, theirs) != []
    assert distance(ours, theirs) > 0


@given(JSON, JSON)
def test_there_are_differences_to_tell_exactly_between_different_calls(one: Any, other: Any) -> None:
    ours, theirs = make_call(json.dumps(one).encode()), make_call(json.dumps(other).encode())
    assert (differences(ours, theirs) == []) == (ours == theirs)


@given(JSON)
def test_a_call_is_no_distance_from_itself(value: Any) -> None:
    made = make_call(json.dumps(value).encode())
    assert distance(made, made) == 0


def test_headers_that_mean_nothing_and_the_case_of_names_do_not_matter() -> None:
    plain = make_call(headers={"If-Match": "*"})
    assert plain == make_call(headers={"IF-MATCH": "*", "User-Agent": "x", "Authorization": "Bearer y"})
    assert plain == make_call(headers={"If-Match": "*", "Content-Type": "application/json; charset=utf-8"})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"method": "PUT"}, "method: POST instead of PUT"),
        ({"host": "shop.example"}, "host: crm.example instead of shop.example"),
        ({"target": "/x?$select="}, "target: /x instead of /x?$select="),
        ({"headers": {"Prefer": "a"}}, "header prefer: absent instead of a"),
        ({"body": b'{"tax": 1}'}, "body field tax: no longer sent"),
    ],
    ids=lambda v: "" if isinstance(v, dict) else v.partition(":")[0],
)
def test_each_difference_is_told_by_name(changes: dict[str, Any], told: str) -> None:
    assert differences(make_call(), make_call(**changes)) == [told]


def test_another_value_is_told_without_the_value() -> None:
    told = differences(make_call(b'{"name": "Jane"}'), make_call(b'{"name": "Joan"}'))
    assert told == ["body field name: another value"]


PATCH = "PATCH /api/accounts(1)?$select=name HTTP/1.1\r\nContent-Type: application/json\r\n{}\r\n{}"


def test_a_dropped_if_match_inside_a_batch_is_another_call() -> None:
    body = '{"name": "A"}'
    kept, dropped = PATCH.format('If-Match: W/"1"\r\n', body), PATCH.format("", body)
    assert make_batch(kept) == make_batch(kept, boundary="other")
    assert make_batch(kept) != make_batch(dropped)
    assert differences(make_batch(dropped), make_batch(kept)) != []


def test_fields_that_differ_in_several_parts_are_told_once_with_their_number() -> None:
    def batch(tax: str) -> Call:
        part = PATCH.format("", f'{{"tax": {tax}}}')
        return make_batch(part, part)

    assert differences(batch("1"), batch("2")) == ["body field tax: another value (2 times)"]


def test_the_nearest_call_is_the_one_to_the_same_address() -> None:
    wanted = make_call(b'{"a": 1, "b": 2}', target="/right")
    same_place = make_call(b'{"c": 3}', target="/right")
    same_body = make_call(b'{"a": 1, "b": 2}', target="/wrong")
    assert distance(wanted, same_place) < distance(wanted, same_body)
