"""The flow decorator: an ordinary async function, its triggers and the key of its records."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, TypeVar, get_type_hints

from tagline.domain.model import Model
from tagline.domain.settings import Settings
from tagline.domain.system import Cron, Schedule, Trigger
from tagline.errors import UsageError
from tagline.flow import effects

S = TypeVar("S", bound=Model)
P = TypeVar("P", bound=Settings)


@dataclass(frozen=True)
class Flow:
    """One path of records: what starts it, which record it is about, and what it does."""

    name: str
    source: type[Model]
    settings: type[Settings]
    triggers: tuple[Trigger, ...]
    sweep: Schedule | None
    key: Callable[[Any], str]
    """The source record's own key as text."""
    function: Callable[[Any, Any], Coroutine[Any, Any, None]]
    file: str
    line: int
    compare: Cron | None = None

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """What it does by the clock, `sweep` or `compare`, and when."""
        given = {"sweep": self.sweep, "compare": self.compare}
        return {what: schedule for what, schedule in given.items() if schedule is not None}

    def __call__(self, record: Model, settings: Settings) -> Coroutine[Any, Any, None]:
        return self.function(record, settings)


@dataclass(frozen=True)
class _Fault:
    line: int
    found: str
    remedy: str


def flow(
    *,
    on: Sequence[Trigger] = (),
    sweep: Schedule | None = None,
    compare: Cron | None = None,
    key: Callable[[S], str],
) -> Callable[[Callable[[S, P], Coroutine[Any, Any, None]]], Flow]:
    """
    Declare an async function of a source record and settings as a flow.

    Args:
        on: Events that hint at a changed record.
        sweep: How often, or when, to read what changed; finds what no event told.
        compare: When to run every record of the source, behind live work; finds what no change told either.
        key: The record's key, for example `Order.key`; hints and dead letters name it.

    Raises:
        UsageError: It is not of the fixed shape (code `flow-shape`); every fault is listed with its line.
    """

    def declare(function: Callable[[S, P], Coroutine[Any, Any, None]]) -> Flow:
        return _declared(function, tuple(on), sweep, compare, key)

    return declare


def _declared(
    function: Any,
    triggers: tuple[Trigger, ...],
    sweep: Schedule | None,
    compare: Cron | None,
    key: Callable[[Any], str],
) -> Flow:
    if not isinstance(function, FunctionType):
        raise UsageError(
            f"a flow is a function, not a {type(function).__name__}",
            code="flow-shape",
            hint="put @flow(...) directly above `async def`",
        )
    file, line = function.__code__.co_filename, function.__code__.co_firstlineno
    models, faults = _parameters(function, line)
    if not inspect.iscoroutinefunction(function):
        faults.append(_Fault(line, "it is not async", f"write `async def {function.__name__}(...)`"))
    if not triggers and sweep is None and compare is None:
        faults.append(
            _Fault(line, "nothing starts it", "give on=[...], sweep=every(...) or compare=cron(...)")
        )
    for name, schedule, kinds, remedy in (
        ("sweep", sweep, Schedule, "write sweep=every(minutes=5), or cron(...) in its place"),
        ("compare", compare, Cron, 'write compare=cron("0 3 * * *", zone=...)'),
    ):
        if schedule is not None and not isinstance(schedule, kinds):
            faults.append(_Fault(line, f"its {name} is a {type(schedule).__name__}, no schedule", remedy))
    if not callable(key):
        faults.append(
            _Fault(line, "its key is no function", "give a method of the record, like key=Order.key")
        )
    for trigger in triggers:
        if models and trigger.model is not models[0]:
            faults.append(
                _Fault(
                    line,
                    f"event {trigger.event} is about {trigger.model.__name__}, the flow takes {models[0].__name__}",
                    "name events of the record it takes",
                )
            )
    faults.extend(_body(function))
    if faults or models is None:
        raise _refused(function.__name__, file, faults)
    return Flow(function.__name__, *models, triggers, sweep, key, function, file, line, compare)


def _parameters(
    function: FunctionType, line: int
) -> tuple[tuple[type[Model], type[Settings]] | None, list[_Fault]]:
    remedy = f"write `async def {function.__name__}(order: Order, settings: Settings) -> None`"
    names = list(inspect.signature(function).parameters)
    if len(names) != 2:
        return None, [_Fault(line, f"it takes {len(names)} parameters, not a record and settings", remedy)]
    try:
        hints = get_type_hints(function)
    except NameError as error:
        return None, [_Fault(line, f"an annotation names {error.name}, which is not defined", remedy)]
    source, settings = (hints.get(name) for name in names)
    faults = []
    if not (isinstance(source, type) and issubclass(source, Model)):
        faults.append(_Fault(line, f"parameter {names[0]} is not annotated with a model", remedy))
    if not (isinstance(settings, type) and issubclass(settings, Settings)):
        faults.append(
            _Fault(line, f"parameter {names[1]} is not annotated with a subclass of Settings", remedy)
        )
    return (None, faults) if faults else ((source, settings), [])  # type: ignore[return-value] # both checked


_ALLOWED = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.If, ast.For, ast.Return, ast.Pass)
_ALLOWED_IN_LOOP = (ast.Continue, ast.Break)
_REMEDIES: dict[type[ast.stmt], str] = {
    ast.While: "loop over a collection with `for`; what must wait is started again by an event or the sweep",
    ast.Try: "let the error end this record: it becomes a retry or a dead letter with its cause",
    ast.TryStar: "let the error end this record: it becomes a retry or a dead letter with its cause",
    ast.With: "a flow opens nothing; hand values to effects",
    ast.AsyncWith: "a flow opens nothing; hand values to effects",
    ast.AsyncFor: "read with find_all, then loop with `for`",
    ast.FunctionDef: "move the function to the module, or to transforms.py",
    ast.AsyncFunctionDef: "move the function to the module",
    ast.ClassDef: "move the class to the module",
    ast.Raise: "write reject(cause, message)",
    ast.Assert: "write require(condition, cause=...)",
    ast.Match: "write `if`, or a table in transforms.py",
}
_EFFECTS = frozenset(
    id(made)
    for made in (
        effects.find,
        effects.find_all,
        effects.find_where,
        effects.upsert,
        effects.upsert_all,
        effects.update,
        effects.create_once,
        effects.act,
        effects.remove,
        effects.expect,
    )
)


def _body(function: FunctionType) -> list[_Fault]:
    """What in the body could not be drawn as a graph, and effects that were made but not awaited."""
    first = function.__code__.co_firstlineno
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except OSError:
        return [_Fault(first, "its source cannot be read", "keep flows in a file")]
    definition = tree.body[0]
    assert isinstance(definition, ast.AsyncFunctionDef | ast.FunctionDef)
    return [
        _Fault(first + fault.line - 1, fault.found, fault.remedy)
        for fault in (*_statements(definition.body), *_lost(function, definition))
    ]


def _statements(body: Sequence[ast.stmt]) -> Iterator[_Fault]:
    for statement in body:
        if not isinstance(statement, (*_ALLOWED, *_ALLOWED_IN_LOOP)):
            word = ast.unparse(statement).split(maxsplit=1)[0].rstrip(":")
            remedy = _REMEDIES.get(type(statement), "move it to a function of the module")
            yield _Fault(statement.lineno, f"`{word}` has no place in a flow", remedy)
        elif isinstance(statement, ast.If | ast.For):
            yield from _statements(statement.body)
            yield from _statements(statement.orelse)


def _lost(function: FunctionType, definition: ast.AST) -> Iterator[_Fault]:
    """An effect that is made and not awaited never happens, which nobody would notice."""
    awaited = {id(n.value) for n in ast.walk(definition) if isinstance(n, ast.Await)}
    for node in ast.walk(definition):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and id(function.__globals__.get(node.func.id)) in _EFFECTS
            and id(node) not in awaited
        ):
            name = node.func.id
            yield _Fault(
                node.lineno, f"{name}(...) is not awaited and so never happens", f"write `await {name}(...)`"
            )


def _refused(name: str, file: str, faults: Sequence[_Fault]) -> UsageError:
    first = faults[0]
    lines = [f"line {fault.line}: {fault.found}; {fault.remedy}" for fault in faults]
    return UsageError(
        f"flow {name} is not of the fixed shape:\n  {file}, " + "\n  ".join(lines),
        code="flow-shape",
        where={"flow": name, "file": file, "line": str(first.line)},
        hint=first.remedy,
    )
