"""Messages of many rows, nested creates and duplicate detection: all or nothing."""

import json
import uuid
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KIND = "Microsoft.Dynamics.CRM.account"


def error(answer):
    return answer.status_code, answer.json()["error"]["code"]


def send(crm, message, targets):
    body = {"Targets": [{"@odata.type": KIND, **target} for target in targets]}
    return crm.call("POST", f"accounts/Microsoft.Dynamics.CRM.{message}", body)


def count(crm):
    return len(crm.read("accounts?$select=name")["value"])


def test_created_ids_come_in_the_order_of_the_targets(crm):
    answer = send(crm, "CreateMultiple", [{"name": str(n)} for n in range(5)])
    assert answer.status_code == 200
    assert answer.json()["@odata.context"].endswith("CreateMultipleResponse")
    names = [crm.read(f"accounts({i})?$select=name")["name"] for i in answer.json()["Ids"]]
    assert names == list("01234")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(names=st.lists(st.sampled_from(["a", "b", "x" * 161]), min_size=1, max_size=5))
def test_one_bad_target_undoes_all(crm, names):
    before = count(crm)
    answer = send(crm, "CreateMultiple", [{"name": name} for name in names])
    good = all(len(name) <= 160 for name in names)
    assert answer.status_code == (200 if good else 400)
    assert count(crm) == before + (len(names) if good else 0)


@pytest.mark.parametrize("kind", [None, "Microsoft.Dynamics.CRM.contact", 5])
def test_every_target_says_what_it_is(crm, kind):
    body = {"Targets": [{"@odata.type": kind, "name": "A"}]}
    answer = crm.call("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", body)
    assert error(answer) == (400, "0x80048d19")
    hashed = {"Targets": [{"@odata.type": f"#{KIND}", "name": "A"}]}
    assert crm.call("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", hashed).status_code == 200


def test_update_by_id_and_by_key_and_not_twice(crm):
    ids = send(crm, "CreateMultiple", [{"name": "A", "tl_customerkey": "k1"}, {"name": "B"}]).json()["Ids"]
    targets = [
        {"@odata.id": "accounts(tl_customerkey='k1')", "telephone1": "1"},
        {"accountid": ids[1], "telephone1": "2"},
    ]
    answer = send(crm, "UpdateMultiple", targets)
    assert (answer.status_code, answer.text) == (204, "")
    assert [crm.read(f"accounts({i})")["telephone1"] for i in ids] == ["1", "2"]
    twice = [targets[0], {"accountid": ids[0], "telephone1": "3"}]
    assert send(crm, "UpdateMultiple", twice).status_code == 400
    assert send(crm, "UpdateMultiple", [{"telephone1": "3"}]).status_code == 400
    gone = [{"accountid": str(uuid.UUID(int=1)), "telephone1": "3"}]
    assert error(send(crm, "UpdateMultiple", gone)) == (404, "0x80040217")
    assert crm.read(f"accounts({ids[0]})")["telephone1"] == "1"


def test_upsert_creates_what_is_not_there_and_changes_what_is(crm):
    def targets(*pairs):
        return [{"@odata.id": f"accounts(tl_customerkey='{key}')", "name": name} for key, name in pairs]

    assert send(crm, "UpsertMultiple", targets(("u1", "A"))).status_code == 204
    assert send(crm, "UpsertMultiple", targets(("u1", "B"), ("u2", "C"))).status_code == 204
    assert [crm.read(f"accounts(tl_customerkey='{k}')")["name"] for k in ("u1", "u2")] == ["B", "C"]
    assert send(crm, "UpsertMultiple", targets(("u3", "D"), ("U3", "E"))).status_code == 400
    assert crm.call("GET", "accounts(tl_customerkey='u3')").status_code == 404


def test_a_standard_table_has_no_delete_multiple(crm):
    answer = send(crm, "DeleteMultiple", [])
    assert answer.status_code == 501
    assert "has not yet been implemented" in answer.text


def test_whether_a_message_is_supported_can_be_asked(crm):
    found = crm.read(
        "sdkmessagefilters?$select=sdkmessagefilterid&$filter=primaryobjecttypecode eq 'account' "
        "and sdkmessageid/name eq 'CreateMultiple'"
    )
    assert len(found["value"]) == 1


def test_a_tree_is_created_whole_and_only_its_root_is_told(crm):
    body = {
        "name": "firm",
        "primarycontactid": {"lastname": "First"},
        "contact_customer_accounts": [{"lastname": "Second"}, {"lastname": "Third"}],
    }
    row = crm.read(
        crm.call("POST", "accounts", body).headers["OData-EntityId"]
        + "?$expand=primarycontactid($select=fullname),contact_customer_accounts($select=fullname)"
    )
    assert row["primarycontactid"]["fullname"] == "First"
    assert {c["fullname"] for c in row["contact_customer_accounts"]} == {"Second", "Third"}


def test_a_tree_with_a_bad_leaf_leaves_nothing(crm):
    before = count(crm), len(crm.read("contacts?$select=fullname")["value"])
    body = {"name": "firm", "contact_customer_accounts": [{"lastname": "x"}, {"lastname": "y" * 51}]}
    assert error(crm.call("POST", "accounts", body)) == (400, "0x80044331")
    assert (count(crm), len(crm.read("contacts?$select=fullname")["value"])) == before


def test_rows_that_stand_are_taken_into_a_collection_by_address(crm):
    person = crm.call("POST", "contacts", {"lastname": "P"}).headers["OData-EntityId"]
    body = {"name": "firm", "contact_customer_accounts@odata.bind": [person]}
    firm = crm.call("POST", "accounts", body).headers["OData-EntityId"]
    assert crm.read(person)["_parentcustomerid_value"] == crm.read(firm)["accountid"]


def test_an_update_takes_no_nested_rows(crm):
    crm.call("PATCH", "accounts(tl_customerkey='a')", {"name": "A"})
    body = {"contact_customer_accounts": [{"lastname": "x"}]}
    assert error(crm.call("PATCH", "accounts(tl_customerkey='a')", body)) == (400, "0x80048d19")


def rule(crm, *, publish=True, **condition):
    made = crm.call(
        "POST",
        "duplicaterules",
        {"name": "same mail", "baseentityname": "account", "matchingentityname": "account"},
    ).headers["OData-EntityId"]
    facts = {
        "baseattributename": "emailaddress1",
        "matchingattributename": "emailaddress1",
        "operatorcode": 0,
    }
    body = {**facts, "ignoreblankvalues": True, **condition}
    bind = {"regardingobjectid@odata.bind": made.removeprefix(crm.base.rstrip("/"))}
    assert crm.call("POST", "duplicateruleconditions", {**body, **bind}).status_code == 204
    rule_id = made[-37:-1]
    if publish:
        answer = crm.call("POST", "PublishDuplicateRule", {"DuplicateRuleId": rule_id})
        assert answer.json()["JobId"]
    return rule_id


DETECT = {"MSCRM.SuppressDuplicateDetection": "false"}


def write(crm, method, path, body, *, detect=True):
    headers = {**crm.headers, **(DETECT if detect else {})}
    return crm.client.request(method, crm.base + path, json=body, headers=headers)


def test_a_published_rule_finds_duplicates_where_the_request_asks_for_it(crm):
    crm.call("POST", "accounts", {"name": "A", "emailaddress1": "a@b.test"})
    rule_id = rule(crm, publish=False)
    body = {"name": "B", "emailaddress1": "A@B.test "}
    assert write(crm, "POST", "accounts", body).status_code == 204, "it is not published"
    crm.call("POST", "PublishDuplicateRule", {"DuplicateRuleId": rule_id})
    assert error(write(crm, "POST", "accounts", body)) == (412, "0x80040333")
    assert write(crm, "POST", "accounts", body, detect=False).status_code == 204
    crm.call("PATCH", "accounts(tl_customerkey='c')", {"name": "C"})
    assert error(write(crm, "PATCH", "accounts(tl_customerkey='c')", {"emailaddress1": "a@b.test"})) == (
        412,
        "0x80040333",
    )
    crm.call("POST", "UnpublishDuplicateRule", {"DuplicateRuleId": rule_id})
    assert write(crm, "POST", "accounts", body).status_code == 204


def test_blank_values_and_the_row_itself_are_no_duplicates(crm):
    rule(crm)
    crm.call("PATCH", "accounts(tl_customerkey='c')", {"name": "C", "emailaddress1": "c@c.test"})
    assert write(crm, "POST", "accounts", {"name": "no mail"}).status_code == 204
    assert write(crm, "POST", "accounts", {"name": "no mail"}).status_code == 204
    body = {"emailaddress1": "c@c.test"}
    assert write(crm, "PATCH", "accounts(tl_customerkey='c')", body).status_code == 204


def test_duplicates_of_a_record_can_be_listed(crm):
    rule(crm, operatorcode=1, operatorparam=3)
    crm.call("POST", "accounts", {"name": "A", "emailaddress1": "abc@x.test"})
    entity = quote(json.dumps({"@odata.type": KIND, "emailaddress1": "ABCDE@y.test"}))
    paging = quote(json.dumps({"PageNumber": 1, "Count": 50}))
    found = crm.read(
        "RetrieveDuplicates(BusinessEntity=@p1,MatchingEntityName=@p2,PagingInfo=@p3)"
        f"?@p1={entity}&@p2='account'&@p3={paging}"
    )
    assert [row["name"] for row in found["value"]] == ["A"]


def bulk_delete(crm, *conditions, **facts):
    """The request that the vendor's Python client sends to delete a list of rows."""
    kind = "Microsoft.Dynamics.CRM."
    criteria = {
        "@odata.type": f"{kind}FilterExpression",
        "FilterOperator": "And",
        "Conditions": list(conditions),
    }
    columns = {"@odata.type": f"{kind}ColumnSet", "AllColumns": False, "Columns": []}
    query = {
        "@odata.type": f"{kind}QueryExpression",
        "EntityName": "account",
        "ColumnSet": columns,
        "Criteria": criteria,
    }
    body = {
        "JobName": "Bulk delete account records",
        "SendEmailNotification": False,
        "ToRecipients": [],
        "CCRecipients": [],
        "RecurrencePattern": "",
        "StartDateTime": "2026-07-01T15:30:00Z",
        "QuerySet": [query],
        **facts,
    }  # fmt: skip
    return crm.call("POST", "BulkDelete", body)


def condition(name, operator, *values):
    return {
        "AttributeName": name,
        "Operator": operator,
        "Values": [{"Value": v, "Type": "System.String"} for v in values],
    }


def test_a_list_is_deleted_in_the_background(crm, clock):
    """The vendor's Python client does so with every list unless it is told otherwise."""
    ids = send(crm, "CreateMultiple", [{"name": name} for name in "abc"]).json()["Ids"]
    answer = bulk_delete(crm, condition("accountid", "In", *ids[:2]))
    assert answer.status_code == 200
    job = f"asyncoperations({answer.json()['JobId']})?$select=statecode,statuscode,operationtype"
    assert crm.read(job)["statecode"] == 0
    assert crm.call("GET", f"accounts({ids[0]})").status_code == 200, "not at once"
    clock.advance(5)
    assert (crm.read(job)["statecode"], crm.read(job)["statuscode"], crm.read(job)["operationtype"]) == (
        3,
        30,
        13,
    )
    assert [crm.call("GET", f"accounts({i})").status_code for i in ids] == [404, 404, 200]


def test_rows_that_cannot_be_deleted_stay_and_are_counted(crm, clock, orders):
    """A line of an order that is submitted goes no more."""
    orders.header()
    orders.line()
    line = crm.read("salesorderdetails(tl_linekey='l1')")["salesorderdetailid"]
    crm.call("PATCH", "salesorders(tl_orderkey='o1')", {"statecode": 1, "statuscode": 3})
    query = {
        "EntityName": "salesorderdetail",
        "Criteria": {"Conditions": [condition("salesorderdetailid", "Equal", line)]},
    }
    job = bulk_delete(crm, QuerySet=[query]).json()["JobId"]
    clock.advance(5)
    assert crm.read(f"asyncoperations({job})")["message"] == "1 of 1 records could not be deleted."
    assert crm.call("GET", "salesorderdetails(tl_linekey='l1')").status_code == 200


@pytest.mark.parametrize(
    "facts",
    [
        {"QuerySet": []},
        {"QuerySet": ["account"]},
        {"QuerySet": [{"EntityName": "nothing"}]},
        {"QuerySet": [{"EntityName": "account", "Criteria": {"Conditions": [{"Operator": "Near"}]}}]},
        {"QuerySet": [{"EntityName": "account", "Criteria": {"Filters": ["x"]}}]},
        {"JobName": None},
    ],
    ids=str,
)
def test_a_bulk_delete_that_cannot_be_read_is_refused(crm, facts):
    answer = bulk_delete(crm, **facts)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"].startswith("0x8004")
