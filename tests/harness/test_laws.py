"""The laws notice what goes wrong in mappings, name law and field, and let right mappings pass."""

import itertools
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import BeforeValidator

from tagline.domain.model import KEEP, Model, Ref, Remote, column, ref
from tagline.errors import RecordError
from tagline.flow import Found, Written, reject
from tagline.harness.laws import LAWS, LawResult, prove, prove_all
from tagline.integration import load
from tagline.mapping import MappingFunction, mapping
from tagline.mapping.transforms import cut, fill_blank, money, safe_key

INTEGRATION = Path(__file__).parents[2] / "integrations" / "order_to_cash"


class Row(Model):
    sku: str = column(default="", max_length=30)
    price: Decimal = column(default=Decimal(0))
    quantity: int = column(default=0)


class Sale(Model):
    number: int = column(default=0)
    city: str = column(default="", max_length=50)
    note: str = column(default="")
    placed: datetime | None = column()
    total: Decimal = column(default=Decimal(0))
    rows: tuple[Row, ...] = column(default=())


class Person(Model):
    remote: ClassVar[Remote] = Remote("crm", "person", "people", "personid", (("personkey",),))
    personid: str | None = column()
    personkey: str | None = column(max_length=100)
    boss: Ref["Person"] | None = column()
    name: str | None = column(max_length=40)


class Bill(Model):
    remote: ClassVar[Remote] = Remote("crm", "bill", "bills", "billid", (("billkey",),))
    billid: str | None = column()
    billkey: str | None = column(max_length=100)
    name: str | None = column(max_length=40)
    town: Annotated[str | None, BeforeValidator(lambda v: v and v.lower())] = column(max_length=80)
    amount: Decimal | None = column(precision=2)
    state: int | None = column(options=(0, 1, 2))
    customer: Ref[Person] | None = column()
    title: str = column(required=True, max_length=300)


@dataclass(frozen=True)
class Broken:
    """What a wrong mapping is expected to be caught at."""

    mapping: MappingFunction[..., Any]
    law: str
    field: str
    reason: str
    also: tuple[str, ...] = ()
    """Other laws that the same fault breaks on other records."""


@mapping
def text_not_cut(sale: Sale) -> Bill:
    return Bill(title="t", name=sale.city)


@mapping
def cut_by_characters(sale: Sale) -> Bill:
    return Bill(title="t", name=sale.city[:40])


@mapping
def first_of_none(sale: Sale) -> Bill:
    return Bill(title="t", name=sale.rows[0].sku)


@mapping
def price_of_none(sale: Sale) -> Bill:
    return Bill(title="t", amount=money(sale.total / sale.number))


@mapping
def too_many_places(sale: Sale) -> Bill:
    return Bill(title="t", amount=sale.total * Decimal("0.5"))


@mapping
def state_of_its_own(sale: Sale) -> Bill:
    return Bill(title="t", state=sale.number)


@mapping
def required_left_blank(sale: Sale) -> Bill:
    return Bill(title=cut(sale.note, 300))


@mapping
def key_as_typed(sale: Sale) -> Bill:
    return Bill(title="t", billkey=f"bill {sale.number}")


@mapping
def lowered_by_the_target(sale: Sale) -> Bill:
    return Bill(title="t", town=sale.city)


LAST_CITY = {"last": ""}


def remembered(sale: Sale) -> int:
    LAST_CITY["last"] = sale.city
    return sale.number


def last_city() -> str:
    return LAST_CITY["last"]


@mapping
def leaking_by_a_global(sale: Sale) -> Bill:
    return Bill(title=f"{remembered(sale)}", name=cut(last_city(), 40))


TICKS = itertools.count()


def tick() -> int:
    return next(TICKS)


@mapping
def counting(sale: Sale) -> Bill:
    return Bill(title=f"{sale.number}", name=f"{tick()}")


WRONG = [
    Broken(text_not_cut, "total", "name", "a text of 4", also=("valid",)),
    Broken(cut_by_characters, "valid", "name", "as the remote counts them, the limit is 40"),
    Broken(first_of_none, "total", "name", "IndexError"),
    Broken(price_of_none, "total", "amount", "InvalidOperation"),
    Broken(too_many_places, "valid", "amount", "more than 2 decimals"),
    Broken(state_of_its_own, "valid", "state", "none of its choices"),
    Broken(required_left_blank, "valid", "title", "left blank"),
    Broken(key_as_typed, "valid", "billkey", "safe_key"),
    Broken(lowered_by_the_target, "verbatim", "town", "no exact copy"),
    Broken(leaking_by_a_global, "lineage", "name", "changes with sale.city, and is read to use nothing"),
    Broken(counting, "deterministic", "name", "mapped twice"),
]


def failures(results: list[LawResult]) -> dict[str, str]:
    return {result.law: result.reason for result in results if not result.passed}


@pytest.mark.parametrize("broken", WRONG, ids=lambda b: b.mapping.name)
def test_a_wrong_mapping_is_caught_by_law_and_field(broken: Broken):
    found = failures(prove(broken.mapping))
    assert [broken.law, *broken.also] == list(found)
    assert found[broken.law].startswith(broken.field)
    assert broken.reason in found[broken.law]


def test_a_counter_example_is_small_and_shows_what_the_rule_read():
    failed = prove(text_not_cut)[0]
    assert (
        "name <- sale.city: a text of 41 characters, the limit is 40, with sale.city = 'aaa" in failed.reason
    )
    assert failed.where == f"{__file__}:{text_not_cut.line}"
    assert failures(prove(first_of_none))["total"].endswith("with sale.rows[].sku = ()")


@mapping
def right(
    item: Row, sale: Sale, standing: Found | None, customer: Ref[Person] | None, written: Written
) -> Bill:
    return Bill(
        billid=standing.id if standing else KEEP,
        billkey=safe_key("shop", sale.number),
        name=fill_blank(standing, "name", cut(sale.city, 40)),
        amount=money(sum((row.price for row in sale.rows), Decimal(0))),
        state=0 if item.quantity else 1,
        customer=customer or ref(Person, personid=written.id),
        title=f"{sale.number} {sale.rows.index(item) if item in sale.rows else -1}",
    )


def test_a_right_mapping_passes_every_law():
    results = prove(right)
    assert failures(results) == {}
    assert [law for law in LAWS if law != "verbatim"] == [result.law for result in results]
    assert {result.examples for result in results} == {200}


def refusing(sale: Sale) -> str:
    if sale.number >= 0:
        reject("number-unfit", "no number fits")
    return ""


@mapping
def always_refused(sale: Sale) -> Bill:
    return Bill(title=refusing(sale))


@mapping
def left_alone(sale: Sale) -> Bill | None:
    missing = None
    if missing is None:
        return None
    return Bill(title="t")


@pytest.mark.parametrize("always", [always_refused, left_alone], ids=lambda m: m.name)
def test_a_mapping_that_never_answers_is_vacuous_and_does_not_pass(always: MappingFunction[..., Any]):
    found = failures(prove(always))
    assert list(found) == ["total", "valid", "deterministic", "lineage"]
    assert all(reason.startswith("vacuous: none of 200") for reason in found.values())


def odd_refused(sale: Sale) -> str:
    if sale.number % 2:
        raise RecordError("odd", code="number-odd")
    return f"{sale.number}"


@mapping
def sometimes_refused(sale: Sale) -> Bill:
    return Bill(title=odd_refused(sale))


def test_a_refusal_by_a_named_cause_is_an_answer():
    results = prove(sometimes_refused)
    assert failures(results) == {}
    assert all(0 < result.interesting < result.examples for result in results)


@mapping
def two_faults(sale: Sale) -> Bill:
    return Bill(title=cut(sale.note, 300), name=f"{tick()}", amount=sale.total)


def test_one_broken_law_does_not_hide_another():
    assert list(failures(prove(two_faults))) == ["valid", "deterministic"]


@mapping
def from_what_stands(product: Found) -> Bill:
    return Bill(title=f"{product.id}", customer=product.values.get("boss"), name=product.values.get("name"))


def test_a_found_row_holds_the_columns_that_the_rules_name_as_their_models_type_them():
    """`boss` is a column of Person and of no bill, and would fail the target if it were anything but a reference."""
    assert failures(prove(from_what_stands)) == {}


def test_the_same_seed_searches_the_same_way():
    first, again = prove(first_of_none, at_seed=3), prove(first_of_none, at_seed=3)
    assert first == again


def test_the_shipped_integration_keeps_every_law():
    integration = load(INTEGRATION)
    settings = integration.settings.model_validate({"price_level": "Web"})
    results = prove_all(integration, settings)
    assert {r.mapping: f"{r.law}: {r.reason}" for r in results if not r.passed} == {}
    assert set(integration.mappings) == {r.mapping for r in results}
