"""What the organisation says about its tables, asked as the vendor documents it."""

import pytest

CRM = "Microsoft.Dynamics.CRM."
ACCOUNT = "EntityDefinitions(LogicalName='account')"
CONTACT_ID = "608861bc-50a4-4c5f-a02c-21fe1943e2cf"


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("LogicalName eq 'account'", {"account"}),
        ("SchemaName eq 'Account'", {"account"}),
        ("LogicalName eq 'account' or LogicalName eq 'contact'", {"account", "contact"}),
        ("IsPrivate eq false and startswith(LogicalName,'sales')", {"salesorder", "salesorderdetail"}),
        ("IsCustomizable/Value eq true and LogicalName eq 'uom'", {"uom"}),
        ("ObjectTypeCode eq 2", {"contact"}),
        ("LogicalName eq 'nonsense'", set()),
        ("ChangeTrackingEnabled eq false", {"orderclose"}),
    ],
)
def test_tables_are_found_by_filter(crm, filter_, expected):
    body = crm.read(f"EntityDefinitions?$select=LogicalName&$filter={filter_}")
    assert {t["LogicalName"] for t in body["value"]} == expected
    assert all(set(t) == {"MetadataId", "LogicalName"} for t in body["value"])


@pytest.mark.parametrize("key", ["LogicalName='contact'", CONTACT_ID, f"MetadataId={CONTACT_ID}"])
def test_a_table_is_addressed_by_name_or_id(crm, key):
    table = crm.read(f"EntityDefinitions({key})?$select=EntitySetName,PrimaryIdAttribute,DisplayName")
    assert (table["EntitySetName"], table["PrimaryIdAttribute"]) == ("contacts", "contactid")
    assert table["DisplayName"]["UserLocalizedLabel"]["Label"] == "Contact"
    assert table["MetadataId"] == CONTACT_ID


def test_columns_come_with_their_type_and_what_belongs_to_it(crm):
    columns = {c["LogicalName"]: c for c in crm.read(f"{ACCOUNT}/Attributes")["value"]}
    name, money, owner = columns["name"], columns["creditlimit"], columns["ownerid"]
    assert (name["@odata.type"], name["AttributeTypeName"]) == (
        f"#{CRM}StringAttributeMetadata",
        {"Value": "StringType"},
    )
    assert name["MaxLength"] == 160
    assert (money["AttributeType"], money["Precision"]) == ("Money", 2)
    assert (owner["@odata.type"], owner["AttributeType"]) == (f"#{CRM}LookupAttributeMetadata", "Owner")
    assert "systemuser" in owner["Targets"]
    assert columns["name"]["RequiredLevel"]["Value"] in ("None", "ApplicationRequired")


def test_columns_are_filtered_selected_and_addressed(crm):
    query = "$select=LogicalName,AttributeType&$filter=AttributeType eq Microsoft.Dynamics.CRM.AttributeTypeCode'Money'"
    found = crm.read(f"{ACCOUNT}/Attributes?{query}")["value"]
    assert "creditlimit" in {c["LogicalName"] for c in found}
    assert {c["AttributeType"] for c in found} == {"Money"}
    one = crm.read(f"{ACCOUNT}/Attributes(LogicalName='name')?$select=LogicalName")
    assert crm.read(f"{ACCOUNT}/Attributes({one['MetadataId']})")["LogicalName"] == "name"
    assert crm.read(f"{ACCOUNT}/Attributes(LogicalName='name')/SchemaName")["value"] == "Name"


@pytest.mark.parametrize(
    ("kind", "column", "label"),
    [
        ("Picklist", "address1_freighttermscode", "FOB"),
        ("State", "statecode", "Active"),
        ("Status", "statuscode", "Active"),
    ],
)
def test_a_cast_brings_the_options_of_choices(crm, kind, column, label):
    path = f"{ACCOUNT}/Attributes/{CRM}{kind}AttributeMetadata?$select=LogicalName&$expand=OptionSet($select=Options)"
    found = {c["LogicalName"]: c for c in crm.read(path)["value"]}
    option = found[column]["OptionSet"]["Options"][0]
    assert option["Label"]["UserLocalizedLabel"]["Label"] == label
    assert set(found[column]) == {"MetadataId", "LogicalName", "OptionSet"}
    single = crm.read(f"{ACCOUNT}/Attributes(LogicalName='{column}')/{CRM}{kind}AttributeMetadata/OptionSet")
    assert single["Options"][0] == option


def test_what_belongs_to_a_type_is_selected_only_after_a_cast(crm):
    refused = crm.call("GET", f"{ACCOUNT}/Attributes?$select=LogicalName,MaxLength")
    expected = f"Could not find a property named 'MaxLength' on type '{CRM}AttributeMetadata'."
    assert (refused.status_code, refused.json()["error"]["message"]) == (400, expected)
    one = f"{ACCOUNT}/Attributes(LogicalName='name')"
    assert crm.call("GET", f"{one}?$select=MaxLength").status_code == 400
    assert crm.read(f"{one}/{CRM}StringAttributeMetadata?$select=MaxLength")["MaxLength"] == 160
    cast = f"{ACCOUNT}/Attributes/{CRM}StringAttributeMetadata?$select=LogicalName,MaxLength"
    assert {"name", "telephone1"} <= {c["LogicalName"] for c in crm.read(cast)["value"]}
    wrong = f"{ACCOUNT}/Attributes(LogicalName='name')/{CRM}MoneyAttributeMetadata"
    assert crm.call("GET", wrong).status_code == 404


def test_expanding_a_table_brings_columns_keys_and_relationships(crm):
    names = "Attributes,Keys($select=SchemaName,KeyAttributes),ManyToOneRelationships,OneToManyRelationships,ManyToManyRelationships"
    table = crm.read(f"{ACCOUNT}?$select=LogicalName&$expand={names}")
    assert "name" in {c["LogicalName"] for c in table["Attributes"]}
    assert {"SchemaName": "tl_account_customerkey", "KeyAttributes": ["tl_customerkey"]}.items() <= table[
        "Keys"
    ][0].items()
    assert "EntityKeyIndexStatus" not in table["Keys"][0]
    assert "account_primary_contact" in {r["SchemaName"] for r in table["ManyToOneRelationships"]}
    assert table["ManyToManyRelationships"] == []
    expected = {
        "SchemaName": "contact_customer_accounts",
        "ReferencingEntity": "contact",
        "ReferencingAttribute": "parentcustomerid",
        "ReferencingEntityNavigationPropertyName": "parentcustomerid_account",
        "ReferencedEntityNavigationPropertyName": "contact_customer_accounts",
    }
    assert any(expected.items() <= r.items() for r in table["OneToManyRelationships"])


def test_keys_tell_whether_they_can_be_used(crm):
    (key,) = crm.read(f"{ACCOUNT}/Keys?$select=SchemaName,EntityKeyIndexStatus")["value"]
    assert (key["SchemaName"], key["EntityKeyIndexStatus"]) == ("tl_account_customerkey", "Active")


def test_relationships_and_global_choices_are_sets_of_their_own(crm):
    query = "RelationshipDefinitions?$filter=SchemaName eq 'contact_customer_accounts'"
    (found,) = crm.read(query)["value"]
    assert found["@odata.type"] == f"#{CRM}OneToManyRelationshipMetadata"
    cast = f"RelationshipDefinitions(SchemaName='order_details')/{CRM}OneToManyRelationshipMetadata"
    assert crm.read(f"{cast}?$select=ReferencingEntity")["ReferencingEntity"] == "salesorderdetail"
    assert crm.read("GlobalOptionSetDefinitions")["value"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("EntityDefinitions?$top=1", 400),
        ("EntityDefinitions?$orderby=LogicalName", 400),
        ("EntityDefinitions?$filter=Nothing eq 'x'", 400),
        ("EntityDefinitions?$select=Nothing", 400),
        (f"{ACCOUNT}?$expand=Nothing", 400),
        ("EntityDefinitions(LogicalName='nonsense')", 404),
        ("EntityDefinitions(nonsense)", 400),
        (f"{ACCOUNT}/Nothing", 404),
        (f"{ACCOUNT}/Attributes(LogicalName='nam')", 404),
        ("GlobalOptionSetDefinitions(Name='nothing')", 404),
    ],
)
def test_what_metadata_does_not_know_is_refused(crm, path, status):
    assert crm.call("GET", path).status_code == status
