"""The solution of an integration is read from what its flows touch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagline.connectors.dataverse import Contact, Product, SalesOrderDetail
from tagline.connectors.dataverse.rights import Access
from tagline.errors import UsageError
from tagline.flow.usage import TableUse
from tagline.integration.load import Integration, load_from
from tagline.integration.solution import access_of, solution_of
from tagline.sandbox.dataverse_schema import tables

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def order_to_cash() -> Integration:
    return load_from(ROOT, "order_to_cash")


def test_it_adds_the_columns_and_keys_that_the_sandbox_organisation_has(order_to_cash):
    made = solution_of(order_to_cash)
    assert {(k.table, k.name, k.columns) for k in made.keys} == {
        (table.name, key, columns)
        for table in tables().values()
        for key, columns in table.keys.items()
        if table.name in {k.table for k in made.keys}
    }
    assert "uom" not in {k.table for k in made.keys}, "units are bound by id; their names need not be unique"
    for column in made.columns:
        theirs = tables()[column.table].columns[column.name]
        assert theirs.max_length == (column.max_length or 0)


def test_its_role_lets_orders_be_written_and_nothing_be_deleted(order_to_cash):
    privileges = [right.privilege for right in solution_of(order_to_cash).rights]
    assert {"prvCreateOrder", "prvWriteOrder", "prvReadProduct", "prvCreateActivity"} <= set(privileges)
    assert not [p for p in privileges if p.startswith("prvDelete") or p == "prvWriteProduct"]


@pytest.mark.parametrize(
    ("use", "access"),
    [
        (TableUse(Product, reads={"name": ("m",)}), {Access.READ}),
        (TableUse(Product, refers=True), {Access.READ, Access.APPEND_TO}),
        (
            TableUse(Contact, writes={"parentcustomerid": ("m",)}, creates=True, changes=True),
            {Access.READ, Access.CREATE, Access.WRITE, Access.APPEND},
        ),
        (TableUse(Contact, writes={"lastname": ("m",)}, changes=True), {Access.READ, Access.WRITE}),
        (TableUse(SalesOrderDetail, deletes=True), {Access.READ, Access.DELETE}),
    ],
)
def test_access_is_the_least_that_the_use_needs(use, access):
    assert access_of(use) == access


def test_an_integration_that_is_not_there_is_named_beside_those_that_are():
    with pytest.raises(UsageError) as caught:
        load_from(ROOT, "order_to_csh")
    assert caught.value.code == "integration-unknown"
    assert "order_to_cash" in caught.value.hint
