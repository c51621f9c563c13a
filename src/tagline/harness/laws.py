"""Laws that every mapping keeps without a line from its author, and the search for a record that breaks one.

* total: a mapping answers every record of its source model, or refuses it by a named cause; it never just fails.
* valid: what it makes fits the columns: required ones, choices, lengths and decimals as the remote counts them, keys.
* deterministic: the same arguments give the same target.
* lineage: a target field changes only when something changes that its rule is read to use.
* verbatim: a rule that only names a source field copies it exactly.

A law that never met its case is vacuous, and that is a failure too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial
from random import Random
from typing import Any, Final

from tagline.domain.model import KEEP, Model, columns
from tagline.domain.settings import Settings
from tagline.errors import RecordError
from tagline.harness.disturb import Kept, disturbed
from tagline.harness.needs import needs_of
from tagline.harness.search import drawn, smallest
from tagline.harness.strategies import arguments
from tagline.integration import Integration
from tagline.mapping import MappingFunction
from tagline.mapping.rule import Rule
from tagline.mapping.table import value_at

EXAMPLES: Final = 200
LAWS: Final = ("total", "valid", "deterministic", "lineage", "verbatim")
KEY_TEXT: Final = re.compile(r"[A-Za-z0-9._~-]+")
"""What stands in an alternate-key address unescaped; see `tagline.mapping.transforms.safe_key`."""
COPY: Final = re.compile(r"(\w+)(\.\w+)*")
LONGEST_SHOWN: Final = 40

BLANK: Final = "blank?"
"""Beside the arguments: whether what must not matter is emptied, or given another value."""

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class LawResult:
    """What became of one law on one mapping."""

    law: str
    mapping: str
    where: str
    """`file:line` of the mapping."""
    examples: int
    interesting: int
    """How often the case that the law is about was met; of a law about rules, for the rule that met it least."""
    counter_example: str = ""
    """Field, rule, reason and what the rule read; the records are generated, so nothing of a customer is in it."""

    @property
    def passed(self) -> bool:
        return not self.counter_example and self.interesting > 0

    @property
    def reason(self) -> str:
        """Why it did not pass; empty when it did."""
        if self.counter_example or self.interesting:
            return self.counter_example
        return (
            f"vacuous: none of {self.examples} generated records met its case, all were refused or left alone"
        )


def prove_all(
    integration: Integration, settings: Settings, *, examples: int = EXAMPLES, at_seed: int = 0
) -> list[LawResult]:
    """Every law on every mapping of an integration; the same seed searches the same way."""
    return [
        result
        for mapping in integration.mappings.values()
        for result in prove(mapping, settings, examples=examples, at_seed=at_seed)
    ]


def prove(
    mapping: MappingFunction[..., Any],
    settings: Settings | None = None,
    *,
    examples: int = EXAMPLES,
    at_seed: int = 0,
) -> list[LawResult]:
    """
    Search records that break a law on one mapping.

    Args:
        settings: The values an environment really has; the settings' own defaults when there are none.

    Raises:
        UsageError: A parameter is of a type that no values are known for (code `strategy-unknown`).
    """
    subject = _Subject(mapping)
    make = arguments({**mapping.parameters, BLANK: bool}, needs_of(mapping, settings))
    random = Random(f"{at_seed} {mapping.name}")  # noqa: S311 - a search needs a seed, not secrecy
    laws = [law for law in LAWS if law != "verbatim" or subject.copies]
    met: Counter[tuple[str, str]] = Counter()
    broken: dict[str, tuple[int, str]] = {}
    for example in range(1, examples + 1):
        record, choices = drawn(make, random)
        for law in laws:
            if law in broken or not (story := subject.story(law, record, met)):
                continue
            least = smallest(make, choices, partial(subject.breaks, law))
            # What breaks a law by chance may not do so again; then it is told as it was met.
            broken[law] = example, subject.story(law, least, Counter()) or story
    return [
        LawResult(
            law,
            mapping.name,
            f"{mapping.file}:{mapping.line}",
            examples=broken[law][0] if law in broken else examples,
            interesting=min((met[law, target] for target in subject.cases(law)), default=0),
            counter_example=broken[law][1] if law in broken else "",
        )
        for law in laws
    ]


class _Subject:
    """A mapping under its laws."""

    def __init__(self, mapping: MappingFunction[..., Any]) -> None:
        self.mapping = mapping
        self.copies = [
            rule
            for rule in mapping.rules
            if (copied := COPY.fullmatch(rule.expression)) and copied[1] in mapping.parameters
        ]
        self._columns = columns(mapping.target)

    @cached_property
    def _reads(self) -> list[tuple[Kept, list[Rule]]]:
        """The rules by what they read, so that those that read the same are tried together."""
        together: dict[frozenset[str], list[Rule]] = {}
        for rule in self.mapping.rules:
            together.setdefault(frozenset(rule.sources), []).append(rule)
        return [(Kept.at(paths), rules) for paths, rules in together.items()]

    def cases(self, law: str) -> list[str]:
        """The target fields that a law is about one by one; a single empty one where it is about all at once."""
        if law == "lineage":
            return [rule.target for rule in self.mapping.rules]
        return [""]

    def breaks(self, law: str, record: Arguments) -> bool:
        return bool(self.story(law, record, Counter()))

    def story(self, law: str, record: Arguments, met: Counter[tuple[str, str]]) -> str:
        """How the record breaks a law, empty where it does not; counts in `met` whether it was a case at all."""
        given = {name: value for name, value in record.items() if name != BLANK}
        target, failure = self._answer(given)
        if target is None:
            return failure if law == "total" else ""
        if law == "lineage":
            return self._leaking(target, given, met, blank=record[BLANK])
        met[law, ""] += 1
        match law:
            case "valid":
                return self._invalid(target, given)
            case "deterministic":
                return self._unsteady(target, given)
            case "verbatim":
                return self._altered(target, given)
        return ""

    def _answer(self, record: Arguments) -> tuple[Model | None, str]:
        """The target, or None where the mapping leaves the record alone or refuses it; and how it failed, if it just did."""
        try:
            return self.mapping(**record), ""
        except RecordError as error:
            broken = [detail for detail in error.details if not detail.get("code")]
        except Exception as error:  # noqa: BLE001 - whatever a mapping raises is what the law is about
            return None, f"raised {type(error).__name__} outside its rules"
        told = (
            f"{detail['field']} <- {detail['rule']}: {detail['reason']}"
            + _shown(filter(None, detail["sources"].split(", ")), record)
            for detail in broken
        )
        return None, "; ".join(told)

    def _invalid(self, target: Model, record: Arguments) -> str:
        given = target.given()
        keys = (
            {name for key in target.remote.keys[:1] for name in key} if hasattr(target, "remote") else set()
        )
        for rule in self.mapping.rules:
            column, value = self._columns[rule.target], given.get(rule.target)
            reason = ""
            if column.required and rule.target in given and value in (None, ""):
                reason = "a column that the remote requires is left blank"
            elif column.options and value is not None and value not in column.options:
                reason = f"{value!r} is none of its choices"
            elif isinstance(value, Decimal):
                reason = _unfit_number(value, column.precision)
            elif isinstance(value, str) and column.max_length and _width(value) > column.max_length:
                reason = (
                    f"{_width(value)} characters as the remote counts them, the limit is {column.max_length}"
                )
            elif isinstance(value, str) and rule.target in keys and not KEY_TEXT.fullmatch(value):
                reason = "a key that cannot stand in an address; make it with safe_key"
            if reason:
                return f"{rule.target} <- {rule.expression}: {reason}{_shown(rule.sources, record)}"
        return ""

    def _unsteady(self, target: Model, record: Arguments) -> str:
        fields = _differing(target, self._answer(record)[0])
        return f"{', '.join(fields)} differ when the same record is mapped twice" if fields else ""

    def _leaking(
        self, target: Model, record: Arguments, met: Counter[tuple[str, str]], *, blank: bool
    ) -> str:
        for kept, rules in self._reads:
            other = disturbed(record, self.mapping.parameters, kept, blank=blank)
            changed = self._answer(other)[0]
            if changed is None:
                continue  # another rule may well refuse what was changed
            differing = _differing(target, changed)
            for rule in rules:
                met["lineage", rule.target] += 1
                if rule.target in differing and not _differing(target, self._answer(record)[0]):
                    path = self._responsible(rule, target, record, other)
                    return (
                        f"{rule.target} <- {rule.expression}: changes with {path}, "
                        f"and is read to use {', '.join(rule.sources) or 'nothing'}"
                    )
        return ""

    def _responsible(self, rule: Rule, target: Model, record: Arguments, other: Arguments) -> str:
        """The one source field that changes the target, where one does it alone."""
        for name, value in record.items():
            fields = type(value).model_fields if isinstance(value, Model) else {"": None}
            for each in fields:
                alone = value.model_copy(update={each: getattr(other[name], each)}) if each else other[name]
                changed = self._answer({**record, name: alone})[0]
                if changed is not None and rule.target in _differing(target, changed):
                    return f"{name}.{each}".rstrip(".")
        return "other fields together"

    def _altered(self, target: Model, record: Arguments) -> str:
        given = target.given()
        for rule in self.copies:
            source = value_at(rule.expression, record)
            if source is not KEEP and given[rule.target] != source:
                return f"{rule.target} <- {rule.expression}: is no exact copy{_shown((rule.expression,), record)}"
        return ""


def _differing(target: Model, other: Model | None) -> list[str]:
    """Target fields that are not the same, or all where there is no other target."""
    ours, theirs = target.given(), other.given() if other is not None else {}
    return [name for name in {**ours, **theirs} if ours.get(name, KEEP) != theirs.get(name, KEEP)]


def _unfit_number(value: Decimal, places: int | None) -> str:
    if not value.is_finite():
        return "is no finite number"
    if places is not None and value != round(value, places):
        return f"{value} has more than {places} decimals"
    return ""


def _width(text: str) -> int:
    """Length as remotes count it, in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def _shown(paths: Iterable[str], record: Arguments) -> str:
    """What stands at source paths, short."""
    told = [f"{path} = {_short(value_at(path, record))}" for path in paths]
    return f", with {', '.join(told)}" if told else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}... ({len(text)} characters)"
