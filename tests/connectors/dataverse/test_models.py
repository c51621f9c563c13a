"""Every column of every model is held to the facts that the sandbox ships."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from tagline.connectors.dataverse import models
from tagline.connectors.dataverse.wire import fields_of, navigation
from tagline.domain.model import columns
from tagline.sandbox.dataverse_schema import tables

MODELS = [model for name in models.__all__ if (model := getattr(models, name)).remote.entity in tables()]
"""Those whose tables the sandbox holds; of the others there are no facts to be held to."""
KINDS = {
    "String": str,
    "Memo": str,
    "Uniqueidentifier": str,
    "Integer": int,
    "BigInt": int,
    "Picklist": int,
    "State": int,
    "Status": int,
    "Boolean": bool,
    "Decimal": Decimal,
    "Double": Decimal,
    "Money": Decimal,
    "DateTime": datetime,
    "DateOnly": date,
}
NUMBERS = ("Decimal", "Double", "Money")
NUMBERED = ("ordernumber", "invoicenumber")
"""Required by the server, which fills them itself."""


def table_of(model):
    return tables()[model.remote.entity]


def test_the_tables_of_the_trade_are_held_to_the_facts():
    assert {model.remote.entity for model in MODELS} >= {
        "account",
        "contact",
        "pricelevel",
        "product",
        "productpricelevel",
        "salesorder",
        "salesorderdetail",
        "transactioncurrency",
        "uom",
        "uomschedule",
    }


@pytest.mark.parametrize("model", MODELS)
def test_a_model_lives_where_its_table_does(model):
    table = table_of(model)
    assert (model.remote.collection, model.remote.primary_id) == (table.entity_set, table.primary_id)
    assert [key for key in model.remote.keys if key not in table.keys.values()] == []


@pytest.mark.parametrize("model", MODELS)
def test_the_columns_of_a_model_are_as_its_table_has_them(model):
    table = table_of(model)
    faults = {
        column.name: list(_faults(model, column, table.columns[column.name]))
        for column in columns(model).values()
    }
    assert {name: found for name, found in faults.items() if found} == {}


def _faults(model, column, fact):
    field = fields_of(model)[column.name]
    if field.targets:
        found = {navigation(model, column.name, t): t.remote.entity for t in field.targets}
        if found.items() - {(nav, entity) for entity, nav in fact.targets.items()}:
            yield f"points to {found}, not {fact.targets}"
    elif KINDS[fact.type] not in field.kinds:
        yield f"is {field.kinds}, not {fact.type}"
    if fact.type in ("String", "Memo") and column.max_length != fact.max_length:
        yield f"is {column.max_length} long, not {fact.max_length}"
    if fact.type in NUMBERS and (column.precision or 0) > fact.precision:
        yield f"has {column.precision} places of which {fact.precision} are kept"
    if column.options and set(column.options) != set(fact.options):
        yield f"has options {column.options}, not {tuple(fact.options)}"
    if column.name != model.remote.primary_id and (
        column.create > fact.create or column.update > fact.update
    ):
        yield "is written where the table takes nothing"


@pytest.mark.parametrize("model", MODELS)
def test_a_model_requires_what_the_server_does(model):
    """A column that the server refuses a row without, and has no default for, is a rule that a mapping must not lack."""
    table, known = table_of(model), columns(model)
    needed = {
        c.name
        for c in table.columns.values()
        if c.required == "SystemRequired" and c.create and c.type in ("String", "Lookup")
    }
    assert [n for n in needed & known.keys() if not known[n].required and n not in NUMBERED] == []
