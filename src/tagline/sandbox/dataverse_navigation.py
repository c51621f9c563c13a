"""What leads from a row to others: lookups by their navigation property, and the rows that point back. Source: Web API notes, 7.2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tagline.sandbox.assumptions import COLLECTION_NAME
from tagline.sandbox.dataverse_errors import no_property
from tagline.sandbox.dataverse_schema import Column, Table, tables

_NAMED: Mapping[tuple[str, str, str], str] = {
    ("account", "account", "masterid"): "account_master_account",
    ("account", "account", "parentaccountid"): "account_parent_account",
    ("account", "contact", "parentcustomerid"): "contact_customer_accounts",
    ("contact", "contact", "parentcustomerid"): "contact_customer_contacts",
    ("contact", "contact", "masterid"): "contact_master_contact",
    ("contact", "account", "primarycontactid"): "account_primary_contact",
    ("account", "salesorder", "customerid"): "order_customer_accounts",
    ("contact", "salesorder", "customerid"): "order_customer_contacts",
    ("account", "invoice", "customerid"): "invoice_customer_accounts",
    ("contact", "invoice", "customerid"): "invoice_customer_contacts",
    ("salesorder", "salesorderdetail", "salesorderid"): "order_details",
    ("salesorder", "invoice", "salesorderid"): "order_invoices",
    ("salesorder", "orderclose", "salesorderid"): "SalesOrder_OrderClose",
    ("invoice", "invoicedetail", "invoiceid"): "invoice_details",
    ("product", "productpricelevel", "productid"): "product_price_levels",
    ("product", "salesorderdetail", "productid"): "product_order_details",
    ("pricelevel", "productpricelevel", "pricelevelid"): "price_level_product_price_levels",
    ("pricelevel", "salesorder", "pricelevelid"): "price_level_orders",
}
"""Table pointed to, table that points, its lookup -> navigation property."""


@dataclass(frozen=True)
class Collection:
    """Rows of one table that point to a row of another through one lookup."""

    name: str
    child: str
    lookup: str


def collections_of(table: Table) -> Mapping[str, Collection]:
    """Every collection of a row of that table, by navigation property."""
    found = [
        Collection(collection_name(table.name, child.name, column), child.name, column)
        for child in tables().values()
        for column in child.lookups
        if table.name in child.columns[column].targets
    ]
    return {collection.name: collection for collection in found}


def collection_name(target: str, child: str, lookup: str) -> str:
    """The navigation property of the relationship; its schema name too."""
    named = _NAMED.get((target, child, lookup)) or tables()[child].columns[lookup].collections.get(target)
    return named or COLLECTION_NAME.format(target=target, child=child, lookup=lookup)


def collection_of(table: Table, name: str) -> tuple[Table, Column]:
    """
    The table of a collection, and its lookup back.

    Raises:
        Refusal: No such collection.
    """
    found = collections_of(table).get(name)
    if found is None:
        raise no_property(table, name)
    child = tables()[found.child]
    return child, child.columns[found.lookup]


def single_of(table: Table, navigation: str) -> tuple[Table, Column]:
    """
    The table that a navigation property leads to, of several the first we hold; and its lookup.

    Raises:
        Refusal: No such property, or no such table here.
    """
    if navigation in table.navigation:
        column, name = table.navigation[navigation]
        shared = [target for target, property_ in column.targets.items() if property_ == navigation]
        for target in (*shared, name):
            if target in tables():
                return tables()[target], column
    raise no_property(table, navigation)
