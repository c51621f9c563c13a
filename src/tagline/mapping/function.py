"""The `@mapping` decorator and what it makes of a function."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from tagline.domain.model import Model
from tagline.mapping.checks import check_fields
from tagline.mapping.failure import explain_failure
from tagline.mapping.lineage import Reader
from tagline.mapping.place import Place, Value, alternatives, distinct, field_annotations, item_type, whole
from tagline.mapping.rule import Rule
from tagline.mapping.shape import Shape, bound_arguments, read_shape

P = ParamSpec("P")
T = TypeVar("T", covariant=True)


class MappingFunction(Generic[P, T]):
    """
    A mapping: called, it is the function it was made of; read, it is a list of rules.

    A call that fails is repeated rule by rule, so that the error lists every wrong field. A mapping that is not pure
    would not repeat itself; it is then reported as a whole.
    """

    def __init__(self, function: Callable[P, T], *, update: bool = False) -> None:
        shape = read_shape(function)
        assert isinstance(function, FunctionType)
        self.function: FunctionType = function
        self.shape: Shape = shape
        self.update: bool = update
        """It changes rows that exist and creates none."""
        self._call: Callable[P, T] = cast("Callable[P, T]", function)
        reader, made, self._guards = self._read()
        check_fields(shape, function, update=update, problems=reader.problems)
        self._rules = None if reader.unresolved else _rules(made)
        functools.update_wrapper(self, function)

    @property
    def name(self) -> str:
        return self.shape.name

    @property
    def target(self) -> type[Model]:
        return self.shape.target

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters with their annotations, resolved."""
        return self.shape.parameters

    @property
    def file(self) -> str:
        return self.shape.file

    @property
    def line(self) -> int:
        return self.shape.line

    @property
    def rules(self) -> tuple[Rule, ...]:
        """One rule a keyword of the return, in its order."""
        if self._rules is None:  # a name had no meaning yet while the module was being imported
            _, made, self._guards = self._read()
            self._rules = _rules(made)
        return self._rules

    def unused_sources(self) -> tuple[str, ...]:
        """Fields of the source models that no rule and no guard reads, in the order of the models."""
        used = [*(s for rule in self.rules for s in rule.sources), *whole(self._guards)]
        return tuple(
            path
            for name, annotation in self.parameters.items()
            for kind in alternatives(annotation)
            if isinstance(kind, type) and issubclass(kind, Model)
            for path in _unused(name, kind, used)
        )

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """
        Map a record.

        Raises:
            RecordError: It cannot be mapped; the details list every wrong field (code `mapping-failed`).
        """
        try:
            return self._call(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the one boundary around the author's rules
            failure = self._failure(error, args, kwargs)
        # Raised out here, so that the record in the first error's text is not carried along as its context.
        raise failure

    def _failure(self, error: Exception, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Exception:
        try:
            arguments = bound_arguments(self.function, args, kwargs)
        except TypeError:
            return error  # called with the wrong arguments: the caller's mistake, not the record's
        return explain_failure(self.shape, self.function, self.rules, arguments, error)

    def _read(self) -> tuple[Reader, Value, Value]:
        reader = Reader()
        given = {n: Value((Place(n, a),)) for n, a in self.shape.parameters.items()}
        return reader, *reader.mapping(self.shape, self.function, given)

    def __repr__(self) -> str:
        return f"<mapping {self.name} to {self.target.__name__}>"


@overload
def mapping(function: Callable[P, T], /) -> MappingFunction[P, T]: ...
@overload
def mapping(*, update: bool) -> Callable[[Callable[P, T]], MappingFunction[P, T]]: ...
def mapping(
    function: Callable[P, T] | None = None, /, *, update: bool = False
) -> MappingFunction[P, T] | Callable[[Callable[P, T]], MappingFunction[P, T]]:
    """
    Make a function a mapping: read it, check it against its target, and explain its failures field by field.

    Written `@mapping` for rows that may have to be created: every column that the remote requires needs a rule. Written
    `@mapping(update=True)` for rows that exist already, such as the order in the shop that gets our id back: it names a
    few columns of a wide row, so the required ones may be absent, but each one it names must be changeable. Which of the two it is
    is said at the mapping and not guessed from the flow, because it is checked before any flow uses it.

    Raises:
        UsageError: The function has another shape than assignments, guards and one return of its target (code
            `mapping-shape`), or its rules do not agree with the target's columns (code `mapping-fields`).
    """
    if function is not None:
        return MappingFunction(function)

    def decorate(function: Callable[P, T]) -> MappingFunction[P, T]:
        return MappingFunction(function, update=update)

    return decorate


def _rules(made: Value) -> tuple[Rule, ...]:
    return tuple(
        Rule(m.name, m.expression, distinct(whole(m.value)), m.line, tuple(_inner(m.name, m.value)))
        for m in made.made
    )


def _inner(target: str, value: Value) -> Iterator[Rule]:
    for made in value.made:
        path = f"{target}.{made.name}"
        yield Rule(path, made.expression, distinct(whole(made.value)), made.line)
        yield from _inner(path, made.value)
    for item in (*value.items, *([value.element] if value.element is not None else ())):
        yield from _inner(f"{target}[]", item)


def _unused(path: str, kind: type[Model], used: list[str]) -> Iterator[str]:
    if f"{path}.*" in used:
        return
    for name, annotation in (field_annotations(kind) or {}).items():
        inner = f"{path}.{name}"
        below = [u for u in used if u.startswith((f"{inner}.", f"{inner}[]."))]
        if inner not in used and not any(u.startswith(f"{inner}[]") for u in used) and not below:
            yield inner
            continue
        for member in alternatives(annotation) if below else ():
            item = item_type(member)
            record, at = (member, inner) if item is None else (item, f"{inner}[]")
            if isinstance(record, type) and issubclass(record, Model):
                yield from _unused(at, record, used)
