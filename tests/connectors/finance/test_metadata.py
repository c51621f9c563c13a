"""`$metadata` as Finance publishes it, and documents that nobody should trust."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.finance import SalesOrderHeader, Warehouse
from tagline.connectors.finance.entities import ENTITIES
from tagline.connectors.finance.metadata import schemas_of
from tagline.domain.schema import Basis, ColumnSchema, KeySchema, Schema
from tagline.errors import TryAgainError

DOCUMENT = b"""<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="Microsoft.Dynamics.DataEntities" xmlns="http://docs.oasis-open.org/odata/ns/edm">
<EnumType Name="NoYes"><Member Name="No" Value="0"/><Member Name="Yes" Value="1"/></EnumType>
<EntityType Name="Warehouse">
<Key><PropertyRef Name="dataAreaId"/><PropertyRef Name="WarehouseId"/></Key>
<Property Name="dataAreaId" Type="Edm.String" Nullable="false"/>
<Property Name="WarehouseId" Type="Edm.String" Nullable="false" MaxLength="10"/>
<Property Name="IsWarehouseExternallyManaged" Type="Microsoft.Dynamics.DataEntities.NoYes"/>
<Property Name="Weight" Type="Edm.Decimal" Scale="6"/>
</EntityType>
<EntityType Name="Other"><Property Name="Secret" Type="Edm.String"/></EntityType>
<ComplexType Name="Warehouse"><Property Name="Strange" Type="Edm.String"/></ComplexType>
<EntityContainer Name="Resources"><EntitySet Name="Warehouses" EntityType="Microsoft.Dynamics.DataEntities.Warehouse"/>
<EntitySet Name="Others" EntityType="Microsoft.Dynamics.DataEntities.Other"/></EntityContainer>
</Schema></edmx:DataServices></edmx:Edmx>"""

BOMB = b"""<?xml version="1.0"?><!DOCTYPE Edmx [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Edmx>&b;</Edmx>"""


def test_the_entities_that_have_a_model_are_read_with_their_enumerations():
    assert schemas_of(DOCUMENT, ENTITIES.values()) == {
        "Warehouses": Schema(
            "Warehouse",
            Basis.METADATA,
            {
                "dataAreaId": ColumnSchema("Edm.String"),
                "WarehouseId": ColumnSchema("Edm.String", max_length=10),
                "IsWarehouseExternallyManaged": ColumnSchema("NoYes", options={"No": "No", "Yes": "Yes"}),
                "Weight": ColumnSchema("Edm.Decimal", precision=6),
            },
            (
                KeySchema("key", ("dataAreaId", "WarehouseId"), True),
                KeySchema("WarehouseId", ("WarehouseId",), True),
            ),
        )
    }


def test_the_document_is_asked_for_once_and_a_missing_entity_has_no_columns(finance, environment):
    environment.when(r"\$metadata", 200, DOCUMENT)
    assert "WarehouseId" in finance.describe(Warehouse).columns
    assert finance.describe(SalesOrderHeader) == Schema("SalesOrderHeaderV2", Basis.METADATA)
    assert environment.asks() == ["GET /data/$metadata"]


@pytest.mark.parametrize(
    "document",
    [
        BOMB,
        b"<a>" * 100,
        b"<html><br></html>",
        b"",
        DOCUMENT[:900],
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
    ],
    ids=["entities", "depth", "html", "nothing", "torn", "encoding"],
)
def test_a_document_of_another_kind_is_refused_and_never_shown(finance, environment, document):
    environment.when(r"\$metadata", 200, document)
    with pytest.raises(TryAgainError) as caught:
        finance.describe(Warehouse)
    assert caught.value.code == "answer-malformed"
    assert "aaaa" not in str(caught.value)


@given(st.binary(max_size=100) | st.integers(0, len(DOCUMENT)).map(lambda end: DOCUMENT[:end] + b"<"))
def test_nothing_but_a_refusal_comes_of_noise(document):
    with pytest.raises(ValueError):
        schemas_of(document, ENTITIES.values())
