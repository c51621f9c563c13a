"""Lineage through the statements of a transform: an ordinary function body of any shape.

The order of statements is not followed: a name may hold whatever is assigned to it anywhere before or in a loop.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tagline.mapping.place import NOTHING, Value, element, join, reading, shallow, whole


@dataclass(frozen=True)
class Scope:
    """The names a function sees: its own with what is known of them, and those outside with their objects."""

    names: dict[str, Value]
    outside: Mapping[str, Any]

    def inner(self, names: Mapping[str, Value]) -> Scope:
        """The scope of a comprehension or lambda: the same names and some of its own."""
        return Scope({**self.names, **names}, self.outside)


ReadExpression = Callable[[ast.expr, Scope], Value]


@dataclass
class _Body:
    read: ReadExpression
    scope: Scope
    returned: list[Value] = field(default_factory=list)
    yielded: list[Value] = field(default_factory=list)
    control: list[str] = field(default_factory=list)
    """Read for a decision or a side effect, so behind every result."""


def run(statements: Sequence[ast.stmt], scope: Scope, read: ReadExpression) -> Value:
    """What a function with this body may return, with everything that was read to decide it."""
    body = _Body(read, scope)
    _block(body, statements)
    result = join(*body.returned, Value(read=tuple(body.control)))
    return join(result, Value(element=join(*body.yielded))) if body.yielded else result


def bind(target: ast.expr, value: Value, scope: Scope) -> None:
    """Let the names of an assignment target hold the value, beside what they may hold already."""
    match target:
        case ast.Name(id=name):
            scope.names[name] = join(scope.names.get(name, NOTHING), value)
        case ast.Tuple(elts=targets) | ast.List(elts=targets):
            fits = len(value.items) == len(targets) and not any(isinstance(t, ast.Starred) for t in targets)
            each = value.items if fits else [element(value)] * len(targets)
            for one, part in zip(targets, each, strict=True):
                bind(one, join(part, Value(read=value.read)), scope)
        case ast.Starred(value=inner):
            bind(inner, Value(element=value), scope)
        case ast.Subscript(value=owner) | ast.Attribute(value=owner):
            bind(owner, reading(*whole(value)), scope)
        case _:
            pass


def _block(body: _Body, statements: Sequence[ast.stmt]) -> None:
    for statement in statements:
        _statement(body, statement)


def _statement(body: _Body, statement: ast.stmt) -> None:
    read, scope = body.read, body.scope
    match statement:
        case ast.Return(value=ast.expr() as value):
            body.returned.append(read(value, scope))
        case ast.Expr(value=ast.Yield(value=ast.expr() as value)):
            body.yielded.append(read(value, scope))
        case ast.Expr(value=ast.YieldFrom(value=value)):
            body.yielded.append(element(read(value, scope)))
        case ast.Assign(targets=targets, value=value):
            found = read(value, scope)
            for target in targets:
                bind(target, found, scope)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            bind(target, read(value, scope), scope)
        case ast.AugAssign(target=target, value=value):
            bind(target, reading(*whole(read(value, scope))), scope)
        case ast.For(target=target, iter=source, body=inner, orelse=orelse):
            for _ in range(2):  # what a round assigns, the next one may read
                bind(target, element(read(source, scope)), scope)
                _block(body, [*inner, *orelse])
        case ast.While(test=test, body=inner, orelse=orelse):
            for _ in range(2):
                body.control.extend(shallow(read(test, scope)))
                _block(body, [*inner, *orelse])
        case ast.Match(subject=subject, cases=cases):
            found = read(subject, scope)
            body.control.extend(whole(found))
            for case in cases:
                for name in _captures(case.pattern):
                    bind(ast.Name(name), reading(*whole(found)), scope)
                if case.guard is not None:
                    body.control.extend(whole(read(case.guard, scope)))
                _block(body, case.body)
        case ast.FunctionDef(name=name, body=inner):
            own = {a.arg: NOTHING for a in (*statement.args.args, *statement.args.kwonlyargs)}
            body.control.extend(whole(run(inner, scope.inner(own), read)))
            scope.names.setdefault(name, NOTHING)
        case ast.With(items=items, body=inner):
            for item in items:
                found = read(item.context_expr, scope)
                body.control.extend(whole(found))
                if item.optional_vars is not None:
                    bind(item.optional_vars, found, scope)
            _block(body, inner)
        case _:
            _other(body, statement)


def _other(body: _Body, statement: ast.stmt) -> None:
    """If, try, raise, assert and bare expressions: expressions decide, statements run."""
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.expr):
            asked = shallow if isinstance(statement, ast.If | ast.Assert) else whole
            body.control.extend(asked(body.read(child, body.scope)))
        elif isinstance(child, ast.stmt):
            _statement(body, child)
        elif isinstance(child, ast.ExceptHandler):
            _block(body, child.body)


def _captures(pattern: ast.pattern) -> Iterator[str]:
    for node in ast.walk(pattern):
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if isinstance(name, str):
            yield name
