"""Models of remote records: pydantic classes whose columns say what the remote allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType, UnionType
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar, Union, get_args, get_origin
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from tagline.errors import UsageError

M = TypeVar("M", bound="Model", covariant=True)


class Keep(Enum):
    """The marker that leaves a target field as it is."""

    KEEP = "KEEP"

    def __repr__(self) -> str:
        return "KEEP"


KEEP: Final = Keep.KEEP
"""Returned by a rule to leave the field alone: it is then treated as not named."""


@dataclass(frozen=True)
class Remote:
    """Where a model lives: its system, names and the keys it can be addressed by."""

    system: str
    """Kind of connector, for example `dataverse`."""
    entity: str
    """The remote's singular name, for example `salesorder`."""
    collection: str
    """The remote's plural name, as it stands in a URL, for example `salesorders`."""
    primary_id: str
    """Column of the primary id that the remote assigns."""
    keys: tuple[tuple[str, ...], ...] = ()
    """Alternate keys, each a tuple of column names; the first is ours and used for upsert."""


@dataclass(frozen=True)
class Column:
    """Facts about one field of a model, as the remote states them."""

    name: str
    required: bool
    """A row cannot be created without it."""
    create: bool
    update: bool
    max_length: int | None
    precision: int | None
    """Decimal places, for numbers."""
    options: tuple[int | str, ...]
    """Values that a choice may have; of a column typed as a `Literal`, its members."""
    unit: str
    secret: bool
    """Removed before anything is stored: card data, tokens, password hashes."""
    personal: bool
    """Describes a person; pseudonymised in recordings."""
    local: bool
    """Filled by the connector: the remote has no such field."""


def column(
    *,
    required: bool = False,
    create: bool = True,
    update: bool = True,
    max_length: int | None = None,
    precision: int | None = None,
    options: tuple[int, ...] = (),
    unit: str = "",
    secret: bool = False,
    personal: bool = False,
    local: bool = False,
    doc: str = "",
    default: Any = None,
) -> Any:
    """Declare a field of a model with what the remote allows for it; see `Column`."""
    return Field(
        default=default,
        max_length=max_length,
        description=doc or None,
        json_schema_extra={
            "tagline": {
                "required": required,
                "create": create,
                "update": update,
                "max_length": max_length,
                "precision": precision,
                "options": list(options),
                "unit": unit,
                "secret": secret,
                "personal": personal,
                "local": local,
            }
        },
    )


class Model(BaseModel):
    """
    A record of a remote system.

    A field that was not given is not ours and is never sent; `None` clears it; `KEEP` counts as not given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    remote: ClassVar[Remote]

    @model_validator(mode="before")
    @classmethod
    def _drop_kept(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            return {name: value for name, value in data.items() if value is not KEEP}
        return data

    def given(self) -> dict[str, Any]:
        """The fields that were named, by name, in the order of the model."""
        return {n: getattr(self, n) for n in type(self).model_fields if n in self.model_fields_set}


_COLUMNS: Final[WeakKeyDictionary[type[Model], Mapping[str, Column]]] = WeakKeyDictionary()
"""Facts of models that were asked for; an integration that is loaded anew has other classes, and the old ones go."""


def columns(model: type[Model]) -> Mapping[str, Column]:
    """Column facts of every field of a model, by name; worked out once, since every write of every record asks."""
    known = _COLUMNS.get(model)
    if known is None:
        known = _COLUMNS[model] = MappingProxyType(_columns(model))
    return known


def _columns(model: type[Model]) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for name, info in model.model_fields.items():
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        raw = extra.get("tagline", {})
        facts: dict[str, Any] = dict(raw) if isinstance(raw, dict) else {}
        found[name] = Column(
            name=name,
            required=bool(facts.get("required", False)),
            create=bool(facts.get("create", True)),
            update=bool(facts.get("update", True)),
            max_length=facts.get("max_length"),
            precision=facts.get("precision"),
            options=tuple(facts.get("options", ())) or _choices(info.annotation),
            unit=str(facts.get("unit", "")),
            secret=bool(facts.get("secret", False)),
            personal=bool(facts.get("personal", False)),
            local=bool(facts.get("local", False)),
        )
    return found


def _choices(annotation: Any) -> tuple[int | str, ...]:
    """Of the `Literal` that a column is typed as, also where it may be None or has marks."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((found for inner in get_args(annotation) if (found := _choices(inner))), ())


class Ref(Generic[M]):
    """
    A lookup value: a row of another table, named by one of its keys and never fetched.

    Written in a model as `Ref[Account | Contact]`; made by `ref(Account, tl_customerkey=…)`. No dataclass, though it
    behaves as a frozen one: pydantic has a schema of its own for generic dataclasses and would not ask ours.
    """

    __slots__ = ("key", "model")

    model: type[M]
    key: tuple[tuple[str, Any], ...]
    """Columns of one declared alternate key with their values, or the primary id alone."""

    def __init__(self, model: type[M], key: tuple[tuple[str, Any], ...]) -> None:
        object.__setattr__(self, "model", model)
        object.__setattr__(self, "key", key)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a reference is frozen; {name} cannot be set")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and (self.model, self.key) == (other.model, other.key)

    def __hash__(self) -> int:
        return hash((self.model, self.key))

    def __repr__(self) -> str:
        return f"Ref(model={self.model!r}, key={self.key!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.model, self.key)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        allowed = ref_targets(source)

        def check(value: Any) -> Any:
            if not isinstance(value, Ref):
                raise ValueError("not a reference; write ref(Model, key=value)")
            if allowed and not issubclass(value.model, allowed):
                names = " or ".join(m.__name__ for m in allowed)
                raise ValueError(f"refers to {value.model.__name__}, allowed is {names}")
            return value

        return core_schema.no_info_plain_validator_function(
            check,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda r: {"ref": r.model.__name__, "key": dict(r.key)}
            ),
        )


def ref_targets(annotation: Any) -> tuple[type[Model], ...]:
    """The model classes a `Ref[…]` annotation allows, also inside an optional."""
    return tuple(_targets(annotation))


def _targets(annotation: Any) -> Iterator[type[Model]]:
    origin = get_origin(annotation)
    if origin is Ref:
        for arg in get_args(annotation):
            yield from _members(arg)
    elif origin in (Union, UnionType):
        for arg in get_args(annotation):
            yield from _targets(arg)


def _members(annotation: Any) -> Iterator[type[Model]]:
    if get_origin(annotation) in (Union, UnionType):
        for arg in get_args(annotation):
            yield from _members(arg)
    elif isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation


def ref(model: type[M], **key: Any) -> Ref[M]:
    """
    Refer to a row by one of its model's declared alternate keys or by its primary id.

    Raises:
        UsageError: The columns are no declared key (code `ref-key-unknown`).
    """
    given = tuple(sorted(key))
    declared = [tuple(sorted(k)) for k in (*model.remote.keys, (model.remote.primary_id,))]
    if given not in declared:
        choices = ", ".join("+".join(k) for k in declared)
        raise UsageError(
            f"{model.__name__} has no key ({', '.join(given)})",
            code="ref-key-unknown",
            where={"model": model.__name__},
            hint=f"use one of its keys: {choices}",
        )
    return Ref(model, tuple(sorted(key.items())))
