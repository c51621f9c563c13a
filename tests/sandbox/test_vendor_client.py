"""What Microsoft's own Python client and other public clients send, request by request, that tagline's connector does not."""

import json
from urllib.parse import quote

import pytest

CRM = "Microsoft.Dynamics.CRM."
ACCOUNT = "EntityDefinitions(LogicalName='account')"
ACCOUNT_ID = "70816501-edb9-4740-a16c-6a5efbc05d84"


def label(text):
    return {
        "@odata.type": f"{CRM}Label",
        "LocalizedLabels": [{"@odata.type": f"{CRM}LocalizedLabel", "Label": text, "LanguageCode": 1033}],
    }


def column(kind, name, **facts):
    return {
        "@odata.type": f"{CRM}{kind}AttributeMetadata",
        "SchemaName": name,
        "DisplayName": label(name),
        "RequiredLevel": {"Value": "None"},
        **facts,
    }


def choice(kind, *options):
    options_of = {"@odata.type": f"{CRM}OptionSetMetadata", "IsGlobal": False, "Options": list(options)}
    return column(kind, "new_Choice", OptionSet=options_of)


def option(text, value=None):
    return {"Label": label(text)} if value is None else {"Value": value, "Label": label(text)}


def refusal(answer):
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("address", [ACCOUNT, f"EntityDefinitions({ACCOUNT_ID})"], ids=["by name", "by id"])
def test_what_is_made_is_named_below_the_address_of_the_request(crm, address):
    """Clients take the first GUID of it for the id of the new column or key where they addressed the table by name."""
    made = crm.call("POST", f"{address}/Attributes", column("String", "new_Code", MaxLength=50))
    column_id = crm.read(f"{ACCOUNT}/Attributes(LogicalName='new_code')")["MetadataId"]
    assert made.headers["OData-EntityId"] == f"{crm.base}{address}/Attributes({column_id})"
    key = crm.call("POST", f"{address}/Keys", {"SchemaName": "new_Key", "KeyAttributes": ["new_code"]})
    key_id = next(k for k in crm.read(f"{ACCOUNT}/Keys")["value"] if k["SchemaName"] == "new_Key")[
        "MetadataId"
    ]
    assert key.headers["OData-EntityId"] == f"{crm.base}{address}/Keys({key_id})"


def test_a_column_of_choices_takes_its_options_and_shows_their_labels(crm):
    made = choice("Picklist", option("Low", 1), option("High", 2))
    assert crm.call("POST", f"{ACCOUNT}/Attributes", made).status_code == 204
    path = f"{ACCOUNT}/Attributes/{CRM}PicklistAttributeMetadata?$select=LogicalName&$filter=LogicalName eq 'new_choice'&$expand=OptionSet($select=Options)"
    told = crm.read(path)["value"][0]["OptionSet"]["Options"]
    assert [(o["Value"], o["Label"]["UserLocalizedLabel"]["Label"]) for o in told] == [
        (1, "Low"),
        (2, "High"),
    ]
    row = {"name": "A", "tl_customerkey": "k", "new_choice": 2}
    assert crm.call("POST", "accounts", row).status_code == 204
    shown = crm.read(
        "accounts(tl_customerkey='k')?$select=new_choice", Prefer='odata.include-annotations="*"'
    )
    assert shown["new_choice@OData.Community.Display.V1.FormattedValue"] == "High"
    assert refusal(crm.call("POST", "accounts", {**row, "new_choice": 3})) == (400, "0x8004431A")


def test_a_column_of_money_comes_and_goes_with_its_twin_in_base_currency(crm):
    crm.call("POST", f"{ACCOUNT}/Attributes", column("Money", "new_Sum", Precision=2))
    found = crm.read("transactioncurrencies?$filter=isocurrencycode eq 'CAD'")["value"][0]
    currency = f"/transactioncurrencies({found['transactioncurrencyid']})"
    crm.call(
        "POST",
        "accounts",
        {"name": "A", "tl_customerkey": "k", "new_sum": 137, "transactioncurrencyid@odata.bind": currency},
    )
    assert crm.read("accounts(tl_customerkey='k')")["new_sum_base"] == 100
    assert crm.call("POST", "accounts", {"name": "B", "new_sum_base": 1}).status_code == 400
    assert crm.call("DELETE", f"{ACCOUNT}/Attributes(LogicalName='new_sum')").status_code == 204
    assert not {"new_sum", "new_sum_base"} & set(crm.read("accounts(tl_customerkey='k')"))


def test_options_without_a_value_get_one_of_the_publisher(crm):
    crm.call("POST", f"{ACCOUNT}/Attributes", choice("MultiSelectPicklist", option("a"), option("b")))
    path = f"{ACCOUNT}/Attributes(LogicalName='new_choice')/{CRM}MultiSelectPicklistAttributeMetadata?$expand=OptionSet"
    assert [o["Value"] for o in crm.read(path)["OptionSet"]["Options"]] == [100000000, 100000001]


@pytest.mark.parametrize(
    "definition",
    [
        choice("Picklist"),
        choice("Picklist", option("a", 1), option("b", 1)),
        choice("Picklist", option("a", "x")),
        choice("Picklist", "x"),
        column("Decimal", "new_n", Precision="x"),
        column("Decimal", "new_n", MinValue={}),
        column("Decimal", "new_n", MaxValue=10**20),
        column("String", "new_s", MaxLength=True),
        column("String", "new_s", RequiredLevel={"Value": [1]}),
        column("File", "new_f"),
        {"@odata.type": 5, "SchemaName": "new_x"},
    ],
    ids=lambda definition: "",
)
def test_a_definition_that_cannot_be_made_is_refused(crm, definition):
    assert refusal(crm.call("POST", f"{ACCOUNT}/Attributes", definition)) == (400, "0x80048403")


def test_a_column_is_changed_by_its_whole_definition(crm):
    """As documented: the definition is read through the cast to its type, and all of it is sent back."""
    crm.call("POST", f"{ACCOUNT}/Attributes", column("String", "new_Code", MaxLength=50))
    address = f"{ACCOUNT}/Attributes(LogicalName='new_code')"
    read = crm.call("GET", f"{address}/{CRM}StringAttributeMetadata").json()
    long = {"name": "A", "new_code": "x" * 60}
    assert crm.call("POST", "accounts", long).status_code == 400
    for target in (f"{address}/{CRM}StringAttributeMetadata", f"{ACCOUNT}/Attributes({read['MetadataId']})"):
        changed = crm.call("PUT", target, {**read, "MaxLength": 80}, **{"MSCRM.MergeLabels": "true"})
        assert changed.status_code == 204, changed.text
    assert crm.read(f"{address}/{CRM}StringAttributeMetadata")["MaxLength"] == 80
    assert crm.call("POST", "accounts", long).status_code == 204
    other = {**read, "@odata.type": f"#{CRM}MemoAttributeMetadata"}
    assert refusal(crm.call("PUT", address, other)) == (400, "0x80048403")


def test_choices_survive_a_definition_that_does_not_name_them(crm):
    crm.call("POST", f"{ACCOUNT}/Attributes", choice("Picklist", option("Low", 1)))
    address = f"{ACCOUNT}/Attributes(LogicalName='new_choice')"
    read = crm.call("GET", f"{address}/{CRM}PicklistAttributeMetadata").json()
    crm.call("PUT", address, {**read, "RequiredLevel": {"Value": "Recommended"}})
    assert crm.call("POST", "accounts", {"name": "A", "new_choice": 1}).status_code == 204
    assert crm.read(f"{address}?$select=RequiredLevel")["RequiredLevel"]["Value"] == "Recommended"


def test_a_lookup_is_made_with_its_relationship_and_goes_with_it(crm):
    body = {
        "@odata.type": f"{CRM}OneToManyRelationshipMetadata",
        "SchemaName": "new_account_helper",
        "ReferencedEntity": "contact",
        "ReferencingEntity": "account",
        "ReferencedAttribute": "contactid",
        "Lookup": {"@odata.type": f"{CRM}LookupAttributeMetadata", "SchemaName": "new_HelperId", "DisplayName": label("Helper")},
    }  # fmt: skip
    made = crm.call("POST", "RelationshipDefinitions", body)
    assert made.status_code == 204, made.text
    contact = crm.call("POST", "contacts", {"lastname": "H"}).headers["OData-EntityId"]
    row = {"name": "A", "tl_customerkey": "k", "new_HelperId@odata.bind": contact}
    assert crm.call("POST", "accounts", row).status_code == 204
    expanded = crm.read(
        "accounts(tl_customerkey='k')?$select=_new_helperid_value&$expand=new_HelperId($select=lastname)"
    )
    assert expanded["new_HelperId"]["lastname"] == "H"
    assert [one["name"] for one in crm.read(f"{contact}/new_account_helper?$select=name")["value"]] == ["A"]
    found = crm.read("RelationshipDefinitions?$filter=SchemaName eq 'new_account_helper'")["value"]
    assert made.headers["OData-EntityId"].endswith(f"RelationshipDefinitions({found[0]['MetadataId']})")
    assert refusal(crm.call("POST", "RelationshipDefinitions", body)) == (400, "0x80048403")
    assert crm.call("DELETE", made.headers["OData-EntityId"]).status_code == 204
    assert "_new_helperid_value" not in crm.read("accounts(tl_customerkey='k')")
    assert crm.call("DELETE", made.headers["OData-EntityId"]).status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("CreateEntities", {"Entities": []}),
        ("EntityDefinitions", {"SchemaName": "new_Thing"}),
        ("RelationshipDefinitions", {"@odata.type": f"{CRM}ManyToManyRelationshipMetadata"}),
    ],
)
def test_tables_and_relationships_of_many_to_many_are_refused_by_name(crm, path, body):
    answer = crm.call("POST", path, body)
    assert refusal(answer) == (400, "0x80048403")
    assert "cannot be made here" in answer.json()["error"]["message"]


def changes(crm, query):
    return crm.call("GET", f"RetrieveMetadataChanges(Query=@p1)?@p1={quote(json.dumps(query))}")


def where(name, value, operator="Equals"):
    return {
        "Conditions": [
            {
                "PropertyName": name,
                "ConditionOperator": operator,
                "Value": {"Type": "System.String", "Value": value},
            }
        ]
    }


def test_metadata_is_queried_with_the_properties_of_each_type(crm):
    """The vendor's client reads typed columns so, in one request."""
    query = {
        "Properties": {"PropertyNames": ["LogicalName", "Attributes"]},
        "Criteria": where("LogicalName", "account"),
        "AttributeQuery": {
            "Properties": {"PropertyNames": ["LogicalName", "MaxLength", "Precision"]},
            "Criteria": where("LogicalName", ["name", "creditlimit"], "In"),
        },
    }
    body = changes(crm, query).json()
    assert body["@odata.context"].endswith("RetrieveMetadataChangesResponse")
    (account,) = body["EntityMetadata"]
    assert set(account) == {"MetadataId", "HasChanged", "LogicalName", "Attributes"}
    told = {one["LogicalName"]: one for one in account["Attributes"]}
    assert told["name"]["@odata.type"] == f"#{CRM}StringAttributeMetadata"
    assert (told["name"]["MaxLength"], told["creditlimit"]["Precision"]) == (160, 2)
    assert set(told) == {"name", "creditlimit"}
    assert "MaxLength" not in told["creditlimit"]


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        (where("LogicalName", "nothing"), []),
        ({"FilterOperator": "Or", "Filters": [where("LogicalName", "account"), where("LogicalName", "uom")]}, ["account", "uom"]),
        ({"Filters": [where("LogicalName", "account"), where("LogicalName", "uom")]}, []),
        (where("ObjectTypeCode", "2"), ["contact"]),
    ],
    ids=["none", "or", "and", "number"],
)  # fmt: skip
def test_metadata_is_found_by_criteria(crm, criteria, expected):
    query = {"Properties": {"PropertyNames": ["LogicalName"]}, "Criteria": criteria}
    assert [one["LogicalName"] for one in changes(crm, query).json()["EntityMetadata"]] == expected


def test_a_query_of_metadata_that_cannot_be_read_is_refused(crm):
    deep = {}
    for _ in range(30):
        deep = {"Filters": [deep]}
    for query in ("x", [], {"Criteria": where("LogicalName", "a", "Near")}, {"Criteria": deep}):
        assert refusal(changes(crm, query)) == (400, "0x80060888")


def test_columns_are_filtered_inside_an_expand(crm):
    path = (
        f"{ACCOUNT}?$select=LogicalName&$expand=Attributes($select=LogicalName;$filter=LogicalName eq 'name')"
    )
    assert [one["LogicalName"] for one in crm.read(path)["Attributes"]] == ["name"]


def test_the_version_of_the_platform_is_told(crm):
    assert crm.read("RetrieveVersion")["Version"] == crm.read("RetrieveVersion()")["Version"]
    assert crm.read("RetrieveVersion()")["Version"].startswith("9.2.")
