import httpx
import pytest

from tagline.connectors.dataverse import Account, SalesOrder
from tagline.connectors.odata.batch import requests_of
from tagline.domain.schema import Basis, ColumnSchema, KeySchema, Schema
from tagline.errors import NotAuthorisedError, RecordError, TryAgainError

ROOT = "/api/data/v9.2"
NAME = {
    "LogicalName": "name",
    "AttributeType": "String",
    "IsValidForCreate": True,
    "IsValidForUpdate": False,
    "RequiredLevel": {"Value": "ApplicationRequired"},
    "MaxLength": 160,
}
LIMIT = {
    "LogicalName": "creditlimit",
    "AttributeType": "Money",
    "RequiredLevel": {"Value": "SystemRequired"},
    "Precision": 2,
}
OWNER = {"LogicalName": "ownerid", "AttributeType": "Owner", "Targets": ["systemuser", "team"]}
STATE = {"LogicalName": "statecode", "AttributeType": "State"}
TABLE = {
    "LogicalName": "account",
    "ChangeTrackingEnabled": True,
    "Attributes": [NAME, LIMIT, OWNER, STATE],
    "Keys": [
        {"SchemaName": "tl_a", "KeyAttributes": ["tl_customerkey"], "EntityKeyIndexStatus": "Active"},
        {"SchemaName": "tl_b", "KeyAttributes": ["name", "fax"], "EntityKeyIndexStatus": "Pending"},
    ],
}


def states(*labels):
    options = [{"Value": n, "Label": label} for n, label in enumerate(labels)]
    return {"value": [{"LogicalName": "statecode", "OptionSet": {"Options": options}}]}


@pytest.fixture
def described(make_dataverse, multipart):
    """What a client tells of accounts when the organisation answers so, and the inner requests."""

    def describe(table=TABLE, choices=None, status=200):
        seen = []

        def organisation(request):
            seen.extend(requests_of(request.headers["content-type"], request.content))
            casts = ({"value": []}, choices or {"value": []}, {"value": []})
            return multipart(*[(status, {}, body) for body in (table, *casts)])

        return make_dataverse(organisation).describe(Account), seen

    return describe


def test_a_table_is_described_in_one_request(described):
    label = {"UserLocalizedLabel": {"Label": "Active"}}
    other = {"UserLocalizedLabel": None, "LocalizedLabels": [{"Label": "Inaktiv"}]}
    found, seen = described(choices=states(label, other))
    assert found == Schema(
        "account",
        Basis.METADATA,
        {
            "name": ColumnSchema("String", create=True, update=False, required=False, max_length=160),
            "creditlimit": ColumnSchema("Money", required=True, precision=2),
            "ownerid": ColumnSchema("Owner", targets=("systemuser", "team")),
            "statecode": ColumnSchema("State", options={"0": "Active", "1": "Inaktiv"}),
        },
        (
            KeySchema("tl_a", ("tl_customerkey",), is_active=True),
            KeySchema("tl_b", ("name", "fax"), is_active=False),
        ),
        tracks_changes=True,
    )
    assert [part.url.split("?")[0].rsplit("'account')", 1)[1] for part in seen] == [
        "",
        "/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata",
        "/Attributes/Microsoft.Dynamics.CRM.StateAttributeMetadata",
        "/Attributes/Microsoft.Dynamics.CRM.StatusAttributeMetadata",
    ]


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"Attributes": 7, "Keys": {}, "ChangeTrackingEnabled": "yes"},
        {"Attributes": [7, {"LogicalName": 7}, {"AttributeType": "String"}], "Keys": [None]},
    ],
)
def test_what_is_not_told_is_unknown(described, table):
    found, _ = described(table=table)
    assert (found.columns, found.keys, found.tracks_changes) == ({}, (), None)


def test_a_column_of_odd_facts_keeps_what_is_plain(described):
    odd = {
        "LogicalName": "x",
        "MaxLength": True,
        "Precision": "2",
        "Targets": [7, "team"],
        "RequiredLevel": 1,
    }
    found, _ = described(table={"Attributes": [odd]})
    assert found.columns["x"] == ColumnSchema("", targets=("team",))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(400, "0x80060888", RecordError), (403, "0x80040220", NotAuthorisedError), (500, "x", TryAgainError)],
)
def test_a_table_that_cannot_be_described_ends_with_a_cause(described, status, code, kind):
    with pytest.raises(kind):
        described(table={"error": {"code": code, "message": ""}}, status=status)


@pytest.mark.parametrize("code", ["0x80040217", "0x80060888", "0x8006088a"])
def test_a_table_that_is_not_there_has_no_columns(make_dataverse, multipart, code):
    gone = (404, {}, {"error": {"code": code, "message": ""}})
    client = make_dataverse(lambda r: multipart(gone, gone, gone, gone))
    assert client.describe(SalesOrder) == Schema("salesorder", Basis.METADATA)


def test_an_answer_that_is_no_object_is_tried_again(make_dataverse):
    with pytest.raises(TryAgainError):
        make_dataverse(lambda r: httpx.Response(200, json=[])).probe()
