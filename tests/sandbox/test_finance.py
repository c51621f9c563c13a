"""Finance's OData as a stranger's client meets it: addresses, queries, pages, types, ETags, batches, companies."""

import base64
import json
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagline.sandbox.finance_filter import parse_filter
from tagline.sandbox.finance_query import address_of
from tagline.sandbox.finance_schema import Schema, entities
from tagline.sandbox.values import Request

CUSTOMER = "CustomersV3(dataAreaId='usmf',CustomerAccount='C100001')"
NEW = {"CustomerGroupId": "30", "SalesCurrencyCode": "USD", "OrganizationName": 'Zoë\'s "Tea" & Co'}


def inner(answer):
    return answer.json()["error"]["innererror"]["message"]


def names(finance, path):
    return [row["CustomerAccount"] for row in finance.read(path)["value"]]


def test_without_a_token_for_it_nothing_is_answered(finance, crm):
    answer = finance.client.get(f"{finance.base}CustomersV3")
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert finance.client.get(f"{finance.base}CustomersV3", headers=crm.headers).status_code == 401


def test_an_application_that_is_no_user_of_it_is_turned_away(finance, sandbox):
    assert finance.call("GET", "Currencies").status_code == 200
    sandbox.finance["dev"].applications.clear()
    assert finance.call("GET", "Currencies").status_code == 401


def test_a_created_row_comes_back_whole_with_its_number_its_address_and_an_etag(finance):
    answer = finance.call("POST", "CustomersV3", NEW)
    row = answer.json()
    assert answer.status_code == 201
    assert row["CustomerAccount"] == "C100031"
    assert answer.headers["Location"].endswith("CustomersV3(dataAreaId='usmf',CustomerAccount='C100031')")
    assert set(entities()["CustomersV3"].fields) < set(row)
    assert finance.read(answer.headers["Location"])["OrganizationName"] == NEW["OrganizationName"]
    version, record = base64.b64decode(row["@odata.etag"][3:-1]).decode().strip("'").split(",")
    assert (version, record.isdigit()) == ("1", True)
    assert (row["AddressBooks"], row["CreditLimit"], row["OnHoldStatus"]) == ("", 0, "No")
    assert row["CredManBusinessStarted"] == "1900-01-01T12:00:00Z"


def test_a_change_needs_the_etag_it_was_read_with_only_where_one_is_sent(finance):
    before = finance.read(CUSTOMER)["@odata.etag"]
    change = {"OrganizationName": "Once"}
    assert finance.call("PATCH", CUSTOMER, change, If_Match=before).status_code == 204
    assert finance.call("PATCH", CUSTOMER, {"OrganizationName": "Twice"}, If_Match=before).status_code == 412
    assert finance.call("DELETE", CUSTOMER, If_Match=before).status_code == 412
    assert finance.read(CUSTOMER)["OrganizationName"] == "Once"
    assert finance.call("PATCH", CUSTOMER, {"OrganizationName": "Thrice"}, If_Match="*").status_code == 204
    assert finance.call("PATCH", CUSTOMER, {"OrganizationName": "Again"}).status_code == 204


def test_a_patch_adds_no_row(finance):
    missing = "CustomersV3(dataAreaId='usmf',CustomerAccount='nobody')"
    assert finance.call("PATCH", missing, NEW).status_code == 404
    assert finance.call("GET", missing).status_code == 404
    assert finance.call("DELETE", missing).status_code == 404


def test_a_deleted_row_is_gone(finance):
    assert finance.call("DELETE", CUSTOMER).status_code == 204
    assert finance.call("GET", CUSTOMER).status_code == 404


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("CustomersV3(CustomerAccount='C100001')", "its fields are dataAreaId, CustomerAccount"),
        ("CustomersV3('C100001')", "property name expected"),
        ("CustomersV3(dataAreaId='usmf',CustomerAccount=7)", "wrong type"),
        ("CustomersV3?$filter=Nobody eq 'x'", "Could not find a property named 'Nobody'"),
        ("CustomersV3?$select=Nobody", "Could not find a property named 'Nobody'"),
        ("CustomersV3?$orderby=CustomerAccount up", "Syntax error at 'up'"),
        ("CustomersV3?$filter=contains(OrganizationName,'x')", "'contains' is not supported"),
        ("CustomersV3?$filter=CustomerAccount in ('a','b')", "'in' is not supported"),
        ("CustomersV3?$filter=OnHoldStatus eq 'No'", "incompatible types"),
        (
            "CustomersV3?$filter=OnHoldStatus gt Microsoft.Dynamics.DataEntities.CustVendorBlocked'No'",
            "not defined for the enumeration",
        ),
        (
            "CustomersV3?$filter=OnHoldStatus eq Microsoft.Dynamics.DataEntities.CustVendorBlocked'Maybe'",
            "not a valid enumeration",
        ),
        ("CustomersV3?$filter=CreditLimit eq 'much'", "incompatible types"),
        ("CustomersV3?$filter=CredManBusinessStarted gt 2026-01-01", "incompatible types"),
        ("CustomersV3?$apply=aggregate($count as n)", "'$apply' is not supported"),
        ("CustomersV3?$top=many", "Invalid value 'many' for $top"),
        ("SalesOrderHeadersV2?$expand=SalesOrderLines($expand=SalesOrderHeader)", "Only the first level"),
        ("SalesOrderHeadersV2?$expand=Nothing", "Could not find a property named 'Nothing'"),
    ],
)
def test_what_finance_does_not_understand_is_refused_in_its_own_way(finance, path, said):
    answer = finance.call("GET", path)
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["message"]) == (
        "",
        "An error has occurred.",
    )
    assert said in inner(answer)


def test_names_of_entities_are_told_apart_by_case(finance):
    assert finance.call("GET", "customersv3").status_code == 404
    assert finance.call("GET", "CustomersV3/OrganizationName").status_code == 404


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("OrganizationName eq '*whitfield*'", lambda r: "whitfield" in r["OrganizationName"].lower()),
        ("OrganizationName ne '*whitfield*'", lambda r: "whitfield" not in r["OrganizationName"].lower()),
        ("CustomerAccount eq 'c100002'", lambda r: r["CustomerAccount"] == "C100002"),
        ("not (CustomerGroupId eq '20')", lambda r: r["CustomerGroupId"] != "20"),
        (
            "CustomerGroupId eq '20' and (CustomerAccount lt 'C100005' or CustomerAccount ge 'C100029')",
            lambda r: (
                r["CustomerGroupId"] == "20"
                and (r["CustomerAccount"] < "C100005" or r["CustomerAccount"] >= "C100029")
            ),
        ),
        (
            "OnHoldStatus eq Microsoft.Dynamics.DataEntities.CustVendorBlocked'No' and CreditLimit le 0.5",
            lambda r: True,
        ),
        ("CredManBusinessStarted gt 1900-01-01T12:00:00Z", lambda r: False),
    ],
)
def test_a_condition_keeps_the_rows_it_says(finance, condition, holds):
    everything = finance.read("CustomersV3")["value"]
    kept = finance.read(f"CustomersV3?$filter={condition}")["value"]
    assert kept == [row for row in everything if holds(row)]


def test_the_own_company_alone_is_seen_until_all_are_asked_for(finance):
    own = finance.read("CustomersV3?$select=dataAreaId")["value"]
    every = finance.read("CustomersV3?$select=dataAreaId&cross-company=true")["value"]
    other = finance.read("CustomersV3?cross-company=true&$filter=dataAreaId eq 'camf'&$count=true")
    assert {row["dataAreaId"] for row in own} == {"usmf"}
    assert {row["dataAreaId"] for row in every} == {"usmf", "camf"}
    assert (
        len(every)
        == len(own) + other["@odata.count"]
        == int(finance.call("GET", "CustomersV3/$count?cross-company=true").text)
    )


def test_another_companys_row_is_reached_across_companies_alone(finance):
    row = "CustomersV3(dataAreaId='camf',CustomerAccount='C100001')"
    assert finance.call("GET", row).status_code == 404
    assert finance.call("PATCH", row, {"KnownAs": "x"}).status_code == 404
    assert finance.call("PATCH", f"{row}?cross-company=true", {"KnownAs": "x"}).status_code == 204
    assert finance.read(f"{row}?cross-company=true")["KnownAs"] == "x"
    assert finance.call("DELETE", f"{row}?cross-company=true").status_code == 204


def test_what_belongs_to_no_company_is_seen_by_all(finance):
    assert [row["CurrencyCode"] for row in finance.read("Currencies?$orderby=Name desc")["value"]] == [
        "USD",
        "CAD",
    ]
    assert finance.read("MainAccounts(ChartOfAccounts='Shared',MainAccountId='130100')")["Name"]
    assert finance.read("LegalEntities('usmf')")["Name"] == "Tea Traders USA"


@pytest.mark.parametrize("query", ["", "&$top=7", "&$skip=3&$top=9", "&$orderby=OrganizationName desc"])
def test_pages_joined_are_the_whole_list(finance, query):
    whole = names(finance, f"CustomersV3?$select=CustomerAccount{query}")
    found, url = [], f"CustomersV3?$select=CustomerAccount{query}"
    while url:
        page = finance.read(url, Prefer="odata.maxpagesize=4")
        assert len(page["value"]) <= 4
        found += [row["CustomerAccount"] for row in page["value"]]
        url = page.get("@odata.nextLink")
    assert found == whole
    assert len(set(found)) == len(found) > 4


def test_a_part_of_a_list_is_that_part(finance):
    whole = names(finance, "CustomersV3?$select=CustomerAccount&$orderby=OrganizationName desc")
    part = "CustomersV3?$select=CustomerAccount&$orderby=OrganizationName desc&$skip=3&$top=9&$count=true"
    assert names(finance, part) == whole[3:12]
    assert finance.read(part)["@odata.count"] == len(whole)


def test_metadata_can_be_left_out(finance):
    body = finance.read(f"{CUSTOMER}?$select=OrganizationName", Accept="application/json;odata.metadata=none")
    assert set(body) == {"OrganizationName"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("CreditLimit", "12"),
        ("CreditLimit", True),
        ("OrganizationName", 7),
        ("OnHoldStatus", "Perhaps"),
        ("OnHoldStatus", 0),
        ("CredManBusinessStarted", "2026-07-01"),
        ("CredManBusinessStarted", "2026-02-30T00:00:00Z"),
        ("PersonBirthDay_", "x"),
        ("CreditLimit", 10**15),
    ],
)
def test_a_value_that_does_not_fit_its_field_is_refused(finance, field, value):
    assert finance.call("PATCH", CUSTOMER, {field: value}).status_code == 400


@pytest.mark.parametrize(
    "number", ["NaN", "1e999999999", "-1e400000", "1e-400000", "0e999999", "1e99999999999999999999"]
)
def test_a_number_beyond_reason_is_refused_wherever_it_stands(finance, number):
    body = f'{{"CreditLimit": {number}}}'.encode()
    answer = finance.client.patch(f"{finance.base}{CUSTOMER}", content=body, headers=finance.headers)
    assert answer.status_code == 400
    listed = finance.call("GET", f"CustomersV3?$filter=CreditLimit gt {number}&$top=1")
    assert listed.status_code in (200, 400)


def test_a_date_keeps_its_day_and_loses_its_time(finance):
    finance.call("PATCH", CUSTOMER, {"CredManBusinessStarted": "2020-05-04T23:59:59+02:00"})
    assert finance.read(CUSTOMER)["CredManBusinessStarted"] == "2020-05-04T12:00:00Z"
    finance.call("PATCH", CUSTOMER, {"CredManBusinessStarted": None})
    assert finance.read(CUSTOMER)["CredManBusinessStarted"] == "1900-01-01T12:00:00Z"


def batch(*parts):
    """A multipart body with one change set."""
    lines = ["--b", "Content-Type: multipart/mixed; boundary=c", ""]
    for number, (method, path, body) in enumerate(parts, 1):
        lines += [
            "--c",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            f"Content-ID: {number}",
            "",
            f"{method} {path} HTTP/1.1",
            "Content-Type: application/json",
            "",
            json.dumps(body),
        ]
    return "\r\n".join((*lines, "--c--", "--b--", "")).encode()


def send_batch(finance, *parts):
    headers = {**finance.headers, "Content-Type": "multipart/mixed; boundary=b"}
    return finance.client.post(f"{finance.base}$batch", content=batch(*parts), headers=headers)


def test_a_change_set_happens_as_a_whole(finance):
    done = send_batch(finance, ("POST", "CustomersV3", NEW), ("POST", "/data/CustomersV3", NEW))
    assert done.status_code == 200
    assert done.text.count("HTTP/1.1 201 Created") == 2
    before = int(finance.call("GET", "CustomersV3/$count").text)
    failed = send_batch(finance, ("POST", "CustomersV3", NEW), ("POST", "CustomersV3", {}))
    assert failed.text.count("HTTP/1.1") == 1
    assert "must be filled in" in failed.text
    assert before == int(finance.call("GET", "CustomersV3/$count").text)


def test_an_environment_short_of_resources_turns_calls_away_until_it_has_some(finance, sandbox, clock):
    sandbox.finance["dev"].strain(30)
    clock.advance(10)
    answer = finance.call("GET", CUSTOMER)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "20")
    assert "high resource utilization" in answer.json()["error"]["message"]
    clock.advance(20)
    assert finance.call("GET", CUSTOMER).status_code == 200


def test_the_metadata_document_names_every_entity_with_its_keys(finance):
    root = ET.fromstring(finance.call("GET", "$metadata").text)
    space = "{http://docs.oasis-open.org/odata/ns/edm}"
    sets = {s.get("Name"): s.get("EntityType") for s in root.iter(f"{space}EntitySet")}
    types = {t.get("Name"): t for t in root.iter(f"{space}EntityType")}
    assert set(sets) == set(entities())
    for name, entity in entities().items():
        assert sets[name] == f"Microsoft.Dynamics.DataEntities.{entity.type}"
        assert tuple(k.get("Name") for k in types[entity.type].iter(f"{space}PropertyRef")) == entity.key
    enumerations = {e.get("Name") for e in root.iter(f"{space}EnumType")}
    assert {kind for e in entities().values() for kind in e.fields.values()} <= enumerations | {
        "String", "Decimal", "DateTimeOffset", "Int32", "Int64", "Guid",
    }  # fmt: skip


def test_the_service_document_and_the_catalogue_name_the_same_sets(finance):
    sets = [s["name"] for s in finance.read("")["value"]]
    catalogue = finance.read(finance.base.removesuffix("data/") + "Metadata/DataEntities")["value"]
    assert sets == [e["PublicCollectionName"] for e in catalogue] == list(entities())
    assert finance.call("GET", finance.base.removesuffix("data/") + "Metadata/Nothing").status_code == 404


def test_an_entry_of_the_catalogue_is_found_by_its_name(finance):
    root = finance.base.removesuffix("/data/")
    assert finance.read(f"{root}/metadata/PublicEntities('CustomerV3')")["EntitySetName"] == "CustomersV3"
    members = finance.read(f"{root}/Metadata/PublicEnumerations('NoYes')")["Members"]
    assert [member["Name"] for member in members] == ["No", "Yes"]
    for path in ("PublicEntities('Nobody')", "Nothing", "PublicEntities('CustomerV3')/Properties"):
        assert finance.call("GET", f"{root}/Metadata/{path}").status_code == 404
    assert finance.call("GET", f"{root}/Metadata/PublicEntities?$filter=Name eq 'x'").status_code == 400
    assert finance.call("POST", f"{root}/Metadata/CustomersV3", NEW).status_code == 404


def test_the_root_is_found_in_any_case_and_entities_are_not(finance):
    root = finance.base.removesuffix("/data/")
    assert finance.call("GET", f"{root}/Data/{CUSTOMER}").status_code == 200
    assert finance.call("GET", f"{root}/data/customersv3").status_code == 404


def test_below_a_row_stand_its_fields_and_the_rows_it_leads_to(finance):
    number = finance.call("POST", "SalesOrderHeadersV2", {"OrderingCustomerAccountNumber": "C100001"}).json()[
        "SalesOrderNumber"
    ]
    for item in ("TEA-001", "TEA-002"):
        finance.call("POST", "SalesOrderLines", {"SalesOrderNumber": number, "ItemNumber": item})
    order = f"SalesOrderHeadersV2(dataAreaId='usmf',SalesOrderNumber='{number}')"
    assert finance.read(f"{order}/CurrencyCode")["value"] == "USD"
    assert finance.call("GET", f"{order}/CurrencyCode/$value").text == "USD"
    amount = finance.read(order)["OrderTotalAmount"]
    assert Decimal(finance.call("GET", f"{order}/OrderTotalAmount/$value").text) == amount
    [line] = finance.read(f"{order}/SalesOrderLines?$filter=ItemNumber eq 'TEA-002'&$select=ItemNumber")[
        "value"
    ]
    assert line["ItemNumber"] == "TEA-002"
    assert finance.call("GET", f"{order}/SalesOrderLines/$count").text == "2"
    for path in ("Nothing", "CurrencyCode/$count", "SalesOrderLines/$value", "CurrencyCode/x"):
        assert finance.call("GET", f"{order}/{path}").status_code == 404
    assert finance.call("DELETE", f"{order}/CurrencyCode").status_code == 404
    gone = order.replace(number, "gone")
    assert finance.call("GET", f"{gone}/CurrencyCode").status_code == 404


def test_the_context_names_what_was_selected_of_expanded_rows(finance):
    path = "SalesOrderHeadersV2?$select=SalesOrderNumber&$expand=SalesOrderLines($select=ItemNumber)"
    context = finance.read(path)["@odata.context"]
    assert context.endswith("#SalesOrderHeadersV2(SalesOrderNumber,SalesOrderLines(ItemNumber))")


def test_people_extend_and_change_what_an_environment_has(finance, sandbox, clock):
    schema = sandbox.finance["dev"].rows.schema
    asked = "CustomersV3?$select=CustomerAccount,ModifiedDateTime&$filter=ModifiedDateTime ge 2026-"
    assert finance.call("GET", f"{asked}01-01T00:00:00Z").status_code == 400
    schema.change("CustomersV3", "ModifiedDateTime", is_there=True)
    schema.change("CustomersV3", "NameAlias", is_there=False)
    schema.change("CustVendorBlocked", "Acme", is_there=True)
    clock.sleep(600)
    finance.call("PATCH", CUSTOMER, {"OnHoldStatus": "Acme"})
    now = clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = finance.read(f"CustomersV3?$filter=ModifiedDateTime ge {now}")["value"]
    assert [(r["CustomerAccount"], r["ModifiedDateTime"], r["OnHoldStatus"]) for r in rows] == [
        ("C100001", now, "Acme")
    ]
    assert "NameAlias" not in rows[0]
    assert finance.call("PATCH", CUSTOMER, {"NameAlias": "x"}).status_code == 400
    document = finance.call("GET", "$metadata").text
    assert '<Member Name="Acme"' in document
    assert 'Name="ModifiedDateTime" Type="Edm.DateTimeOffset"' in document


@pytest.mark.parametrize(
    ("place", "name", "is_there"),
    [
        ("Nothing", "x", True),
        ("CustomersV3", "CustomerAccount", False),
        ("CustomersV3", "NameAlias", True),
        ("CustomersV3", "Nothing", False),
        ("NoYes", "Yes", True),
        ("NoYes", "Perhaps", False),
    ],
)
def test_a_change_that_is_none_is_refused(place, name, is_there):
    with pytest.raises(LookupError):
        Schema().change(place, name, is_there=is_there)


def test_what_the_roles_do_not_grant_is_denied_with_all_its_names(finance, sandbox):
    sandbox.finance["dev"].withheld.add("SalesOrderLines")
    assert finance.call("GET", "SalesOrderLinesV2?$top=1").status_code == 403
    assert finance.call("GET", "SalesOrderHeadersV2?$top=1").status_code == 200


def test_half_a_character_is_told_back_as_a_question_mark(finance):
    body = b'{"CustomerGroupId": "30", "SalesCurrencyCode": "USD", "CustomerAccount": "x\\ud800"}'
    answer = finance.client.post(f"{finance.base}CustomersV3", content=body, headers=finance.headers)
    assert (answer.status_code, answer.json()["CustomerAccount"]) == (201, "x?")


@settings(max_examples=40)
@given(st.text(max_size=60))
def test_whatever_is_typed_as_a_condition_is_read_or_refused(text):
    from tagline.sandbox.dataverse_errors import Refusal
    from tagline.sandbox.finance_errors import FinanceRefusal

    try:
        parse_filter(entities()["CustomersV3"], text)
    except (FinanceRefusal, Refusal):
        return


@given(st.text(min_size=1, max_size=20).filter(lambda t: t == t.rstrip(" ")), st.integers(1, 10**9))
def test_every_row_is_reached_by_the_address_it_is_told_under(text, number):
    """Quotes, slashes, percent signs and other scripts in a key break no address."""
    from urllib.parse import unquote

    from tagline.sandbox.finance import _parse_key

    entity = entities()["PurchaseOrderLinesV2"]
    row = {"dataAreaId": "usmf", "PurchaseOrderNumber": text, "LineNumber": number}
    address = address_of("https://x/data/", entity, row)
    assert _parse_key(entity, unquote(address.removeprefix("https://x/data/PurchaseOrderLinesV2"))) == row


def test_amounts_travel_as_numbers_with_their_digits(finance):
    finance.call("PATCH", CUSTOMER, {"CreditLimit": 1234.5})
    assert finance.read(CUSTOMER)["CreditLimit"] == Decimal("1234.5")


PIECES = st.sampled_from(
    [
        "CustomersV3", "SalesOrderLinesV2", "WarehousesOnHandV2", "(", ")", "dataAreaId='usmf'", "CustomerAccount='C100001'",
        "LineNumber=1", "=", ",", "'", "/", "$count", "$metadata", "?", "&", "$filter=", "$select=*", "$orderby=", "$top=",
        "$skip=-1", "$skiptoken=5", "$expand=", "SalesOrderLines", "CreditLimit", " eq ", " and ", "not ", "null", "1e9", "1",
        "2026-01-01T00:00:00Z", "cross-company=true", "%", "%27", "\u00e9", "Microsoft.Dynamics.DataEntities.NoYes'Yes'",
    ]
)  # fmt: skip
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
FIELDS = st.sampled_from(
    [
        *list(entities()["CustomersV3"].fields)[:40],
        "ItemNumber",
        "SalesOrderNumber",
        "LineAmount",
        "@odata.type",
    ]
)
BODIES = st.binary(max_size=20) | st.dictionaries(FIELDS, JSON_VALUES, max_size=4).map(
    lambda b: json.dumps(b).encode()
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD"]),
    st.lists(PIECES, max_size=8).map("".join),
    BODIES,
)
def test_whatever_a_stranger_sends_is_answered(finance, sandbox, method, path, body):
    """No request ends in an error of the sandbox's own, and what is refused changes nothing."""
    site = sandbox.finance["dev"]
    before = dict(site.rows.counts())
    headers = {"authorization": finance.headers["Authorization"]}
    answer = site.handle(Request(method, f"{finance.base}{path}", headers, body))
    assert answer.status in (200, 201, 204, 400, 404, 405)
    if answer.status >= 400:
        assert json.loads(answer.body)["error"]["message"]
        assert before == site.rows.counts()
