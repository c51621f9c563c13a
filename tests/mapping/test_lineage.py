"""Rules and the source paths they read, told from the source alone."""

import pytest


def sources(load, expression: str, before: str = "", extra: str = "") -> tuple[str, ...]:
    """The sources of one rule of an update mapping with a whole order, settings and a row at hand."""
    lines = "".join(f"    {line}\n" for line in before.splitlines())
    module = load(
        HELPERS
        + extra
        + "\n@mapping(update=True)\n"
        + "def to_sale(order: Order, settings: Settings, found: Row | None) -> Sale:\n"
        + lines
        + f"    return Sale(salekey='k', note={expression})\n"
    )
    return module.to_sale.rules[1].sources


HELPERS = """
from dataclasses import dataclass
from collections.abc import Mapping
from typing import Any
import functools
import json
from pydantic import BaseModel

class Settings(BaseModel):
    prefix: str = ""
    states: dict[str, int] = {}

@dataclass(frozen=True)
class Row:
    id: str
    values: Mapping[str, Any]

def key_of(order: Order) -> str:
    if order.number:
        return f"n{order.number}"
    return order.email

def both(order: Order) -> str:
    return key_of(order) + str(order.street)

def skus(order: Order) -> list[str]:
    found = []
    for position, item in enumerate(order.items):
        if item.price > 0:
            found.append(item.sku)
    return found

def first_item(order):
    for item in order.items:
        return item
    return None

def endless(order: Order, depth: int) -> str:
    return order.email if depth == 0 else endless(order, depth - 1)

def opaque(order: Order) -> str:
    return json.dumps(order)

def pairs(order: Order):
    for item in order.items:
        yield item.sku, item.price

def chained(order: Order):
    yield from order.items

@functools.lru_cache
def cached(order: Order) -> str:
    return order.email

def named(order: Order, *, label: str = "x", **rest: str) -> str:
    return label + order.email

def inner(order: Order) -> str:
    def price(item: Item) -> str:
        return order.email + item.sku
    return price(order.items[0])

def price(item: Item) -> Decimal:
    return item.price

def matched(order: Order) -> str:
    match order.street:
        case None:
            return order.email
        case str() as street if order.number:
            return street
    try:
        result = {}
        result["a"] = order.items[0].sku
    except IndexError:
        raise ValueError(order.number) from None
    return str(result)
"""


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'constant'", ()),
        ("KEEP", ()),
        ("order.email", ("order.email",)),
        ("order.email.strip().lower()", ("order.email",)),
        ("settings.prefix + order.email", ("settings.prefix", "order.email")),
        ("f'{settings.prefix}-{order.number:05d}'", ("settings.prefix", "order.number")),
        ("order.street or order.email", ("order.street", "order.email")),
        ("order.street if order.number else order.email", ("order.number", "order.street", "order.email")),
        ("order.items[0].sku", ("order.items[].sku",)),
        ("order.items[-1:][0].sku", ("order.items[].sku",)),
        ("order.items[order.number].sku", ("order.items[].sku", "order.number")),
        ("str(len(order.items))", ("order.items",)),
        ("'yes' if order.items else 'no'", ("order.items",)),
        ("[i.sku for i in order.items]", ("order.items[].sku",)),
        ("[1 for i in order.items]", ("order.items",)),
        ("sum(i.price for i in order.items if i.sku)", ("order.items[].sku", "order.items[].price")),
        ("{i.sku: i.price for i in order.items}", ("order.items[].sku", "order.items[].price")),
        ("[p for p, i in zip(order.items, order.items)][0].sku", ("order.items[].sku",)),
        ("[i.sku for _, i in enumerate(order.items)]", ("order.items[].sku",)),
        ("next(iter(order.items)).sku", ("order.items[].sku",)),
        ("max(order.items, key=lambda i: i.price).sku", ("order.items[].sku", "order.items[].price")),
        ("max(order.items, key=price).sku", ("order.items[].sku", "order.items[].price")),
        ("[i.sku for i in sorted(order.items, key=price)]", ("order.items[].sku", "order.items[].price")),
        ("sum(map(price, order.items))", ("order.items[].price",)),
        ("list(filter(lambda i: i.price, order.items))[0].sku", ("order.items[].sku", "order.items[].price")),
        ("settings.states.get(order.email, 1)", ("order.email", "settings.states[]")),
        ("settings.states[order.email]", ("settings.states[]", "order.email")),
        ("found.values['name']", ("found.values[]",)),
        ("fill_blank(found, 'note', order.email)", ("order.email", "found.values[]")),
        ("str(ref(Account, accountkey=order.email))", ("order.email",)),
        ("concat(*[i.sku for i in order.items])", ("order.items[].sku",)),
        ("dict(**{'a': order.email})", ("order.email",)),
        ("order", ("order.*",)),
        ("order.items", ("order.items[].*",)),
        ("order.model_dump()", ("order.*",)),
        ("order.email > '' and not order.number", ("order.email", "order.number")),
        ("(lambda x: x + order.email)('a')", ("order.email",)),
        ("(order.items, order.email)[1]", ("order.email",)),
        ("[*order.items, *order.items][0].sku", ("order.items[].sku",)),
        ("'' if found is None else found.id", ("found.id",)),
        ("not order.items", ("order.items",)),
        (
            "((order.email, 'a') if order.number else (order.street, 'a', 'b'))[0]",
            ("order.number", "order.email", "order.street"),
        ),
    ],
)
def test_an_expression_reads_these_paths(load, expression, expected):
    assert set(sources(load, expression)) == set(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("key_of(order)", ("order.number", "order.email")),
        ("both(order)", ("order.number", "order.email", "order.street")),
        ("skus(order)", ("order.items[].price", "order.items[].sku")),
        ("first_item(order).sku", ("order.items[].sku",)),
        ("endless(order, 3)", ("order.*",)),
        ("cached(order)", ("order.email",)),
        ("named(order, label=settings.prefix)", ("order.email", "settings.prefix")),
        ("[a for a, b in pairs(order)]", ("order.items[].sku",)),
        ("matched(order)", ("order.street", "order.number", "order.email", "order.items[].sku")),
        ("opaque(order)", ("order.*",)),
        ("[i.sku for i in chained(order)]", ("order.items[].sku",)),
        ("inner(order)", ("order.email", "order.items[].*")),
        ("json.dumps(order)", ("order.*",)),
        ("getattr(order, 'email')", ("order.*",)),
        ("key_of(*[order])", ("order.*",)),
        ("key_of(found.values['order'])", ("found.values[].number", "found.values[].email")),
        ("callable(order.model_dump)", ("order.*",)),
    ],
)
def test_a_transform_given_a_record_is_read_through_or_reads_it_all(load, expression, expected):
    assert set(sources(load, expression)) >= set(expected)
    if expected != ("order.*",):
        assert set(sources(load, expression)) == set(expected)


def test_sources_pass_through_nested_assignments_in_reading_order(load):
    before = (
        "number = order.number\nlabel = f'{settings.prefix}{number}'\ncheapest = min(order.items, key=price)"
    )
    assert sources(load, "label + cheapest.sku", before) == (
        "settings.prefix",
        "order.number",
        "order.items[].price",
        "order.items[].sku",
    )


def test_a_method_and_a_property_of_a_record_are_read_through(load):
    extra = """
class Shop(Model):
    id: int = 0
    zone: str = ""
    def key(self) -> str:
        return str(self.id)
    @property
    def place(self) -> str:
        return self.zone

@mapping
def to_item(shop: Shop) -> Item:
    return Item(sku=shop.key() + shop.place)
"""
    module = load(HELPERS + extra)
    assert module.to_item.rules[0].sources == ("shop.id", "shop.zone")


def test_a_transform_defined_further_down_is_still_read_through(load):
    module = load(
        """
        @mapping
        def to_item(order: Order) -> Item:
            return Item(sku=later(order))

        def later(order: Order) -> str:
            return order.email
        """
    )
    assert module.to_item.rules[0].sources == ("order.email",)


def test_rules_stand_in_the_order_of_the_return_with_text_and_line(load):
    module = load(
        """
        @mapping
        def to_item(order: Order) -> Item:
            sku = order.email
            return Item(
                price = sum( [i.price
                    for i in order.items] ),
                sku='"' + sku,
            )
        """
    )
    assert [(r.target, r.expression, r.line) for r in module.to_item.rules] == [
        ("price", "sum([i.price for i in order.items])", module.FIRST + 4),
        ("sku", "'\"' + sku", module.FIRST + 6),
    ]
    assert module.to_item.line == module.FIRST + 1


NESTED = """
class Line(Model):
    sku: str = ""
    label: str = ""

class Document(Model):
    head: str = ""
    lines: tuple[Line, ...] = ()
    best: Line | None = None

@mapping
def to_line(item: Item, order: Order) -> Line:
    label = f"{order.number}"
    return Line(sku=item.sku, label=label)

@mapping
def to_document(order: Order) -> Document:
    return Document(
        head=to_line(order.items[0], order).sku,
        lines=tuple(to_line(i, order) for i in order.items),
        best=Line(sku=order.email),
    )
"""


def test_nested_mappings_compose_with_their_sources_traced_to_the_outer_parameters(load):
    head, lines, best = load(NESTED).to_document.rules
    assert head.sources == ("order.items[].sku",)
    assert set(lines.sources) == {"order.items[].sku", "order.number"}
    assert [(r.target, r.expression, r.sources) for r in lines.inner] == [
        ("lines[].sku", "item.sku", ("order.items[].sku",)),
        ("lines[].label", "label", ("order.number",)),
    ]
    assert [(r.target, r.sources) for r in best.inner] == [("best.sku", ("order.email",))]


def test_unused_sources_are_the_fields_nothing_reads(load):
    module = load(
        NESTED + "@mapping\ndef to_item(order: Order) -> Item:\n    return Item(price=len(order.items))\n"
    )
    assert module.to_document.unused_sources() == ("order.street", "order.items[].price")
    assert module.to_line.unused_sources() == ("item.price", "order.email", "order.street", "order.items")
    assert module.to_item.unused_sources() == ("order.number", "order.email", "order.street")


def test_a_guard_counts_as_reading_and_an_opaque_transform_as_reading_all(load):
    module = load(
        """
        @mapping
        def guarded(order: Order) -> Item | None:
            if order.street is None:
                return None
            return Item(sku=order.email)

        @mapping
        def opaque(order: Order) -> Item:
            return Item(sku=repr(order))
        """
    )
    assert module.guarded.unused_sources() == ("order.number", "order.items")
    assert module.opaque.unused_sources() == ()


def test_functions_that_call_each_other_end(load):
    extra = """
def ping(order: Order) -> str:
    return pong(order)

def pong(order: Order) -> str:
    return ping(order) if order.number else order.email
"""
    assert "order.*" in sources(load, "ping(order)", extra=extra)


def test_a_long_chain_of_functions_is_followed_only_so_far(load):
    extra = "def f0(order: Order) -> str:\n    return order.email\n"
    extra += "".join(f"def f{n}(order: Order) -> str:\n    return f{n - 1}(order)\n" for n in range(1, 12))
    assert sources(load, "f3(order)", extra=extra) == ("order.email",)
    assert sources(load, "f11(order)", extra=extra) == ("order.*",)
