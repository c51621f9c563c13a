"""From the shop's JSON to typed records: secrets dropped, store-local times made aware, faults told without values."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeVar, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from tagline.connectors.shift4shop.models import Order, ShopModel
from tagline.connectors.shift4shop.models.product import lifted
from tagline.domain.scrub import scrub

R = TypeVar("R", bound=ShopModel)

Fault = Mapping[str, str]
"""What is wrong with one field: `field` and `reason`, never its value."""

_FORMATS: Final = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y",
)
"""The first is what recorded traffic holds, the third and fourth stand in the vendor's samples, the last in free texts (reference section 4)."""

_USUAL: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)


def _usual(text: str) -> datetime:
    """A time of the first format, which nearly all have, in a tenth of the time that a format takes."""
    if not _USUAL.fullmatch(text):
        raise ValueError
    return datetime.fromisoformat(text)


def _reader(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the store's, added by who calls


_READERS: Final = (_usual, *map(_reader, _FORMATS))

_ISO: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?")
"""No body of v2 was ever recorded: an offset or a longer fraction, should it have one, is read as what it says."""


class MalformedError(Exception):
    """A record that cannot be understood; `faults` names every wrong field."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(f"{len(faults)} fields are wrong")
        self.faults = faults


def to_order(raw: object, zone: ZoneInfo, currency: str, only: Collection[str] | None = None) -> Order:
    """One order as the shop sends it, with the store's currency, which it does not carry; see `to_record`."""
    return to_record(Order, raw, zone, currency, only)


def to_record(
    model: type[R],
    raw: object,
    zone: ZoneInfo,
    currency: str,
    only: Collection[str] | None = None,
    *,
    least_id: int = 1,
) -> R:
    """
    One record as the shop sends it.

    Args:
        zone: The store's time zone.
        currency: The store's currency, for the model that has a field for it.
        only: Fields that matter, where the record is a target: faults elsewhere are not our business.
        least_id: Smallest number that is an id.

    Raises:
        MalformedError: It is no such record, or some fields cannot be understood.
    """
    if not isinstance(raw, Mapping):
        raise MalformedError({"field": "", "reason": "the record is no JSON object"})
    own = model.remote.primary_id
    fields = {
        k: v for k, v in lifted(_without_nulls(scrub(raw))).items() if only is None or k in {own, *only}
    }
    faults: list[Fault] = []
    fields = _timed(fields, model, zone, "", faults)
    if "store_currency" in model.model_fields:
        fields["store_currency"] = currency
    try:
        record = model.model_validate(fields)
    except ValidationError as error:
        faults += [
            {"field": ".".join(str(part) for part in found["loc"]), "reason": found["msg"]}
            for found in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise MalformedError(*faults) from None
    number = getattr(record, own)
    if isinstance(number, int) and number < least_id:
        faults.append({"field": own, "reason": "it is missing or not positive"})
    if number == "":
        faults.append({"field": own, "reason": "it is missing"})
    if faults:
        raise MalformedError(*faults)
    return record


def to_instant(value: object, zone: ZoneInfo) -> datetime | None:
    """
    A time of the shop as an instant; blank is none.

    Times are local to the store and name no offset, so that the hour which a clock change repeats is ambiguous: it is
    read as the first of the two. A time in the hour it skips is read with the offset before the change.
    """
    if not isinstance(value, str):
        raise ValueError("it is no date and time")
    text = value.strip()
    if not text:
        return None
    for read in _READERS:
        try:
            local = read(text)
        except ValueError:
            continue
        try:
            return local.replace(tzinfo=zone, fold=0).astimezone(UTC)
        except OverflowError:
            break
    if _ISO.fullmatch(text):
        with suppress(ValueError, OverflowError):
            told = datetime.fromisoformat(text)
            return (told if told.tzinfo else told.replace(tzinfo=zone)).astimezone(UTC)
    raise ValueError("it is no date and time")


def to_local(instant: datetime, zone: ZoneInfo) -> str:
    """An instant as the shop is sent one: local to the store, whole seconds. Source: reference/shift4shop-api.md section 4."""
    return f"{instant.astimezone(zone):%m/%d/%Y %H:%M:%S}"


def order_id(value: object) -> str | None:
    """The key of an order as text, from a number or a quoted number; None when it is none."""
    return whole_id(value)


def whole_id(value: object, least: int = 1) -> str | None:
    """An id as text, from a number or a quoted number that is not smaller than `least`; None when it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if least <= value < 10**18 else None
    if isinstance(value, str):
        digits = value.strip()
        if digits.isascii() and digits.isdigit() and len(digits) <= 18 and int(digits) >= least:
            return str(int(digits))
    return None


@cache
def _times_of(model: type[BaseModel]) -> tuple[frozenset[str], Mapping[str, type[BaseModel]]]:
    """Names of a model's times, and models of the lists in it, by name."""
    times: set[str] = set()
    lists: dict[str, type[BaseModel]] = {}
    for name, info in model.model_fields.items():
        told = get_args(info.annotation)
        if datetime in told:
            times.add(name)
        elif told and isinstance(told[0], type) and issubclass(told[0], BaseModel):
            lists[name] = told[0]
    return frozenset(times), lists


def _timed(
    fields: Mapping[str, Any], model: type[BaseModel], zone: ZoneInfo, path: str, faults: list[Fault]
) -> dict[str, Any]:
    """The fields with every time as an instant; those that are none are left out and told of in `faults`."""
    times, lists = _times_of(model)
    if not times and not lists:
        return dict(fields)
    made: dict[str, Any] = {}
    for name, value in fields.items():
        if name in times:
            try:
                made[name] = to_instant(value, zone)
            except ValueError as error:
                faults.append({"field": path + name, "reason": str(error)})
        elif name in lists and isinstance(value, list):
            made[name] = [
                _timed(each, lists[name], zone, f"{path}{name}.{place}.", faults)
                if isinstance(each, Mapping)
                else each
                for place, each in enumerate(value)
            ]
        else:
            made[name] = value
    return made


_HOLDERS: Final = frozenset({dict, list})
"""Types of values that hold others, in what `scrub` gives."""


def _without_nulls(value: Any) -> Any:
    """The shop's null and a missing field mean the same: blank. Takes what `scrub` gives: plain dictionaries and lists."""
    if isinstance(value, dict):
        # Most values hold nothing, and a call for each would be most of the work.
        return {k: _without_nulls(v) if type(v) in _HOLDERS else v for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value]
    return value
