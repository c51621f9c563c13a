"""The service document, and the `$metadata` document: the schema in CSDL. Source: Web API notes, section 1."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from tagline.sandbox.dataverse_conditions import edm
from tagline.sandbox.dataverse_navigation import collections_of
from tagline.sandbox.dataverse_schema import Table, tables

_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
    '<Schema Namespace="Microsoft.Dynamics.CRM" Alias="mscrm" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
    '<EntityType Name="crmbaseentity" Abstract="true" />'
)
_FUNCTIONS = (
    '<ComplexType Name="WhoAmIResponse">'
    '<Property Name="BusinessUnitId" Type="Edm.Guid" Nullable="false" />'
    '<Property Name="UserId" Type="Edm.Guid" Nullable="false" />'
    '<Property Name="OrganizationId" Type="Edm.Guid" Nullable="false" /></ComplexType>'
    '<Function Name="WhoAmI"><ReturnType Type="mscrm.WhoAmIResponse" Nullable="false" /></Function>'
)
_TAIL = "</Schema></edmx:DataServices></edmx:Edmx>"


def csdl() -> str:
    """The schema of the organisation as XML."""
    types = "".join(_entity_type(table) for table in tables().values())
    sets = "".join(_entity_set(table) for table in tables().values())
    imports = '<FunctionImport Name="WhoAmI" Function="mscrm.WhoAmI" />'
    return (
        f'{_HEAD}{types}{_FUNCTIONS}<EntityContainer Name="System">{sets}{imports}</EntityContainer>{_TAIL}'
    )


def _entity_type(table: Table) -> str:
    inside = "".join((*_properties(table), *_singles(table), *_collections(table)))
    return (
        f'<EntityType Name="{table.name}" BaseType="mscrm.crmbaseentity">'
        f'<Key><PropertyRef Name="{table.primary_id}" /></Key>{inside}</EntityType>'
    )


def _properties(table: Table) -> Iterator[str]:
    for column in table.columns.values():
        extra = ' Nullable="false"' if column.name == table.primary_id else ""
        extra += ' Unicode="false"' if edm(column) == "Edm.String" else ""
        scale = ' Scale="Variable"' if edm(column) == "Edm.Decimal" else ""
        yield f'<Property Name="{column.wire}" Type="{edm(column)}"{extra}{scale} />'


def _singles(table: Table) -> Iterator[str]:
    """Navigation properties of lookups; the table of one that we do not hold is the base of all."""
    for name, (column, target) in table.navigation.items():
        kind = target if target in tables() else "crmbaseentity"
        partner = next(
            (
                f' Partner="{one.name}"'
                for one in (collections_of(tables()[target]).values() if target in tables() else ())
                if (one.child, one.lookup) == (table.name, column.name)
            ),
            "",
        )
        constraint = (
            f'<ReferentialConstraint Property="{column.wire}" ReferencedProperty="{tables()[target].primary_id}" />'
            if target in tables()
            else ""
        )
        yield f'<NavigationProperty Name={quoteattr(name)} Type="mscrm.{kind}" Nullable="false"{partner}>{constraint}</NavigationProperty>'


def _collections(table: Table) -> Iterator[str]:
    for one in collections_of(table).values():
        partner = tables()[one.child].columns[one.lookup].targets[table.name]
        yield f'<NavigationProperty Name="{one.name}" Type="Collection(mscrm.{one.child})" Partner="{partner}" />'


def _entity_set(table: Table) -> str:
    bindings = [
        f'<NavigationPropertyBinding Path="{name}" Target="{tables()[target].entity_set}" />'
        for name, (_, target) in table.navigation.items()
        if target in tables()
    ]
    bindings += [
        f'<NavigationPropertyBinding Path="{one.name}" Target="{tables()[one.child].entity_set}" />'
        for one in collections_of(table).values()
    ]
    return f'<EntitySet Name="{table.entity_set}" EntityType="mscrm.{table.name}">{"".join(bindings)}</EntitySet>'
