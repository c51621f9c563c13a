"""The quirks of a site over the wire: shown as JSON, and turned by whoever tests a client that is no Python."""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from tagline.sandbox import assumptions
from tagline.sandbox.control_given import Given
from tagline.sandbox.dataverse_quirks import OrganisationQuirks
from tagline.sandbox.finance_quirks import FinanceQuirks
from tagline.sandbox.login_quirks import LoginQuirks
from tagline.sandbox.shop_quirks import ShopQuirks

STATUSES: Final = range(200, 600)
DAY_S: Final = 86_400
ROUNDINGS: Final = tuple(name for name in vars(decimal) if name.startswith("ROUND_"))
RESERVATIONS: Final = ("Automatic", "Manual", "Explosion")
_CODE: Final = re.compile(r"0x[0-9a-f]{8}")
Quirks = TypeVar("Quirks", ShopQuirks, OrganisationQuirks, FinanceQuirks, LoginQuirks)


def shown(quirks: Quirks) -> dict[str, Any]:
    """Every quirk by name; spans of time are seconds, headers, events and costs objects, sets of characters texts."""
    told = {each.name: _shown(getattr(quirks, each.name)) for each in fields(quirks)}
    if isinstance(quirks, ShopQuirks):
        told["throttle_headers"] = dict(quirks.throttle_headers)
    return told


def _shown(value: Any) -> Any:
    match value:
        case timedelta():
            return int(value.total_seconds())
        case Mapping():
            return {str(key): _shown(each) for key, each in value.items()}
        case tuple():
            return [_shown(each) for each in value]
        case frozenset():
            return "".join(sorted(value))
        case float():
            return int(value) if value.is_integer() else Decimal(str(value))
    return value


def turned(quirks: Quirks, given: Given) -> Quirks:
    """
    The quirks with those that are given.

    Raises:
        MisuseError: There is no quirk of a name, or its value is of another kind.
    """
    known = {each.name for each in fields(quirks)}
    if unknown := sorted(set(given.fields) - known):
        raise given.misuse(f"there is no quirk {unknown[0]}; quirks are {', '.join(sorted(known))}")
    if not given.fields:
        raise given.misuse("no quirk is given")
    return replace(quirks, **{name: _taken(quirks, given, name) for name in given.fields})


def _taken(quirks: Quirks, given: Given, name: str) -> Any:
    if name in _READERS:
        return _READERS[name](given, name)
    match getattr(quirks, name):
        case bool():
            return given.flag(name)
        case int():
            return given.whole(name, among=STATUSES if name.endswith("_status") else None)
        case float():
            return _seconds(given, name)
    return _code(given, name) if name.endswith("_code") else given.text(name)


def _code(given: Given, name: str) -> str:
    text = given.text(name)
    if _CODE.fullmatch(text) is None:
        raise given.misuse(f"{name} must be a code such as 0x80040220")
    return text


def _seconds(given: Given, name: str) -> float:
    value = given.fields[name]
    if not _is_span(value):
        raise given.misuse(f"{name} must be a number of seconds, of a day at most")
    return float(value)


def _body(given: Given, name: str) -> Mapping[str, Any] | None:
    value = given.fields[name]
    if value is not None and not isinstance(value, dict):
        raise given.misuse(f"{name} must be an object, or null for an empty body")
    return value


def _headers(given: Given, name: str) -> tuple[tuple[str, str], ...]:
    value = given.fields[name]
    if not isinstance(value, dict) or not all(_is_plain(text) for pair in value.items() for text in pair):
        raise given.misuse(f'{name} must be an object such as {{"Retry-After": "5"}}')
    return tuple(value.items())


def _is_plain(text: object) -> bool:
    """Whether it can stand in a header."""
    return isinstance(text, str) and text.isascii() and text.isprintable()


def _spans(given: Given, name: str) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=each) for each in _all_seconds(given, name))


def _all_seconds(given: Given, name: str) -> tuple[float, ...]:
    value = given.fields[name]
    if not isinstance(value, list) or not all(_is_span(each) for each in value):
        raise given.misuse(f"{name} must be a list of seconds, of a day at most")
    return tuple(float(each) for each in value)


def _two_seconds(given: Given, name: str) -> tuple[float, float]:
    match _all_seconds(given, name):
        case (begin, end) if begin <= end:
            return begin, end
    raise given.misuse(f"{name} must be two numbers of seconds, the second not smaller")


def _is_span(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool) and 0 <= value <= DAY_S


def _events(given: Given, name: str) -> Mapping[int, str]:
    value = given.fields[name]
    if not isinstance(value, dict) or not all(
        key.isdecimal() and len(key) <= 3 and isinstance(text, str) for key, text in value.items()
    ):
        raise given.misuse(f'{name} must be an object such as {{"1": "Order New"}}')
    return {int(key): text for key, text in value.items()}


def _by_name(names: Collection[str]) -> Callable[[Given, str], Mapping[str, float]]:
    def read(given: Given, name: str) -> Mapping[str, float]:
        value = given.fields[name]
        if (
            not isinstance(value, dict)
            or value.keys() != set(names)
            or not all(_is_span(each) for each in value.values())
        ):
            raise given.misuse(f"{name} must be an object with the seconds of {', '.join(names)}")
        return {key: float(value[key]) for key in names}

    return read


def _one_of(texts: Collection[str]) -> Callable[[Given, str], str]:
    def read(given: Given, name: str) -> str:
        text = given.text(name)
        if text not in texts:
            raise given.misuse(f"{name} must be one of {', '.join(texts)}")
        return text

    return read


def _within(numbers: range) -> Callable[[Given, str], int]:
    return lambda given, name: given.whole(name, among=numbers)


def _characters(given: Given, name: str) -> frozenset[str]:
    return frozenset(given.text(name))


def _day(given: Given, name: str) -> str:
    text = given.text(name)
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise given.misuse(f"{name} must be a day such as 1753-01-01") from None


_READERS: Final[Mapping[str, Callable[[Given, str], Any]]] = {
    "unauthorised_body": _body,
    "throttle_headers": _headers,
    "webhook_retry_after": _spans,
    "webhook_events": _events,
    "rounding": _one_of(ROUNDINGS),
    "unsafe_key_characters": _characters,
    "earliest_time": _day,
    "week_starts_on": _within(range(7)),
    "context_zone": _within(range(-14 * 60, 14 * 60 + 1)),
    "dop_hint": _within(range(1, 1001)),
    "execution_cost_s": _by_name(assumptions.EXECUTION_COST_S),
    "key_steps_s": _by_name(assumptions.KEY_STEPS_S),
    "import_steps_s": _two_seconds,
    "event_repeats_s": _all_seconds,
    "page_option": _one_of(("$skiptoken", "$skip")),
    "whole_digits": _within(range(1, assumptions.FINANCE_WHOLE_DIGITS + 1)),
    "reservation": _one_of(RESERVATIONS),
    "token_version": _within(range(1, 3)),
}
"""Quirks that are more, or less, than any flag, number, code or text."""
