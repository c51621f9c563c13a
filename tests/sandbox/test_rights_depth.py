"""How far a privilege reaches: one's own rows and those of one's teams, of one's business unit, of those below it, or all."""

import uuid
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.sandbox.dataverse_founding import (
    BUSINESS_UNIT_ID,
    USER_ID,
    platform_id,
    put_member,
    put_role,
    take_member,
)
from tagline.sandbox.dataverse_rights import Caller, Depth, Owner, names_for
from tagline.sandbox.dataverse_schema import tables

BASIC, LOCAL, DEEP, GLOBAL = Depth
OWNERS = ("mine", "team", "colleague", "below", "elsewhere")
REACHED = {BASIC: 2, LOCAL: 3, DEEP: 4, GLOBAL: 5}
"""How many of the owners each depth reaches, in their order."""


def row_id(kind, name):
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{kind}.test"))


class Company:
    """An organisation with a business unit at its side and one below, users and a team, and an account of each."""

    def __init__(self, sandbox, crm):
        self.crm, self.organisation = crm, sandbox.organisations["dev"]
        known = tables()
        with self.organisation.entered():
            rows = self.organisation.rows
            for name, parent in (("below", BUSINESS_UNIT_ID), ("elsewhere", row_id("unit", "other"))):
                unit = {
                    "businessunitid": row_id("unit", name),
                    "parentbusinessunitid": ("businessunit", parent),
                }
                rows.put(known["businessunit"], unit["businessunitid"], unit)
            units = {"colleague": BUSINESS_UNIT_ID} | {n: row_id("unit", n) for n in ("below", "elsewhere")}
            for name, unit in units.items():
                user = {"systemuserid": row_id("user", name), "businessunitid": ("businessunit", unit)}
                rows.put(known["systemuser"], user["systemuserid"], user)
            team = {"teamid": row_id("team", "t"), "businessunitid": ("businessunit", units["elsewhere"])}
            rows.put(known["team"], team["teamid"], team)
            put_member(rows, team["teamid"], USER_ID)
        self.owners = {name: f"/systemusers({row_id('user', name)})" for name in units}
        self.owners |= {"mine": f"/systemusers({USER_ID})", "team": f"/teams({team['teamid']})"}
        for name, owner in self.owners.items():
            made = crm.call(
                "POST", "accounts", {"name": name, "tl_customerkey": name, "ownerid@odata.bind": owner}
            )
            assert made.status_code == 204, made.text

    def grant(self, depth, *privileges, **further):
        """Let the running application have these privileges so deep, and further ones as deep as they say."""
        role_id = platform_id("role", "narrow")
        held = {**dict.fromkeys(privileges, depth), **further}
        with self.organisation.entered():
            put_role(self.organisation.rows, role_id, "narrow", held, is_managed=False)
        self.organisation.set_roles(USER_ID, "narrow")

    def names(self, path):
        found = self.crm.read(path)["value"]
        return {row.get("name") or row.get("a.name") for row in found} & set(OWNERS)


@pytest.fixture
def company(sandbox, crm):
    return Company(sandbox, crm)


@pytest.mark.parametrize("depth", Depth, ids=lambda depth: depth.name)
def test_a_list_holds_what_the_privilege_reaches(company, depth):
    company.grant(depth, "prvReadAccount", prvReadContact=GLOBAL)
    expected = set(OWNERS[: REACHED[depth]])
    fetch = '<fetch><entity name="account"><attribute name="name"/></entity></fetch>'
    for query in ("?$select=name", "?$select=name&$filter=name ne 'x'&$orderby=name desc",
        f"?fetchXml={quote(fetch)}", "?sql=SELECT name FROM account"):  # fmt: skip
        assert expected == company.names(f"accounts{query}"), query
    counted = company.crm.read("accounts?$count=true&$select=name")
    assert counted["@odata.count"] == len(counted["value"])


@pytest.mark.parametrize("depth", Depth, ids=lambda depth: depth.name)
@pytest.mark.parametrize(
    ("method", "body", "access"), [("GET", None, "Read"), ("PATCH", {"telephone1": "1"}, "Write"), ("DELETE", None, "Delete")]
)  # fmt: skip
def test_a_row_out_of_reach_is_refused_and_stays_as_it_is(company, depth, method, body, access):
    company.grant(depth, f"prv{access}Account")
    for place, name in enumerate(OWNERS):
        answer = company.crm.call(method, f"accounts(tl_customerkey='{name}')", body)
        if place < REACHED[depth]:
            assert answer.status_code < 300, answer.text
        else:
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "0x80048306")
            assert f"AccessRights: {access}Access" in answer.json()["error"]["message"]


def test_a_row_is_created_for_no_owner_whom_the_privilege_does_not_reach(company):
    company.grant(BASIC, "prvCreateAccount")
    statuses = {
        name: company.crm.call("POST", "accounts", {"name": "new", "ownerid@odata.bind": owner}).status_code
        for name, owner in company.owners.items()
    }
    assert statuses == {"mine": 204, "team": 204, "colleague": 403, "below": 403, "elsewhere": 403}


def test_a_row_that_is_given_away_is_out_of_reach(company):
    company.grant(BASIC, "prvReadAccount", "prvWriteAccount", "prvAssignAccount")
    mine = "accounts(tl_customerkey='mine')"
    assert company.crm.call("PATCH", mine, {"ownerid@odata.bind": company.owners["below"]}).status_code == 204
    assert company.crm.call("GET", mine).status_code == 403
    company.grant(GLOBAL, "prvReadAccount")
    row = company.crm.read(mine)
    assert row["_owninguser_value"] == row["_ownerid_value"] == row_id("user", "below")
    assert row["_owningbusinessunit_value"] == row_id("unit", "below")


def test_a_row_of_a_team_names_the_team_and_its_business_unit(company):
    row = company.crm.read("accounts(tl_customerkey='team')")
    assert row["_owningteam_value"] == row["_ownerid_value"] == row_id("team", "t")
    assert row["_owninguser_value"] is None
    assert row["_owningbusinessunit_value"] == row_id("unit", "elsewhere")


def test_whoever_leaves_a_team_loses_its_rows(company):
    company.grant(BASIC, "prvReadAccount")
    assert company.names("accounts?$select=name") == {"mine", "team"}
    with company.organisation.entered():
        take_member(company.organisation.rows, row_id("team", "t"), USER_ID)
    assert company.names("accounts?$select=name") == {"mine"}


def test_members_come_and_go_over_the_wire(company):
    team, user = row_id("team", "t"), row_id("user", "below")
    base = f"teams({team})/teammembership_association"
    assert company.crm.call("POST", f"{base}/$ref", {"@odata.id": f"/systemusers({user})"}).status_code == 204
    assert {row["systemuserid"] for row in company.crm.read(base)["value"]} == {USER_ID, user}
    teams = company.crm.read(f"systemusers({user})/teammembership_association")["value"]
    assert [row["teamid"] for row in teams] == [team]
    assert company.crm.call("DELETE", f"{base}({user})/$ref").status_code == 204
    assert {row["systemuserid"] for row in company.crm.read(base)["value"]} == {USER_ID}
    wrong = company.crm.call("POST", f"{base}/$ref", {"@odata.id": f"/accounts({user})"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "0x80060888")


def test_a_link_needs_both_rows_in_reach(company):
    company.grant(BASIC, "prvCreateContact", "prvAppendContact", "prvAppendToAccount")
    statuses = [
        company.crm.call(
            "POST", "contacts", {"lastname": "x", "parentcustomerid_account@odata.bind": f"/accounts(tl_customerkey='{name}')"}
        ).status_code
        for name in OWNERS
    ]  # fmt: skip
    assert statuses == [204, 204, 403, 403, 403]


def test_a_line_is_as_far_as_its_order(company, crm, orders):
    orders.header("o1")
    orders.header("o2", **{"ownerid@odata.bind": company.owners["below"]})
    orders.line("l1", "o1")
    orders.line("l2", "o2")
    company.grant(BASIC, "prvReadOrder")
    assert [row["tl_linekey"] for row in crm.read("salesorderdetails?$select=tl_linekey")["value"]] == ["l1"]
    assert crm.call("GET", "salesorderdetails(tl_linekey='l2')").status_code == 403


def test_what_lies_below_a_row_needs_its_own_privilege(company):
    account = company.crm.read("accounts(tl_customerkey='mine')")["accountid"]
    body = {"lastname": "x", "parentcustomerid_account@odata.bind": f"/accounts({account})"}
    assert company.crm.call("POST", "contacts", body).status_code == 204
    below = f"accounts({account})/contact_customer_accounts"
    company.grant(GLOBAL, "prvReadAccount")
    assert company.crm.call("GET", below).json()["error"]["code"] == "0x80040220"
    company.grant(GLOBAL, "prvReadAccount", "prvReadContact")
    assert [row["lastname"] for row in company.crm.read(below)["value"]] == ["x"]


@pytest.mark.parametrize(
    "query",
    [
        '?fetchXml=<fetch><entity name="account"><link-entity name="contact" from="contactid" to="primarycontactid"/></entity></fetch>',
        "?sql=SELECT account.name FROM account INNER JOIN contact ON account.primarycontactid = contact.contactid",
        "?$filter=contact_customer_accounts/any(c:c/lastname eq 'x')",
    ],
    ids=["FetchXML", "SQL", "any"],
)
def test_a_table_that_is_joined_needs_its_own_privilege(company, query):
    name, value = query[1:].split("=", 1)
    path = f"accounts?{name}={quote(value)}"
    account = company.crm.read("accounts(tl_customerkey='mine')")["accountid"]
    body = {"lastname": "x", "parentcustomerid_account@odata.bind": f"/accounts({account})"}
    company.crm.call("POST", "contacts", body)
    company.grant(GLOBAL, "prvReadAccount")
    assert company.crm.call("GET", path).json()["error"]["code"] == "0x80040220"
    company.grant(GLOBAL, "prvReadAccount", "prvReadContact")
    assert company.crm.call("GET", path).status_code == 200


def test_changes_are_told_only_to_whoever_may_read_every_row(company):
    track = {"Prefer": "odata.track-changes"}
    for depth in (BASIC, LOCAL, DEEP):
        company.grant(depth, "prvReadAccount")
        assert company.crm.call("GET", "accounts?$select=name", **track).status_code == 403
    company.grant(GLOBAL, "prvReadAccount")
    assert company.crm.call("GET", "accounts?$select=name", **track).status_code == 200


def test_the_name_of_a_lookup_is_shown_where_the_row_is_out_of_sight(company):
    company.grant(GLOBAL, "prvReadAccount")
    row = company.crm.read(
        "accounts(tl_customerkey='mine')?$select=_ownerid_value", Prefer='odata.include-annotations="*"'
    )
    assert row["_ownerid_value@OData.Community.Display.V1.FormattedValue"] == "tagline"


def test_the_deepest_of_several_roles_counts_and_is_told(company):
    company.grant(LOCAL, "prvReadAccount", prvReadContact=GLOBAL)
    other = platform_id("role", "wide")
    with company.organisation.entered():
        put_role(
            company.organisation.rows,
            other,
            "wide",
            {"prvReadAccount": DEEP, "prvReadContact": BASIC},
            is_managed=False,
        )
    company.organisation.set_roles(USER_ID, "narrow", "wide")
    told = company.crm.call("GET", f"systemusers({USER_ID})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()")
    assert told.status_code == 403
    assert {n: d.name for n, d in company.organisation.rights.held(USER_ID).items()} == {
        "prvReadAccount": "DEEP",
        "prvReadContact": "GLOBAL",
    }


@given(
    shallow=st.sampled_from(Depth),
    deep=st.sampled_from(Depth),
    owner=st.sampled_from(
        [("systemuser", "me"), ("systemuser", "you"), ("team", "ours"), ("team", "theirs"), None]
    ),
    unit=st.sampled_from(["mine", "below", "elsewhere", None]),
)
def test_a_deeper_privilege_reaches_whatever_a_shallower_one_does(shallow, deep, owner, unit):
    caller = Caller("me", {}, "mine", frozenset({"mine", "below"}), frozenset({"ours"}))
    shallow, deep = sorted((shallow, deep))
    whose = Owner(owner, unit)
    assert caller.reaches(deep, whose) or not caller.reaches(shallow, whose)


def test_lines_take_the_shallowest_of_the_privileges_that_they_need():
    line = tables()["salesorderdetail"]
    held = dict.fromkeys(names_for("salesorderdetail", "Create"), GLOBAL) | {"prvWriteOrder": LOCAL}
    assert Caller("me", held).depth(line, "Create") is LOCAL
