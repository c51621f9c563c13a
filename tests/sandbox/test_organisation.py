"""Rows of the organisation: create, read, update, upsert, delete, keys, entity tags, errors, as documented."""

import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagline.sandbox.dataverse_protection import Limits


def error(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_without_a_good_token_it_is_401(crm):
    answer = crm.call("GET", "WhoAmI", Authorization="Bearer nonsense")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_who_am_i_and_the_headers_of_every_answer(crm):
    answer = crm.call("GET", "WhoAmI")
    assert {"UserId", "BusinessUnitId", "OrganizationId"} <= set(answer.json())
    assert answer.headers["OData-Version"] == "4.0"
    assert answer.headers["x-ms-ratelimit-time-remaining-xrm-requests"] == "1,200.00"
    assert answer.headers.get_list("x-ms-service-request-id") == [answer.headers["REQ_ID"]] * 2


def test_create_answers_204_with_the_address_and_201_with_the_row(crm):
    answer = crm.call("POST", "accounts", {"name": "A"})
    assert answer.status_code == 204
    assert answer.headers["OData-EntityId"] == answer.headers["Location"]
    row = crm.read(answer.headers["OData-EntityId"])
    assert row["name"] == "A"
    assert row["telephone1"] is None, "empty columns are present without $select"
    assert row["@odata.etag"] == f'W/"{row["versionnumber"]}"'
    shown = crm.call("POST", "accounts?$select=name", {"name": "B"}, Prefer="return=representation")
    assert shown.status_code == 201
    assert shown.headers["ETag"] == shown.json()["@odata.etag"]
    assert shown.headers["Preference-Applied"] == "return=representation"
    assert "OData-EntityId" not in shown.headers


def test_a_client_may_choose_the_id_once(crm):
    body = {"accountid": str(uuid.UUID(int=7)), "name": "A"}
    assert crm.call("POST", "accounts", body).status_code == 204
    assert error(crm.call("POST", "accounts", body)) == (412, "0x80040237")


@pytest.mark.parametrize(
    ("exists", "headers", "expected"),
    [
        (False, {}, 204),
        (True, {}, 204),
        (False, {"If_None_Match": "*"}, 204),
        (True, {"If_None_Match": "*"}, (412, "0x80040237")),
        (False, {"If_Match": "*"}, (404, "0x80060891")),
        (True, {"If_Match": "*"}, 204),
        (True, {"If_Match": 'W/"1"'}, (412, "0x80060882")),
        (False, {"If_Match": 'W/"1"'}, (404, "0x80060891")),
    ],
    ids=str,
)
def test_upsert_under_preconditions(crm, exists, headers, expected):
    path = "accounts(tl_customerkey='c1')"
    if exists:
        crm.call("PATCH", path, {"name": "before"})
    answer = crm.call("PATCH", path, {"name": "after"}, **headers)
    assert (answer.status_code if answer.status_code == 204 else error(answer)) == expected
    if answer.status_code == 204:
        assert answer.headers["OData-EntityId"].endswith(path), "in the form of the request"
        assert crm.read(path)["name"] == "after"


def test_the_entity_tag_moves_with_every_update_and_guards_it(crm):
    path = "accounts(tl_customerkey='c1')"
    crm.call("PATCH", path, {"name": "A"})
    tag = crm.read(path)["@odata.etag"]
    assert crm.call("GET", path, If_None_Match=tag).status_code == 304
    assert crm.call("PATCH", path, {"name": "A"}, If_Match=tag).status_code == 204
    assert crm.read(path)["@odata.etag"] != tag
    assert error(crm.call("DELETE", path, If_Match=tag)) == (412, "0x80060882")
    assert crm.call("DELETE", path, If_Match=crm.read(path)["@odata.etag"]).status_code == 204
    assert error(crm.call("GET", path)) == (404, "0x80060891")


def test_missing_rows_are_told_by_how_they_were_addressed(crm):
    assert error(crm.call("GET", f"accounts({uuid.UUID(int=1)})")) == (404, "0x80040217")
    assert error(crm.call("GET", "accounts(tl_customerkey='none')")) == (404, "0x80060891")
    assert error(crm.call("DELETE", f"accounts({uuid.UUID(int=1)})")) == (404, "0x80040217")
    assert error(crm.call("GET", "acounts")) == (404, "0x8006088a")


def test_a_key_is_unique_without_regard_to_case_and_said_so(crm):
    crm.call("POST", "accounts", {"name": "A", "tl_customerkey": "key"})
    answer = crm.call("POST", "accounts", {"name": "B", "tl_customerkey": "KEY"})
    assert error(answer) == (412, "0x80060892")
    assert "<Attribute>tl_customerkey</Attribute>" in answer.json()["error"]["message"]
    assert crm.call("POST", "accounts", {"name": "C"}).status_code == 204, "empty keys are not compared"


def test_key_columns_in_the_body_cannot_change_the_key(crm):
    path = "accounts(tl_customerkey='c1')"
    crm.call("PATCH", path, {"name": "A"})
    crm.call("PATCH", path, {"name": "B", "tl_customerkey": "c2"})
    assert crm.read(path)["name"] == "B"


@pytest.mark.parametrize("character", list("/<>*%&:\\?+"))
def test_unsafe_characters_break_a_keys_address(crm, character):
    from urllib.parse import quote

    assert crm.call("GET", f"accounts(tl_customerkey='{quote(character, safe='')}')").status_code == 400


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    key=st.text(
        st.characters(codec="utf-8", exclude_categories=("C",), exclude_characters="/<>*%&:\\?+"),
        min_size=1,
        max_size=40,
    ).filter(str.strip)
)
def test_any_other_key_finds_its_row(crm, key):
    from urllib.parse import quote

    path = f"contacts(tl_customerkey='{quote(key.replace(chr(39), chr(39) * 2), safe='')}')"
    assert crm.call("PATCH", path, {"lastname": "x"}).status_code == 204
    assert crm.read(path)["tl_customerkey"] == key
    assert crm.call("DELETE", path).status_code == 204  # the next key may differ in case alone


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"nme": "x"}, "0x80048d19"),
        ({"name": 5}, "0x80048d19"),
        ({"name": "x" * 161}, "0x80044331"),
        ({"industrycode": 9999}, "0x8004431A"),
        ({"numberofemployees": "many"}, "0x80048d19"),
        ({"numberofemployees": -1}, "0x8004432f"),
        ({"creditlimit": "12"}, "0x80048d19"),
        ({"_primarycontactid_value": str(uuid.UUID(int=1))}, "0x80048d19"),
        ({"primaryContactId@odata.bind": f"/contacts({uuid.UUID(int=1)})"}, "0x80048d19"),
        ({"primarycontactid@odata.bind": "/accounts(tl_customerkey='c1')"}, "0x80048d19"),
        ({"statecode": 1}, "0x80048d19"),
        ({"createdon": "2026-01-01T00:00:00Z"}, "0x80048d19"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_body_that_does_not_fit_is_refused_whole(crm, body, code):
    before = len(crm.read("accounts?$select=name")["value"])
    assert error(crm.call("POST", "accounts", {"name": "A", **body})) == (400, code)
    assert len(crm.read("accounts?$select=name")["value"]) == before


def test_over_length_names_column_and_limit(crm):
    message = crm.call("POST", "accounts", {"name": "x" * 161}).json()["error"]["message"]
    expected = (
        "A validation error occurred.  The length of the 'name' attribute of the 'account' entity exceeded "
        "the maximum allowed length of '160'."
    )
    assert message == expected


def test_lookups_are_bound_by_id_or_key_read_by_value_and_cleared_by_null(crm):
    crm.call("PATCH", "accounts(tl_customerkey='a1')", {"name": "A"})
    account = crm.read("accounts(tl_customerkey='a1')")["accountid"]
    bind = {"parentcustomerid_account@odata.bind": "/accounts(tl_customerkey='a1')"}
    crm.call("PATCH", "contacts(tl_customerkey='p1')", {"lastname": "P", **bind})
    path = "contacts(tl_customerkey='p1')?$select=_parentcustomerid_value"
    row = crm.read(path, Prefer='odata.include-annotations="*"')
    assert row["_parentcustomerid_value"] == account
    assert row["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "account"
    assert row["_parentcustomerid_value@OData.Community.Display.V1.FormattedValue"] == "A"
    crm.call("PATCH", "contacts(tl_customerkey='p1')", {"parentcustomerid_account@odata.bind": None})
    assert crm.read(path)["_parentcustomerid_value"] is None


def test_a_bind_to_nothing_is_refused(crm):
    bind = {"parentcustomerid_account@odata.bind": "/accounts(tl_customerkey='none')"}
    assert error(crm.call("POST", "contacts", {"lastname": "P", **bind})) == (404, "0x80060891")
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({uuid.UUID(int=3)})"}
    assert error(crm.call("POST", "contacts", {"lastname": "P", **bind})) == (404, "0x80040217")


def test_null_clears_and_the_full_name_follows(crm):
    path = "contacts(tl_customerkey='p1')"
    crm.call("PATCH", path, {"firstname": "Ada", "lastname": "Lovelace"})
    assert crm.read(path)["fullname"] == "Ada Lovelace"
    crm.call("PATCH", path, {"firstname": None})
    assert (crm.read(path)["firstname"], crm.read(path)["fullname"]) == (None, "Lovelace")


def test_seeded_reference_data_lacks_exactly_one_sku_of_the_shop(sandbox, crm):
    known = {row["productnumber"] for row in crm.read("products?$select=productnumber")["value"]}
    sold = {product.sku for product in sandbox.shops["dev"].products}
    assert sold - known == {"MUG-LTD-07"}
    accounts = crm.read("accounts?$select=name,tl_customerkey")["value"]
    assert len(accounts) == 30
    assert {row["tl_customerkey"] for row in accounts} == {None}
    assert crm.read("pricelevels(name='Web')")["statecode"] == 0


def test_metadata_tells_columns_and_active_keys(crm):
    table = crm.read("EntityDefinitions(LogicalName='salesorder')?$select=EntitySetName&$expand=Keys")
    assert table["EntitySetName"] == "salesorders"
    (key,) = table["Keys"]
    assert (key["KeyAttributes"], key["EntityKeyIndexStatus"]) == (["tl_orderkey"], "Active")
    found = crm.read("EntityDefinitions?$filter=LogicalName eq 'nonsense'")
    assert found["value"] == []
    cast = (
        "EntityDefinitions(LogicalName='account')/Attributes/Microsoft.Dynamics.CRM.StringAttributeMetadata"
    )
    lengths = {a["LogicalName"]: a["MaxLength"] for a in crm.read(cast)["value"]}
    assert (lengths["name"], lengths["tl_customerkey"]) == (160, 100)


def test_more_requests_than_the_limit_are_429_until_the_window_moves(clock, make_sandbox, connect_crm):
    import httpx

    sandbox = make_sandbox(clock, rate_limits=True)
    sandbox.organisations["dev"].protection.limits = Limits(requests=3)
    with httpx.Client(transport=sandbox.transport()) as client:
        crm = connect_crm(sandbox, client)
        assert [crm.call("GET", "WhoAmI").status_code for _ in range(3)] == [200] * 3
        answer = crm.call("GET", "WhoAmI")
        assert error(answer) == (429, "0x80072322")
        clock.advance(int(answer.headers["Retry-After"]))
        assert crm.call("GET", "WhoAmI").status_code == 200


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("*", {"HelpLink", "TraceText", "InnerError.Message", "ErrorDetails.OperationStatus", "ErrorDetails.SubErrorCode"}),
        ("Microsoft.PowerApps.CDS.ErrorDetails.*", {"ErrorDetails.OperationStatus", "ErrorDetails.SubErrorCode"}),
        ("OData.Community.Display.V1.FormattedValue", set()),
    ],
)  # fmt: skip
def test_an_error_is_annotated_where_the_request_asks_for_it(crm, asked, names):
    missing = f"accounts({uuid.UUID(int=1)})"
    told = crm.call("GET", missing, Prefer=f'odata.include-annotations="{asked}"').json()["error"]
    assert set(told) == {"code", "message", *(f"@Microsoft.PowerApps.CDS.{name}" for name in names)}
    assert set(crm.call("GET", missing).json()["error"]) == {"code", "message"}
