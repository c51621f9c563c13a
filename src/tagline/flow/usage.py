"""
What a flow touches on each remote, read from its source without running it.

The role of the running application, the solution's columns and the reach of a finding of drift all stand on this reading.
Where the code does not tell, more is assumed: a table too many in a role is seen by whoever reviews it, one too few
stops an order.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any, TypeGuard, cast

from tagline.domain.model import Model, columns, ref, ref_targets
from tagline.domain.query import Condition, Expand, Sort
from tagline.flow import effects
from tagline.flow.declare import Flow
from tagline.flow.effects import Verb
from tagline.mapping import MappingFunction
from tagline.mapping.syntax import definition, names_of, resolve

WHOLE = "*"
"""In place of a column: the record is handed to something that cannot be read; what that reads is not known."""


@dataclass(frozen=True)
class TableUse:
    """What is done with one table."""

    model: type[Model]
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column or `WHOLE` -> names of the mappings and functions that read it."""
    writes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column -> names of the mappings that give it."""
    creates: bool = False
    changes: bool = False
    deletes: bool = False
    refers: bool = False
    """Rows of it are named by lookups of others."""
    keys: frozenset[tuple[str, ...]] = frozenset()
    """Alternate keys that its rows are addressed by; each a sorted tuple of columns."""


@dataclass(frozen=True)
class Usage:
    """What a flow, or several together, touch."""

    tables: Mapping[type[Model], TableUse] = field(default_factory=dict)
    actions: frozenset[str] = frozenset()
    """Names of the state transitions it performs."""


def usage_of(flows: Iterable[Flow]) -> Usage:
    """Everything that the flows touch, taken together."""
    found = _Found()
    for flow in flows:
        found.read(flow.source, flow.name)
        for function in _reached(cast(FunctionType, flow.function)):
            if isinstance(function, MappingFunction):
                found.mapping(function)
            else:
                found.code(function)
    return found.usage()


@dataclass
class _Found:
    """The tables as far as they are known while the code is read."""

    tables: dict[type[Model], TableUse] = field(default_factory=dict)
    actions: set[str] = field(default_factory=set)
    removals: bool = False
    """Some rows are removed, and the code does not say of which table."""
    expected: set[str] = field(default_factory=set)
    """Columns that are read back from rows that were written."""

    def usage(self) -> Usage:
        tables = {
            model: replace(
                use,
                deletes=use.deletes or (self.removals and use.creates),
                reads=_also(use.reads, self.expected & set(columns(model)), "expect")
                if use.creates
                else use.reads,
                keys=use.keys | (_own_key(model) if use.changes else frozenset()),
            )
            for model, use in self.tables.items()
        }
        order = sorted(tables, key=lambda m: (m.remote.system, m.remote.entity))
        return Usage({model: tables[model] for model in order}, frozenset(self.actions))

    def read(self, model: type[Model], by: str, *names: str) -> None:
        """That mapping or function reads these columns."""
        use = self._use(model)
        self.tables[model] = replace(use, reads=_also(use.reads, names, by))

    def address(self, model: type[Model], names: Iterable[str]) -> None:
        """Rows of the model are looked up by these columns."""
        key = tuple(sorted(names))
        if key in {tuple(sorted(declared)) for declared in model.remote.keys}:
            use = self._use(model)
            self.tables[model] = replace(use, keys=use.keys | {key})

    def mapping(self, mapping: MappingFunction[..., Any]) -> None:
        """Its target is read, compared and written; its sources are read."""
        target = mapping.target
        written = dict.fromkeys(rule.target for rule in mapping.rules)
        use = self._use(target)
        self.tables[target] = replace(
            use,
            reads=_also(use.reads, written, mapping.name),
            writes={**use.writes, **{n: (*use.writes.get(n, ()), mapping.name) for n in written}},
            creates=use.creates or not mapping.update,
            changes=True,
        )
        for name in written:
            for referred in ref_targets(target.model_fields[name].annotation):
                self._refer(referred)
        parameters = {n: m for n, m in mapping.parameters.items() if _is_model(m)}
        for path in (path for rule in mapping.rules for path in rule.sources):
            record, _, rest = path.partition(".")
            if record in parameters:
                column = rest.split(".")[0].removesuffix("[]")
                known = column if column in columns(parameters[record]) else WHOLE
                self.read(parameters[record], mapping.name, known)
        self.references(mapping.function)

    def code(self, function: FunctionType) -> None:
        """The effects that plain code makes, and the models it names."""
        outside = names_of(function)
        node = definition(function)
        given = {name: told for name, told in function.__annotations__.items() if name != "return"}
        records = {name: model for name, told in given.items() if (model := _model_of(told, outside))}
        for part in ast.walk(node) if node else ():
            if isinstance(part, ast.Name) and _is_model(model := outside.get(part.id)):
                self.read(model, function.__name__)
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
                record = records.get(part.value.id)
                if record is not None and part.attr in columns(record):
                    self.read(record, function.__name__, part.attr)
            if isinstance(part, ast.Call):
                self._call(part, outside)
        self.references(function)

    def references(self, function: FunctionType) -> None:
        """The keys that `ref(...)` names in the function."""
        outside = names_of(function)
        node = definition(function)
        for part in ast.walk(node) if node else ():
            if isinstance(part, ast.Call) and part.args and resolve(part.func, outside, {}) is ref:
                model = resolve(part.args[0], outside, {})
                if _is_model(model):
                    names = [k.arg for k in part.keywords if k.arg]
                    self.read(model, function.__name__, *(n for n in names if n in columns(model)))
                    self.address(model, names)

    def _call(self, call: ast.Call, outside: Mapping[str, Any]) -> None:
        made = resolve(call.func, outside, {})
        texts = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        given = {k.arg: k.value for k in call.keywords if k.arg}
        if made is effects.act:
            self.actions.update(texts[:1])
        elif made is effects.expect:
            self.expected.update(given)
        elif made is effects.remove:
            self.removals = True
        elif made is effects.upsert_all:
            model = resolve(given["model"], outside, {}) if "model" in given else None
            if _is_model(model):
                self.tables[model] = replace(self._use(model), deletes=True)
            else:
                self.removals = True
        elif made is effects.find_where and call.args:
            model = resolve(call.args[0], outside, {})
            if _is_model(model):
                self.read(model, Verb.FIND_WHERE, *(n for n in texts if n in columns(model)))
                self._query(call, model, outside)
        elif made in (effects.find, effects.find_all) and call.args:
            model = resolve(call.args[0], outside, {})
            if _is_model(model):
                by = given.get("by")
                key = (
                    [by.value] if isinstance(by, ast.Constant) and isinstance(by.value, str) else list(given)
                )
                key = [n for n in key if n in columns(model)]
                self.read(model, made.__name__, *texts, *key)
                self.address(model, key)

    def _query(self, call: ast.Call, model: type[Model], outside: Mapping[str, Any]) -> None:
        """The columns that a query compares, orders by and expands, as far as they stand in its call."""
        for part in (each for keyword in call.keywords for each in ast.walk(keyword.value)):
            made = resolve(part.func, outside, {}) if isinstance(part, ast.Call) else None
            if made not in (Condition, Sort, Expand) or not isinstance(part, ast.Call):
                continue
            given = [*part.args, *(k.value for k in part.keywords)]
            texts = [
                each.value
                for one in given
                for each in ast.walk(one)
                if isinstance(each, ast.Constant) and isinstance(each.value, str)
            ]
            self.read(model, Verb.FIND_WHERE, *(n for n in texts[:1] if n in columns(model)))
            for each in given if made is Expand else ():
                other = resolve(each, outside, {})
                if _is_model(other):
                    self.read(other, Verb.FIND_WHERE, *(n for n in texts[1:] if n in columns(other)))

    def _refer(self, model: type[Model]) -> None:
        self.tables[model] = replace(self._use(model), refers=True)

    def _use(self, model: type[Model]) -> TableUse:
        return self.tables.get(model) or TableUse(model)


def _reached(start: FunctionType) -> Iterator[FunctionType | MappingFunction[..., Any]]:
    """The function and everything with a source that it reaches by name; effects themselves are not looked into."""
    waiting: list[FunctionType | MappingFunction[..., Any]] = [start]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        function = one.function if isinstance(one, MappingFunction) else one
        outside = names_of(function)
        node = definition(function)
        for part in ast.walk(node) if node else ():
            if isinstance(part, ast.Name | ast.Attribute):
                named = resolve(part, outside, {})
                if isinstance(named, MappingFunction) or (
                    isinstance(named, FunctionType) and not named.__module__.startswith("tagline.")
                ):
                    waiting.append(named)


def _also(
    reads: Mapping[str, tuple[str, ...]], names: Iterable[str], by: str
) -> Mapping[str, tuple[str, ...]]:
    """The reads with these columns, read by that mapping or function."""
    more = dict(reads)
    for name in names:
        more[name] = tuple(dict.fromkeys((*more.get(name, ()), by)))
    return more


def _own_key(model: type[Model]) -> frozenset[tuple[str, ...]]:
    """The key that rows are written by."""
    return frozenset({tuple(sorted(model.remote.keys[0]))} if model.remote.keys else ())


def _model_of(told: Any, outside: Mapping[str, Any]) -> type[Model] | None:
    """The model that an annotation names, which may be its text."""
    named = outside.get(told.split("|")[0].strip()) if isinstance(told, str) else told
    return named if _is_model(named) else None


def _is_model(value: Any) -> TypeGuard[type[Model]]:
    return isinstance(value, type) and issubclass(value, Model) and hasattr(value, "remote")
