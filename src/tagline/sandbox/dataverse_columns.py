"""New columns, and changes of those that stand, from their definitions. Source: Web API notes, section 14."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from tagline.sandbox.dataverse_errors import Refusal
from tagline.sandbox.dataverse_navigation import collections_of
from tagline.sandbox.dataverse_platform import NAMESPACE, text_parameter
from tagline.sandbox.dataverse_quirks import quirks
from tagline.sandbox.dataverse_schema import Column, Table

MAX_PRECISION: Final = 10
MAX_LIMIT: Final = 922_337_203_685_477
"""Of a number's range, either way."""
REQUIRED_LEVELS: Final = ("None", "Recommended", "ApplicationRequired")
"""That a column of ours may have; the platform's own can be required by the system."""
FIRST_OPTION: Final = 100_000_000
"""Value of the first option that is given none: the publisher's prefix and four zeros."""
NAME: Final = re.compile(r"[A-Za-z]\w{0,99}")


def refused(message: str) -> Refusal:
    """A table, a column or a key cannot be what a definition says."""
    return Refusal(400, quirks().metadata_refused_code, message)


def new_columns(table: Table, given: Mapping[str, Any]) -> Sequence[Column]:
    """
    The column that a definition describes; a column of money comes with its twin in the organisation's currency.

    Raises:
        Refusal: The definition cannot be read, or there is such a column already.
    """
    name = text_parameter(given, "SchemaName").lower()
    if NAME.fullmatch(name) is None or "_" not in name or name in table.columns:
        raise refused(f"The column '{name}' exists on '{table.name}' or has no customization prefix.")
    column = _made(name, given)
    if column.type != "Money":
        return (column,)
    return (column, replace(column, name=f"{name}_base", required="None", create=False, update=False))


def new_lookup(child: Table, target: Table, given: Mapping[str, Any]) -> Column:
    """
    The lookup of a one-to-many relationship, from the relationship's definition.

    Raises:
        Refusal: The definition cannot be read, or there is such a column or relationship already.
    """
    lookup = given.get("Lookup")
    if not isinstance(lookup, dict):
        raise refused("A relationship of one to many needs a Lookup.")
    spelt, collection = text_parameter(lookup, "SchemaName"), text_parameter(given, "SchemaName")
    name = spelt.lower()
    if NAME.fullmatch(name) is None or "_" not in name or name in child.columns:
        raise refused(f"The column '{name}' exists on '{child.name}' or has no customization prefix.")
    if NAME.fullmatch(collection) is None or collection in collections_of(target):
        raise refused(f"The relationship '{collection}' exists on '{target.name}' or is no name.")
    return Column(
        name,
        "Lookup",
        required=_required(name, lookup),
        targets={target.name: str(given.get("ReferencingEntityNavigationPropertyName") or spelt)},
        collections={target.name: collection},
    )


def changed_column(column: Column, given: Mapping[str, Any]) -> Column:
    """
    A column as its whole definition, which was read and is sent back, now has it.

    Raises:
        Refusal: The definition cannot be read, or is of another type.
    """
    made = _made(column.name, given, column)
    if made.type != column.type:
        raise refused(f"The type of the column '{column.name}' cannot be changed.")
    return replace(
        column,
        max_length=made.max_length,
        precision=made.precision,
        min=made.min,
        max=made.max,
        required=made.required,
        options=made.options,
    )


def _made(name: str, given: Mapping[str, Any], standing: Column | None = None) -> Column:
    kind = str(given.get("@odata.type", "")).removeprefix("#").removeprefix(NAMESPACE)
    make = _MAKERS.get(kind)
    if make is None:
        raise refused(
            f"Columns of type '{kind}' cannot be made here; of these they can: {', '.join(_MAKERS)}."
        )
    required = _required(name, given, standing)
    column = make(name, given)
    if standing is not None and "OptionSet" not in given:
        column = replace(column, options=standing.options)
    elif column.type in ("Picklist", "MultiSelectPicklist") and not column.options:
        raise refused(f"The OptionSet of '{name}' holds no options of its own.")
    return replace(column, required=required)


def _required(name: str, given: Mapping[str, Any], standing: Column | None = None) -> str:
    level = given.get("RequiredLevel")
    required = level.get("Value", REQUIRED_LEVELS[0]) if isinstance(level, dict) else REQUIRED_LEVELS[0]
    if required not in REQUIRED_LEVELS and (standing is None or required != standing.required):
        raise refused(f"The RequiredLevel of '{name}' is none of {', '.join(REQUIRED_LEVELS)}.")
    return str(required)


def _text(kind: str, most: int) -> Callable[[str, Mapping[str, Any]], Column]:
    def make(name: str, given: Mapping[str, Any]) -> Column:
        length = given.get("MaxLength", 100)
        if isinstance(length, bool) or not isinstance(length, int) or not 1 <= length <= most:
            raise refused(f"The MaxLength of '{name}' is not between 1 and {most}.")
        return Column(name, kind, max_length=length)

    return make


def _number(kind: str) -> Callable[[str, Mapping[str, Any]], Column]:
    def make(name: str, given: Mapping[str, Any]) -> Column:
        precision = given.get("Precision", 2)
        if (
            isinstance(precision, bool)
            or not isinstance(precision, int)
            or not 0 <= precision <= MAX_PRECISION
        ):
            raise refused(f"The Precision of '{name}' is not between 0 and {MAX_PRECISION}.")
        low, high = _limit(name, given, "MinValue"), _limit(name, given, "MaxValue")
        return Column(name, kind, precision=precision, min=low, max=high)

    return make


def _limit(name: str, given: Mapping[str, Any], which: str) -> float | None:
    value = given.get(which)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or abs(Decimal(value)) > MAX_LIMIT:
        raise refused(f"The {which} of '{name}' is no number up to {MAX_LIMIT}.")
    return float(value)


def _date(name: str, given: Mapping[str, Any]) -> Column:
    behaviour = given.get("DateTimeBehavior")
    is_date = isinstance(behaviour, dict) and behaviour.get("Value") == "DateOnly"
    return Column(name, "DateOnly" if is_date else "DateTime")


def _choice(kind: str) -> Callable[[str, Mapping[str, Any]], Column]:
    def make(name: str, given: Mapping[str, Any]) -> Column:
        known = given.get("OptionSet")
        listed = known.get("Options") if isinstance(known, dict) else None
        options: dict[int, str] = {}
        for place, one in enumerate(listed if isinstance(listed, list) else ()):
            value = one.get("Value") if isinstance(one, dict) else "no option"
            value = FIRST_OPTION + place if value is None else value
            if isinstance(value, bool) or not isinstance(value, int) or value in options:
                raise refused(f"An option of '{name}' has no whole number of its own as its value.")
            options[value] = _label(one.get("Label")) or str(value)
        return Column(name, kind, options=options)

    return make


def _label(given: Any) -> str:
    """The first text of a label, which may come in several languages."""
    labels = given.get("LocalizedLabels") if isinstance(given, dict) else None
    first = labels[0] if isinstance(labels, list) and labels else None
    return str(first.get("Label") or "") if isinstance(first, dict) else ""


_MAKERS: Mapping[str, Callable[[str, Mapping[str, Any]], Column]] = {
    "StringAttributeMetadata": _text("String", 4000),
    "MemoAttributeMetadata": _text("Memo", 1_048_576),
    "DateTimeAttributeMetadata": _date,
    "DecimalAttributeMetadata": _number("Decimal"),
    "DoubleAttributeMetadata": _number("Double"),
    "MoneyAttributeMetadata": _number("Money"),
    "IntegerAttributeMetadata": _number("Integer"),
    "BigIntAttributeMetadata": lambda name, _given: Column(name, "BigInt"),
    "BooleanAttributeMetadata": lambda name, _given: Column(name, "Boolean"),
    "PicklistAttributeMetadata": _choice("Picklist"),
    "MultiSelectPicklistAttributeMetadata": _choice("MultiSelectPicklist"),
}
