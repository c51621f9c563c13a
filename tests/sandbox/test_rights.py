"""Application users, their roles, and what these let them do."""

import json
import uuid

import pytest

from tagline.sandbox.dataverse_founding import USER_ID, platform_id, put_role
from tagline.sandbox.dataverse_rights import Depth
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.login import Application

READER = "reader"


def error(answer):
    return answer.status_code, answer.json()["error"]["code"]


def grant(sandbox, *privileges):
    """Let the running application have exactly these privileges."""
    organisation = sandbox.organisations["dev"]
    role_id = platform_id("role", READER)
    with organisation.entered():
        put_role(
            organisation.rows, role_id, READER, dict.fromkeys(privileges, Depth.GLOBAL), is_managed=False
        )
    organisation.set_roles(USER_ID, READER)


def bearer(sandbox, client, application):
    config = sandbox.connection_configs("dev")["crm"]
    form = {
        "client_id": application.client_id,
        "client_secret": application.client_secret,
        "grant_type": "client_credentials",
        "scope": f"{config['url']}/.default",
    }
    answer = client.post(f"{config['authority']}/{config['tenant']}/oauth2/v2.0/token", data=form)
    return f"Bearer {answer.json()['access_token']}"


@pytest.mark.parametrize(
    ("held", "method", "path", "body", "allowed"),
    [
        ((), "GET", "accounts?$top=1", None, False),
        (("prvReadAccount",), "GET", "accounts?$top=1", None, True),
        (("prvReadAccount",), "POST", "accounts", {"name": "A"}, False),
        (("prvCreateAccount",), "POST", "accounts", {"name": "A"}, True),
        (("prvReadAccount",), "PATCH", "accounts(tl_customerkey='k')", {"name": "B"}, False),
        (("prvWriteAccount",), "PATCH", "accounts(tl_customerkey='k')", {"name": "B"}, True),
        (("prvWriteAccount",), "DELETE", "accounts(tl_customerkey='k')", None, False),
        (("prvDeleteAccount",), "DELETE", "accounts(tl_customerkey='k')", None, True),
        (("prvCreateAccount",), "POST", "contacts", {"lastname": "P"}, False),
        (("prvReadProduct",), "GET", "pricelevels", None, True),
        ((), "GET", "WhoAmI", None, True),
        ((), "POST", "EntityDefinitions(LogicalName='account')/Keys", {}, False),
    ],
    ids=str,
)
def test_each_access_needs_its_privilege(sandbox, crm, held, method, path, body, allowed):
    crm.call("PATCH", "accounts(tl_customerkey='k')", {"name": "A"})
    grant(sandbox, *held)
    answer = crm.call(method, path, body)
    if allowed:
        assert answer.status_code < 300, answer.text
    else:
        assert error(answer) == (403, "0x80040220")
        assert "is missing prv" in answer.json()["error"]["message"]


def test_linking_needs_the_right_to_link_and_to_be_linked_to(sandbox, crm):
    account = crm.read("accounts?$select=name&$top=1")["value"][0]["accountid"]
    body = {"lastname": "P", "parentcustomerid_account@odata.bind": f"/accounts({account})"}
    for held in (("prvCreateContact",), ("prvCreateContact", "prvAppendContact")):
        grant(sandbox, *held)
        assert error(crm.call("POST", "contacts", body)) == (403, "0x80040220")
    grant(sandbox, "prvCreateContact", "prvAppendContact", "prvAppendToAccount")
    assert crm.call("POST", "contacts", body).status_code == 204


def test_an_expanded_table_is_read_too(sandbox, crm):
    path = "accounts?$top=1&$expand=contact_customer_accounts($select=fullname;$expand=ownerid($select=fullname))"
    for held, expected in (
        (("prvReadAccount",), 403),
        (("prvReadAccount", "prvReadContact"), 403),
        (("prvReadAccount", "prvReadContact", "prvReadUser"), 200),
    ):
        grant(sandbox, *held)
        assert crm.call("GET", path).status_code == expected


def test_giving_a_row_away_needs_the_right_to_assign(sandbox, crm):
    crm.call("PATCH", "accounts(tl_customerkey='k')", {"name": "A"})
    body = {"ownerid@odata.bind": f"/systemusers({USER_ID})"}
    grant(sandbox, "prvWriteAccount")
    assert crm.call("PATCH", "accounts(tl_customerkey='k')", body).status_code == 403
    grant(sandbox, "prvWriteAccount", "prvAssignAccount")
    assert crm.call("PATCH", "accounts(tl_customerkey='k')", body).status_code == 204


def test_a_line_is_written_with_the_rights_on_its_order(sandbox, crm, orders):
    orders.header()
    linked = ("prvAppendToProduct", "prvReadProduct")
    grant(sandbox, "prvReadOrder", *linked)
    assert orders.line().status_code == 403
    grant(sandbox, "prvReadOrder", "prvWriteOrder", "prvAppendOrder", "prvAppendToOrder", *linked)
    assert orders.line().status_code == 204


def test_one_refused_change_takes_its_change_set_back(sandbox, crm):
    grant(sandbox, "prvCreateAccount", "prvReadAccount")
    body = {"name": "firm", "contact_customer_accounts": [{"lastname": "x"}]}
    before = len(crm.read("accounts?$select=name")["value"])
    assert crm.call("POST", "accounts", body).status_code == 403
    assert len(crm.read("accounts?$select=name")["value"]) == before


def test_an_action_needs_what_it_does(sandbox, crm, orders):
    orders.header()
    body = {
        "SalesOrderId": crm.read("salesorders(tl_orderkey='o1')")["salesorderid"],
        "ColumnSet": {"AllColumns": False, "Columns": ["invoiceid"]},
    }
    grant(sandbox, "prvReadOrder", "prvWriteOrder")
    assert crm.call("POST", "ConvertSalesOrderToInvoice", body).status_code == 403
    needed = ("prvCreateInvoice", "prvReadInvoice", "prvAppendToOrder", "prvAppendInvoice")
    grant(sandbox, "prvReadOrder", "prvWriteOrder", *needed)
    assert crm.call("POST", "ConvertSalesOrderToInvoice", body).status_code == 200


def test_whoever_is_no_user_is_disabled_or_has_no_role_is_told_so(sandbox, crm, client):
    organisation = sandbox.organisations["dev"]
    stranger = Application("0b5c8a52-0000-4000-8000-000000000001", "x")
    sandbox.login.applications[stranger.client_id] = stranger
    answer = crm.call("GET", "WhoAmI", Authorization=bearer(sandbox, client, stranger))
    assert error(answer) == (403, "0x80072560")
    organisation.set_roles(USER_ID)
    assert error(crm.call("GET", "WhoAmI")) == (403, "0x8004d24b")
    users = tables()["systemuser"]
    with organisation.entered():
        user = organisation.rows.get(users, USER_ID)
        organisation.rows.put(users, USER_ID, {**user, "isdisabled": True})
    assert error(crm.call("GET", "WhoAmI")) == (403, "0x80040225")
    with pytest.raises(LookupError, match="no role 'nothing'"):
        organisation.set_roles(USER_ID, "nothing")


def test_the_deploying_application_sets_up_and_reads_no_records(sandbox, crm, client):
    mine = {"Authorization": bearer(sandbox, client, sandbox.deployer("dev"))}
    assert crm.call("GET", "solutions?$select=uniquename", **mine).status_code == 200
    column = {"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "new_x"}
    made = crm.call("POST", "EntityDefinitions(LogicalName='account')/Attributes", column, **mine)
    assert made.status_code == 204
    assert error(crm.call("GET", "accounts?$top=1", **mine)) == (403, "0x80040220")
    user = crm.call("GET", "WhoAmI", **mine).json()["UserId"]
    assert user != USER_ID
    assert crm.read(f"systemusers({user})?$select=fullname")["fullname"] == "tagline deploy"


def test_privileges_of_a_user_can_be_asked(sandbox, crm):
    path = f"systemusers({USER_ID})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
    held = {p["PrivilegeName"] for p in crm.read(path)["RolePrivileges"]}
    assert {"prvReadAccount", "prvWriteOrder", "prvCreateInvoice"} <= held
    grant(sandbox, "prvReadUser", "prvReadAccount")
    held = {p["PrivilegeName"] for p in crm.read(path)["RolePrivileges"]}
    assert held == {"prvReadUser", "prvReadAccount"}


def test_roles_are_given_and_taken_over_the_wire(crm, sandbox, client):
    deployer = crm.call(
        "GET", "WhoAmI", Authorization=bearer(sandbox, client, sandbox.deployer("dev"))
    ).json()
    collection = f"systemusers({deployer['UserId']})/systemuserroles_association"
    (role,) = crm.read("roles?$select=roleid&$filter=name eq 'System Administrator'")["value"]
    target = {"@odata.id": f"{crm.base}roles({role['roleid']})"}
    assert crm.call("POST", f"{collection}/$ref", target).status_code == 204
    assert {r["name"] for r in crm.read(collection)["value"]} == {"System Administrator", "System Customizer"}
    assert crm.call("DELETE", f"{collection}({role['roleid']})/$ref").status_code == 204
    assert {r["name"] for r in crm.read(collection)["value"]} == {"System Customizer"}


def test_acting_for_another_user_needs_a_privilege_and_names_him(sandbox, crm, client):
    deployer = crm.call(
        "GET", "WhoAmI", Authorization=bearer(sandbox, client, sandbox.deployer("dev"))
    ).json()
    as_him = {"MSCRMCallerID": deployer["UserId"]}
    assert crm.call("GET", "WhoAmI", **as_him).json()["UserId"] == deployer["UserId"]
    assert crm.call("GET", "accounts", **as_him).status_code == 403, "his rights count"
    entra = crm.read(f"systemusers({deployer['UserId']})")["azureactivedirectoryobjectid"]
    assert crm.call("GET", "WhoAmI", CallerObjectId=entra).json()["UserId"] == deployer["UserId"]
    assert error(crm.call("GET", "WhoAmI", CallerObjectId=str(uuid.UUID(int=1)))) == (403, "0x80072560")
    grant(sandbox, "prvReadAccount")
    assert error(crm.call("GET", "WhoAmI", **as_him)) == (403, "0x80040220")


def test_stamps_name_who_did_it(crm, sandbox, client):
    made = crm.call("POST", "serviceendpoints", {"name": "e", "url": "https://x.test", "contract": 8})
    path = made.headers["OData-EntityId"]
    assert crm.read(path)["_createdby_value"] == USER_ID
    mine = {"Authorization": bearer(sandbox, client, sandbox.deployer("dev"))}
    crm.call("PATCH", path, {"description": "d"}, **mine)
    assert crm.read(path)["_modifiedby_value"] != USER_ID
    assert crm.read(path)["_createdby_value"] == USER_ID


def test_a_secret_of_an_endpoint_is_never_shown(crm):
    body = {"name": "e", "url": "https://x.test", "contract": 8, "authtype": 4, "authvalue": "hush"}
    path = crm.call("POST", "serviceendpoints", body).headers["OData-EntityId"]
    shown = crm.call("GET", path, Prefer='odata.include-annotations="*"').text
    assert "hush" not in shown
    assert json.loads(shown)["authvalue"] is None
