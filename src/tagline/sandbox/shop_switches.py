"""The quirks of a shop over the wire: shown as JSON, and turned by whoever tests a client that is no Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from tagline.sandbox.control_given import Given
from tagline.sandbox.shop_quirks import ShopQuirks

STATUSES: Final = range(200, 600)


def shown(quirks: ShopQuirks) -> dict[str, Any]:
    """Every quirk by name; spans of time are seconds, headers and events objects."""
    told = {each.name: _shown(getattr(quirks, each.name)) for each in fields(quirks)}
    return {**told, "throttle_headers": dict(quirks.throttle_headers)}


def _shown(value: Any) -> Any:
    match value:
        case timedelta():
            return int(value.total_seconds())
        case Mapping():
            return {str(key): each for key, each in value.items()}
        case tuple():
            return [_shown(each) for each in value]
    return value


def turned(quirks: ShopQuirks, given: Given) -> ShopQuirks:
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


def _taken(quirks: ShopQuirks, given: Given, name: str) -> Any:
    if name in _READERS:
        return _READERS[name](given, name)
    match getattr(quirks, name):
        case bool():
            return given.flag(name)
        case int():
            return given.whole(name, among=STATUSES if name.endswith("_status") else None)
    return given.text(name)


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
    value = given.fields[name]
    if not isinstance(value, list) or not all(_is_span(each) for each in value):
        raise given.misuse(f"{name} must be a list of seconds, of a day at most")
    return tuple(timedelta(seconds=float(each)) for each in value)


def _is_span(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool) and 0 <= value <= 86_400


def _events(given: Given, name: str) -> Mapping[int, str]:
    value = given.fields[name]
    if not isinstance(value, dict) or not all(
        key.isdecimal() and len(key) <= 3 and isinstance(text, str) for key, text in value.items()
    ):
        raise given.misuse(f'{name} must be an object such as {{"1": "Order New"}}')
    return {int(key): text for key, text in value.items()}


_READERS: Final[Mapping[str, Callable[[Given, str], Any]]] = {
    "unauthorised_body": _body,
    "throttle_headers": _headers,
    "webhook_retry_after": _spans,
    "webhook_events": _events,
}
"""Quirks that are neither flag, number nor text."""
