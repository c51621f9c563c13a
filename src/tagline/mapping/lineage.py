"""Lineage: which source paths an expression reads, told from its syntax tree alone.

The reading errs on the side of more: whatever cannot be followed is taken to read all it was given.
"""

from __future__ import annotations

import ast
import builtins
import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import FunctionType
from typing import Any, Final, get_type_hints

from pydantic import BaseModel

from tagline.mapping.place import (
    NOTHING,
    Made,
    Place,
    Value,
    alternatives,
    element,
    field_annotations,
    holds_record,
    is_mapping,
    join,
    reading,
    shallow,
    whole,
)
from tagline.mapping.shape import Shape
from tagline.mapping.statements import Scope, bind, run
from tagline.mapping.syntax import UNKNOWN, definition, names_of, resolve

MAX_DEPTH: Final = 8
"""Functions within functions that are followed; beyond it a record counts as read whole."""

_SAME: Final = (list, tuple, set, frozenset, sorted, reversed, iter)
_ONE_OF: Final = (min, max, next)
_PRESENCE: Final = (len, bool, isinstance)


@dataclass
class Reader:
    """Reads expressions; one reader serves one mapping."""

    problems: list[tuple[int, str]] = field(default_factory=list)
    """Source fields that do not exist, by line of the mapping."""
    unresolved: bool = False
    """Whether a name had no meaning yet, for example a transform that is defined further down."""
    _stack: list[FunctionType] = field(default_factory=list)
    _known: dict[tuple[FunctionType, tuple[tuple[str, Value], ...]], Value] = field(default_factory=dict)

    def mapping(
        self, shape: Shape, function: FunctionType, given: Mapping[str, Value]
    ) -> tuple[Value, Value]:
        """What a mapping makes of its parameters: the record with its rules, and what its guards read."""
        scope = Scope({n: given.get(n, NOTHING) for n in shape.parameters}, names_of(function))
        _annotate(scope.names, shape.parameters)
        guards = NOTHING
        for step in shape.steps:
            value = self.value(step.expression, scope)
            if step.name is None:
                guards = join(guards, reading(*whole(value)))
            else:
                scope.names[step.name] = value
        made = (
            Made(str(k.arg), ast.unparse(k.value), k.lineno, self.value(k.value, scope))
            for k in shape.keywords
        )
        return Value(made=tuple(made)), guards

    def value(self, node: ast.expr, scope: Scope) -> Value:
        """What the expression may yield."""
        match node:
            case ast.Name(id=name):
                if name not in scope.names and name not in scope.outside and name not in vars(builtins):
                    self.unresolved = True
                return scope.names.get(name, NOTHING)
            case ast.Attribute(value=owner, attr=name):
                return self._attribute(self.value(owner, scope), name, node.lineno)
            case ast.Call():
                return self._call(node, scope)
            case ast.Subscript(value=owner, slice=ast.Slice() as part):
                return join(self.value(owner, scope), self._used(part, scope))
            case ast.Subscript(value=owner, slice=index):
                used = reading(*whole(self.value(index, scope)))
                return join(self._subscript(self.value(owner, scope), index), used)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return join(self._tested(test, scope), self.value(body, scope), self.value(orelse, scope))
            case ast.BoolOp(values=operands):
                found = [self.value(operand, scope) for operand in operands]
                return join(*found, *(reading(*shallow(v)) for v in found[:-1]))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._tested(operand, scope)
            case ast.Compare(left=left, ops=ops, comparators=others) if all(
                isinstance(op, ast.Is | ast.IsNot) for op in ops
            ):
                return join(*(self._tested(operand, scope) for operand in (left, *others)))
            case ast.Tuple(elts=members) if not any(isinstance(m, ast.Starred) for m in members):
                return Value(items=tuple(self.value(m, scope) for m in members))
            case ast.List(elts=members) | ast.Set(elts=members) | ast.Tuple(elts=members):
                return Value(element=join(*(self._member(m, scope) for m in members)))
            case ast.ListComp(elt=made) | ast.SetComp(elt=made) | ast.GeneratorExp(elt=made):
                return self._comprehension(node.generators, [made], scope)
            case ast.DictComp(key=key, value=made):
                return self._comprehension(node.generators, [key, made], scope)
            case ast.Lambda(body=body):
                return reading(*whole(self.value(body, scope.inner(_parameters(node.args)))))
            case ast.NamedExpr(target=target, value=assigned):
                named = self.value(assigned, scope)
                bind(target, named, scope)
                return named
            case _:
                return self._used(node, scope)

    def _used(self, node: ast.AST, scope: Scope) -> Value:
        """Everything below a node, used up: operators, f-strings, comparisons, dictionaries."""
        paths: list[str] = []
        for child in ast.iter_child_nodes(node):
            found = self.value(child, scope) if isinstance(child, ast.expr) else self._used(child, scope)
            paths.extend(whole(found))
        return reading(*paths)

    def _tested(self, node: ast.expr, scope: Scope) -> Value:
        """An expression of which only the truth is asked."""
        return reading(*shallow(self.value(node, scope)))

    def _member(self, node: ast.expr, scope: Scope) -> Value:
        return (
            element(self.value(node.value, scope))
            if isinstance(node, ast.Starred)
            else self.value(node, scope)
        )

    def _comprehension(
        self, generators: Sequence[ast.comprehension], made: Sequence[ast.expr], scope: Scope
    ) -> Value:
        inner, decided = scope.inner({}), NOTHING
        for generator in generators:
            source = self.value(generator.iter, inner)
            bind(generator.target, element(source), inner)
            tests = (self._tested(test, inner) for test in generator.ifs)
            decided = join(decided, reading(*shallow(source)), *tests)
        return Value(element=join(*(self.value(m, inner) for m in made)), read=decided.read)

    def _subscript(self, owner: Value, index: ast.expr) -> Value:
        if isinstance(index, ast.Constant) and isinstance(index.value, int) and owner.items:
            position = index.value
            if -len(owner.items) <= position < len(owner.items):
                return join(owner.items[position], Value(read=owner.read))
        return element(owner)

    def _attribute(self, owner: Value, name: str, line: int) -> Value:
        found = [self._member_of(place, name, line) for place in owner.places]
        found += [made.value for made in owner.made if made.name == name]
        rest = Value(read=owner.read, element=owner.element, items=owner.items)
        return join(*found, reading(*whole(rest)))

    def _member_of(self, place: Place, name: str, line: int) -> Value:
        kinds = alternatives(place.annotation)
        if place.annotation in (Any, object):
            return Value((Place(f"{place.path}.{name}", Any),))
        found = []
        for kind in kinds:
            annotations = field_annotations(kind)
            if annotations is None:
                found.append(reading(*whole(Value((place,)))))
            elif name in annotations:
                found.append(Value((Place(f"{place.path}.{name}", annotations[name]),)))
            else:
                member = inspect.getattr_static(kind, name, None)
                if isinstance(member, property) and isinstance(member.fget, FunctionType):
                    found.append(self._through(member.fget, [Value((place,))], {}))
                elif member is not None:
                    found.append(reading(*whole(Value((place,)))))
                elif len(kinds) == 1 and issubclass(kind, BaseModel) and not self._stack:
                    near = get_close_matches(name, annotations, 1)
                    hint = f"; did you mean {near[0]}?" if near else ""
                    self.problems.append((line, f"{place.path} ({kind.__name__}) has no field {name}{hint}"))
        return join(*found)

    def _call(self, node: ast.Call, scope: Scope) -> Value:
        target = resolve(node.func, scope.outside, scope.names)
        if target is UNKNOWN and isinstance(node.func, ast.Name):
            target = vars(builtins).get(node.func.id, UNKNOWN) if node.func.id not in scope.names else UNKNOWN
            self.unresolved |= target is UNKNOWN and node.func.id not in scope.names
        data = [a for a in node.args if self._as_function(a, scope) is None]
        values = {id(a): self._member_or_all(a, scope) for a in data}
        named = {k.arg: k.value for k in node.keywords if k.arg is not None}
        functions = [a for a in (*node.args, *named.values()) if self._as_function(a, scope) is not None]
        applied = join(*(self._callback(f, list(values.values()), scope) for f in functions))
        positional = [values.get(id(a), NOTHING) for a in node.args]
        keywords = {n: self.value(v, scope) for n, v in named.items() if v not in functions}
        rest = join(*(reading(*whole(self.value(k.value, scope))) for k in node.keywords if k.arg is None))
        spread = any(isinstance(a, ast.Starred) for a in node.args) or rest != NOTHING
        extra = join(reading(*whole(applied)), rest)
        if target is map and functions and node.args[:1] == functions[:1]:
            return join(Value(element=applied), Value(read=rest.read))
        if target is filter and positional:
            return join(positional[-1], extra)
        if target is UNKNOWN and isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value, scope)
            return join(self._method(owner, node.func.attr, positional, keywords, node.lineno), extra)
        if target is UNKNOWN:
            extra = join(extra, reading(*whole(self.value(node.func, scope))))
        if spread:
            return join(reading(*(p for v in (*positional, *keywords.values()) for p in whole(v))), extra)
        return join(self._apply(target, positional, keywords, node), extra)

    def _member_or_all(self, node: ast.expr, scope: Scope) -> Value:
        return self.value(node.value, scope) if isinstance(node, ast.Starred) else self.value(node, scope)

    def _as_function(self, node: ast.expr, scope: Scope) -> Any:
        """The function that an argument is, such as `key=` of `sorted`; None where it is data."""
        if isinstance(node, ast.Lambda):
            return node
        found = resolve(node, scope.outside, scope.names)
        return found if isinstance(found, FunctionType) or _shape_of(found) is not None else None

    def _callback(self, node: ast.expr, others: Sequence[Value], scope: Scope) -> Value:
        """A function among the arguments is taken to be called with the elements of the other ones."""
        items = [element(v) for v in others]
        if isinstance(node, ast.Lambda):
            return self.value(node.body, scope.inner(_parameters(node.args, join(*items))))
        return self._apply(self._as_function(node, scope), items, {}, node)

    def _apply(
        self, target: Any, positional: Sequence[Value], keywords: Mapping[str, Value], node: ast.expr
    ) -> Value:
        everything = (*positional, *keywords.values())
        used = reading(*(p for v in everything for p in whole(v)))
        shape = _shape_of(target)
        if shape is not None:
            return self._nested(target, shape, positional, keywords) or used
        if isinstance(target, type) and issubclass(target, BaseModel) and isinstance(node, ast.Call):
            expressions = {k.arg: k for k in node.keywords}
            return Value(
                made=tuple(
                    Made(n, ast.unparse(expressions[n].value), expressions[n].lineno, v)
                    for n, v in keywords.items()
                ),
                read=tuple(p for v in positional for p in whole(v)),
            )
        if any(target is f for f in _PRESENCE):
            return reading(*(p for v in everything for p in shallow(v)))
        if any(target is f for f in _SAME) and positional:
            return join(positional[0], *(reading(*whole(v)) for v in everything[1:]))
        if any(target is f for f in _ONE_OF) and positional:
            return join(*(element(v) for v in positional[:1]), *positional[1:], *keywords.values())
        if target is enumerate and positional:
            return Value(element=Value(items=(NOTHING, element(positional[0]))))
        if target is zip and positional:
            return Value(element=Value(items=tuple(element(v) for v in positional)))
        function = inspect.unwrap(target) if callable(target) else None
        if isinstance(function, FunctionType) and any(map(holds_record, everything)):
            return self._through(function, positional, keywords)
        return used

    def _method(
        self, owner: Value, name: str, positional: Sequence[Value], keywords: Mapping[str, Value], line: int
    ) -> Value:
        """A call of a method of a value: followed where the value is a record, else all is used up."""
        everything = (*positional, *keywords.values())
        found = [reading(*(p for v in everything for p in whole(v)))]
        rest = Value(read=owner.read, element=owner.element, items=owner.items, made=owner.made)
        found.append(reading(*whole(rest)))
        for place in owner.places:
            here = Value((place,))
            kinds = alternatives(place.annotation)
            member = inspect.getattr_static(kinds[0], name, None) if len(kinds) == 1 else None
            if isinstance(member, FunctionType) and field_annotations(kinds[0]) is not None:
                found.append(self._through(member, [here, *positional], keywords))
            elif kinds and all(map(is_mapping, kinds)) and name in ("get", "values", "items"):
                each = element(here)
                pairs = Value(element=Value(items=(NOTHING, each)))
                found.append({"get": each, "values": Value(element=each), "items": pairs}[name])
            elif place.annotation in (Any, object):
                found.append(reading(*whole(here)))
            else:
                found.append(reading(*whole(self._attribute(here, name, line))))
        return join(*found)

    def _nested(
        self, target: Any, shape: Shape, positional: Sequence[Value], keywords: Mapping[str, Value]
    ) -> Value | None:
        function: FunctionType = target.function
        if function in self._stack or len(self._stack) >= MAX_DEPTH:
            return None
        given = _bound(function, positional, keywords)
        if given is None:
            return None
        self._stack.append(function)
        try:
            made, guards = self.mapping(shape, function, given)
        finally:
            self._stack.pop()
        return join(made, guards)

    def _through(
        self, function: FunctionType, positional: Sequence[Value], keywords: Mapping[str, Value]
    ) -> Value:
        """What a plain function makes of its arguments, told from its own source."""
        used = reading(*(p for v in (*positional, *keywords.values()) for p in whole(v)))
        given = _bound(function, positional, keywords)
        node = definition(function)
        deep = function in self._stack or len(self._stack) >= MAX_DEPTH
        if deep or given is None or not isinstance(node, ast.FunctionDef):
            return used
        known = (function, tuple(given.items()))
        if known not in self._known:
            # Annotations may be unreadable here; the arguments mostly know their types by themselves.
            with suppress(NameError, TypeError, AttributeError):
                _annotate(given, get_type_hints(function, include_extras=True))
            self._stack.append(function)
            try:
                self._known[known] = run(node.body, Scope(dict(given), names_of(function)), self.value)
            finally:
                self._stack.pop()
        return self._known[known]


def _bound(
    function: FunctionType, positional: Sequence[Value], keywords: Mapping[str, Value]
) -> dict[str, Value] | None:
    signature = inspect.signature(function)
    try:
        bound = signature.bind(*positional, **keywords).arguments
    except TypeError:
        return None
    given = {}
    for name, parameter in signature.parameters.items():
        value = bound.get(name, NOTHING)
        if parameter.kind is parameter.VAR_POSITIONAL:
            value = Value(element=join(*value)) if value != NOTHING else NOTHING
        elif parameter.kind is parameter.VAR_KEYWORD:
            value = Value(element=join(*value.values())) if value != NOTHING else NOTHING
        given[name] = value
    return given


def _annotate(names: dict[str, Value], annotations: Mapping[str, Any]) -> None:
    """Give places of unknown type the type that the parameter declares."""
    for name, value in names.items():
        declared = annotations.get(name, Any)
        places = tuple(Place(p.path, declared) if p.annotation is Any else p for p in value.places)
        names[name] = Value(places, value.read, value.element, value.items, value.made)


def _parameters(arguments: ast.arguments, value: Value = NOTHING) -> dict[str, Value]:
    return {a.arg: value for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}


def _shape_of(target: Any) -> Shape | None:
    shape = getattr(target, "shape", None) if callable(target) else None
    return shape if isinstance(shape, Shape) else None
