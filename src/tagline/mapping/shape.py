"""The fixed shape of a mapping's body, and the refusal of every other one."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType, NoneType, UnionType
from typing import Any, Final, NoReturn, Union, get_args, get_origin, get_type_hints

from tagline.domain.model import Model
from tagline.errors import UsageError
from tagline.mapping.purity import impure_call
from tagline.mapping.syntax import definition, names_of, resolve

_TRANSFORM: Final = "move it into a transform, a small named function, and call that in the rule"
_REMEDIES: Final[Mapping[type[ast.stmt], str]] = {
    ast.For: f"write a comprehension in the rule, or {_TRANSFORM}",
    ast.While: f"write a comprehension in the rule, or {_TRANSFORM}",
    ast.If: (
        "only `if x is None: return None` may stand here; write `a if test else b` in the rule, or "
        + _TRANSFORM
    ),
    ast.AugAssign: "assign the whole expression to a new name",
    ast.FunctionDef: "define it outside the mapping, as a transform",
    ast.Import: "import at the top of the file",
    ast.ImportFrom: "import at the top of the file",
    ast.Expr: "a mapping only computes; remove the statement, or give its value to a target field",
}
_FORBIDDEN: Final[Mapping[type[ast.AST], str]] = {
    ast.NamedExpr: "assign the name on a line of its own, above the return",
    ast.Await: "a mapping is pure: read in the flow and pass the result as a parameter",
    ast.Yield: "a mapping returns one target; map the items of a list in the flow",
    ast.YieldFrom: "a mapping returns one target; map the items of a list in the flow",
}


@dataclass(frozen=True)
class Step:
    """A line before the return: an assignment, or a guard that ends the mapping with None."""

    name: str | None
    """The assigned name; None for a guard."""
    expression: ast.expr
    """The assigned value, or the guard's condition."""
    line: int


@dataclass(frozen=True)
class Shape:
    """A mapping as it is written: parameters, steps, and one keyword a rule."""

    name: str
    file: str
    line: int
    target: type[Model]
    parameters: Mapping[str, Any]
    """Annotation by name, resolved."""
    steps: tuple[Step, ...]
    keywords: tuple[ast.keyword, ...]


def refuse(file: str, line: int, name: str, found: str, hint: str) -> NoReturn:
    """Refuse a mapping whose shape is not the fixed one, where it stands and with how to write it."""
    raise UsageError(
        f"{file}:{line}: mapping {name}: {found}",
        code="mapping-shape",
        where={"mapping": name, "file": file, "line": str(line)},
        hint=hint,
    )


def read_shape(function: object) -> Shape:
    """
    Read the shape of a mapping from its source.

    Raises:
        UsageError: It has another shape (code `mapping-shape`).
    """
    if not isinstance(function, FunctionType):
        kind = type(function).__name__
        refuse(
            "?", 0, repr(kind), f"@mapping stands on a {kind}", "put @mapping directly on a `def`, innermost"
        )
    file, first, name = function.__code__.co_filename, function.__code__.co_firstlineno, function.__name__
    if hasattr(function, "__wrapped__"):
        refuse(
            file, first, name, "another decorator stands below @mapping", "a mapping has no other decorator"
        )
    node = definition(function)
    if node is None:
        refuse(file, first, name, "its source cannot be read", "write it with `def` in a file")
    reader = _ShapeReader(function, node)
    return reader.read()


class _ShapeReader:
    def __init__(self, function: FunctionType, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.function = function
        self.node = node
        self.file = function.__code__.co_filename
        self.outside = names_of(function)

    def refuse(self, line: int, found: str, hint: str) -> NoReturn:
        refuse(self.file, line, self.node.name, found, hint)

    def read(self) -> Shape:
        node = self.node
        if isinstance(node, ast.AsyncFunctionDef):
            self.refuse(node.lineno, "it is async", "a mapping is a plain `def`; effects belong in the flow")
        parameters, target = self.signature()
        body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        if not body or not isinstance(body[-1], ast.Return):
            self.refuse(
                body[-1].lineno if body else node.lineno,
                "it does not end with a return",
                f"end it with `return {target.__name__}(field=expression, ...)`",
            )
        steps = self.steps(body[:-1], set(parameters))
        keywords = self.keywords(body[-1], target, {*parameters, *(s.name for s in steps if s.name)})
        return Shape(node.name, self.file, node.lineno, target, parameters, tuple(steps), tuple(keywords))

    def signature(self) -> tuple[dict[str, Any], type[Model]]:
        line, arguments = self.node.lineno, self.node.args
        if arguments.vararg or arguments.kwarg:
            self.refuse(line, "it takes * or ** parameters", "name every source as a parameter of its own")
        try:
            hints = get_type_hints(self.function, include_extras=True)
        except Exception as error:  # noqa: BLE001 - annotations are the author's code and may raise anything
            self.refuse(
                line,
                f"its annotations cannot be resolved ({type(error).__name__}: {error})",
                "import the models at run time, not under TYPE_CHECKING, and define them at the top of a module",
            )
        parameters = {}
        for parameter in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if parameter.arg not in hints:
                self.refuse(
                    parameter.lineno,
                    f"parameter {parameter.arg} has no annotation",
                    f"write `{parameter.arg}: Model`, so that its fields can be read",
                )
            parameters[parameter.arg] = hints[parameter.arg]
        members = _members(hints.get("return"))
        if len(members) != 1 or not (isinstance(members[0], type) and issubclass(members[0], Model)):
            self.refuse(
                line,
                "its return annotation is no model",
                "write `-> Target`, or `-> Target | None` with a guard",
            )
        return parameters, members[0]

    def steps(self, statements: list[ast.stmt], taken: set[str]) -> list[Step]:
        steps = []
        for statement in statements:
            step = self.step(statement)
            self.check_expression(step.expression, taken)
            if step.name is not None:
                if step.name in taken:
                    self.refuse(
                        step.line, f"{step.name} is assigned again", "give the new value a name of its own"
                    )
                taken = {*taken, step.name}
            steps.append(step)
        return steps

    def step(self, statement: ast.stmt) -> Step:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                return Step(name, value, statement.lineno)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                return Step(name, value, statement.lineno)
            case ast.If(
                test=ast.Compare(left=subject, ops=[ast.Is()], comparators=[ast.Constant(value=None)]),
                body=[ast.Return(value=None | ast.Constant(value=None))],
                orelse=[],
            ) if _is_path(subject):
                return Step(None, statement.test, statement.lineno)
            case ast.Assign() | ast.AnnAssign():
                found, hint = "an assignment to something else than one name", "write `name = expression`"
            case _:
                found = f"`{_shorten(ast.unparse(statement).splitlines()[0])}` is no part of a mapping"
                hint = _REMEDIES.get(type(statement), _TRANSFORM)
        return self.refuse(statement.lineno, found, hint)

    def keywords(self, statement: ast.Return, target: type[Model], local: set[str]) -> list[ast.keyword]:
        line, call = statement.lineno, statement.value
        wanted = f"write `return {target.__name__}(field=expression, ...)`"
        if not isinstance(call, ast.Call):
            self.refuse(line, "it does not return a call of its target", wanted)
        called = resolve(call.func, self.outside, dict.fromkeys(local))
        if called is not target:
            self.refuse(line, f"it returns `{ast.unparse(call.func)}(...)`, not its target", wanted)
        if call.args:
            self.refuse(call.args[0].lineno, "the target is given positional arguments", wanted)
        for keyword in call.keywords:
            if keyword.arg is None:
                self.refuse(
                    keyword.lineno,
                    f"`**{_shorten(ast.unparse(keyword.value))}` hides which fields are written",
                    "name each field: a rule is one keyword argument",
                )
            self.check_expression(keyword.value, local)
        return call.keywords

    def check_expression(self, expression: ast.expr, local: set[str]) -> None:
        for node in ast.walk(expression):
            remedy = _FORBIDDEN.get(type(node))
            if remedy is not None and isinstance(node, ast.expr):
                self.refuse(node.lineno, f"`{_shorten(ast.unparse(node))}` is no part of a mapping", remedy)
            if isinstance(node, ast.comprehension) and node.is_async:
                self.refuse(expression.lineno, "`async for` is no part of a mapping", _FORBIDDEN[ast.Await])
            reached = impure_call(node, self.outside, dict.fromkeys(local))
            if reached is not None and isinstance(node, ast.expr):
                self.refuse(
                    node.lineno,
                    f"`{_shorten(ast.unparse(node))}` reaches for {reached}",
                    "a mapping is pure: pass what it needs as a parameter",
                )


def bound_arguments(
    function: FunctionType, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of a call by parameter name, defaults filled in; TypeError where they do not fit."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def _members(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, UnionType):
        return [a for a in get_args(annotation) if a is not NoneType]
    return [annotation]


def _is_path(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _shorten(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
