"""FetchXML over the Web API, as the vendor documents it."""

from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CRM = "@Microsoft.Dynamics.CRM."
PAGING = 'odata.include-annotations="Microsoft.Dynamics.CRM.fetchxmlpagingcookie,Microsoft.Dynamics.CRM.morerecords"'
PEOPLE = [("Ann", 0, 100), ("Bob", 0, 200), ("Cid", 1, 300), ("Dan", None, None)]


@pytest.fixture
def crm(crm):
    """Two companies with people: Ann and Bob of Alpha, Cid of Beta, Dan of none."""
    for number, name in enumerate(["Alpha", "Beta", "Gamma"]):
        body = {"name": name, "description": "mine", "numberofemployees": (number + 1) * 10}
        crm.call("PATCH", f"accounts(tl_customerkey='a{number}')", body)
    for last, account, limit in PEOPLE:
        body = {"lastname": last, "creditlimit": limit, "birthdate": "1990-02-03", "description": "mine"}
        if account is not None:
            body["parentcustomerid_account@odata.bind"] = f"/accounts(tl_customerkey='a{account}')"
        crm.call("PATCH", f"contacts(tl_customerkey='{last}')", body)
    return crm


def fetch(crm, entity_set, xml, **headers):
    return crm.read(f"{entity_set}?fetchXml={quote(xml, safe='')}", **headers)


def last_names(crm, inside, outside=""):
    xml = (
        f'<fetch {outside}><entity name="contact"><attribute name="lastname"/>'
        f'<filter><condition attribute="description" operator="eq" value="mine"/></filter>{inside}</entity></fetch>'
    )
    return [row["lastname"] for row in fetch(crm, "contacts", xml)["value"]]


def test_attributes_come_with_key_and_etag(crm):
    xml = '<fetch top="1"><entity name="contact"><attribute name="lastname"/><attribute name="parentcustomerid"/><filter><condition attribute="lastname" operator="eq" value="ann"/></filter></entity></fetch>'
    body = fetch(crm, "contacts", xml)
    assert body["@odata.context"] == f"{crm.base}$metadata#contacts"
    (row,) = body["value"]
    assert set(row) == {"@odata.etag", "lastname", "_parentcustomerid_value", "contactid"}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('attribute="lastname" operator="ne" value="Ann"', "Bob Cid Dan"),
        ('attribute="lastname" operator="like" value="%n%"', "Ann Dan"),
        ('attribute="lastname" operator="not-like" value="%n%"', "Bob Cid"),
        ('attribute="lastname" operator="begins-with" value="c"', "Cid"),
        ('attribute="lastname" operator="ends-with" value="b"', "Bob"),
        ('attribute="creditlimit" operator="ge" value="200"', "Bob Cid"),
        ('attribute="creditlimit" operator="null"', "Dan"),
        ('attribute="creditlimit" operator="not-null"', "Ann Bob Cid"),
        ('attribute="createdon" operator="today"', "Ann Bob Cid Dan"),
        ('attribute="createdon" operator="last-x-days" value="1"', "Ann Bob Cid Dan"),
        ('attribute="createdon" operator="on-or-after" value="2026-07-02"', ""),
        ('attribute="ownerid" operator="eq-userid"', "Ann Bob Cid Dan"),
        ('attribute="lastname" operator="eq" valueof="fullname"', "Ann Bob Cid Dan"),
    ],
)
def test_conditions(crm, condition, expected):
    inside = f'<filter><condition {condition}/></filter><order attribute="lastname"/>'
    assert last_names(crm, inside) == expected.split()


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("in", ["ann", "Cid"], "Ann Cid"),
        ("not-in", ["ann", "Cid"], "Bob Dan"),
    ],
)
def test_conditions_with_lists(crm, operator, values, expected):
    listed = "".join(f"<value>{v}</value>" for v in values)
    inside = f'<filter><condition attribute="lastname" operator="{operator}">{listed}</condition></filter><order attribute="lastname"/>'
    assert last_names(crm, inside) == expected.split()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    terms=st.lists(
        st.one_of(
            st.tuples(
                st.just("lastname"),
                st.sampled_from(["eq", "ne", "gt", "le"]),
                st.sampled_from(["Ann", "bob", "C"]),
            ),
            st.tuples(
                st.just("creditlimit"),
                st.sampled_from(["eq", "ne", "ge", "lt"]),
                st.sampled_from(["100", "250"]),
            ),
        ),
        min_size=1,
        max_size=3,
    ),
    joined=st.sampled_from(["and", "or"]),
)
def test_the_same_conditions_find_the_same_rows_as_a_filter(crm, terms, joined):
    conditions = "".join(f'<condition attribute="{a}" operator="{o}" value="{v}"/>' for a, o, v in terms)
    found = last_names(crm, f'<filter type="{joined}">{conditions}</filter>')
    texts = [f"{a} {o} {v if v.isdigit() else repr(v)}" for a, o, v in terms]
    query = f"description eq 'mine' and ({f' {joined} '.join(texts)})"
    rows = crm.read(f"contacts?$select=lastname&$filter={query}")["value"]
    assert sorted(found) == sorted(row["lastname"] for row in rows)


def test_nested_filters(crm):
    inside = (
        '<filter type="or"><condition attribute="lastname" operator="eq" value="Dan"/>'
        '<filter type="and"><condition attribute="creditlimit" operator="between"><value>150</value><value>250</value></condition>'
        '<condition attribute="lastname" operator="eq" value="Bob"/></filter></filter><order attribute="lastname" descending="true"/>'
    )
    assert last_names(crm, inside) == ["Dan", "Bob"]


def test_an_inner_link_leaves_out_what_has_no_partner_and_filters_by_it(crm):
    link = '<link-entity name="account" from="accountid" to="parentcustomerid" alias="a">{}</link-entity><order attribute="lastname"/>'
    assert last_names(crm, link.format("")) == ["Ann", "Bob", "Cid"]
    named = '<filter><condition attribute="name" operator="eq" value="Beta"/></filter>'
    assert last_names(crm, link.format(named)) == ["Cid"]
    outside = (
        link.format("")
        + '<filter><condition entityname="a" attribute="name" operator="eq" value="Alpha"/></filter>'
    )
    assert last_names(crm, outside) == ["Ann", "Bob"]


def test_an_outer_link_keeps_them_and_its_conditions_join(crm):
    inside = (
        '<link-entity name="account" from="accountid" to="parentcustomerid" link-type="outer" alias="a">'
        '<attribute name="name"/><attribute name="ownerid" alias="boss"/>'
        '<filter><condition attribute="name" operator="eq" value="Alpha"/></filter></link-entity><order attribute="lastname"/>'
    )
    xml = f'<fetch><entity name="contact"><attribute name="lastname"/><filter><condition attribute="description" operator="eq" value="mine"/></filter>{inside}</entity></fetch>'
    rows = fetch(crm, "contacts", xml)["value"]
    assert [(r["lastname"], r.get("a.name"), "boss" in r) for r in rows] == [
        ("Ann", "Alpha", True),
        ("Bob", "Alpha", True),
        ("Cid", None, False),
        ("Dan", None, False),
    ]


def test_who_has_no_partner_can_be_found(crm):
    inside = (
        '<link-entity name="account" from="accountid" to="parentcustomerid" link-type="outer" alias="a"/>'
        '<filter><condition entityname="a" attribute="accountid" operator="null"/></filter>'
    )
    assert last_names(crm, inside) == ["Dan"]


def test_a_link_to_many_multiplies_rows_and_distinct_folds_them(crm):
    xml = (
        '<fetch {}><entity name="account"><attribute name="name"/><filter><condition attribute="description" operator="eq" value="mine"/></filter>'
        '<link-entity name="contact" from="parentcustomerid" to="accountid" alias="c"/><order attribute="name"/></entity></fetch>'
    )
    assert [r["name"] for r in fetch(crm, "accounts", xml.format(""))["value"]] == ["Alpha", "Alpha", "Beta"]
    assert [r["name"] for r in fetch(crm, "accounts", xml.format('distinct="true"'))["value"]] == [
        "Alpha",
        "Beta",
    ]


def test_aggregates(crm):
    xml = (
        '<fetch aggregate="true"><entity name="contact"><filter><condition attribute="description" operator="eq" value="mine"/></filter>'
        '<attribute name="contactid" alias="n" aggregate="count"/><attribute name="creditlimit" alias="known" aggregate="countcolumn"/>'
        '<attribute name="creditlimit" alias="total" aggregate="sum"/><attribute name="creditlimit" alias="mean" aggregate="avg"/>'
        '<attribute name="creditlimit" alias="least" aggregate="min"/></entity></fetch>'
    )
    assert fetch(crm, "contacts", xml)["value"] == [
        {"n": 4, "known": 3, "total": 600, "mean": 200, "least": 100}
    ]


def test_aggregates_by_group_with_a_link_and_by_part_of_a_date(crm):
    xml = (
        '<fetch aggregate="true"><entity name="contact"><filter><condition attribute="description" operator="eq" value="mine"/></filter>'
        '<attribute name="contactid" alias="n" aggregate="count"/><attribute name="birthdate" alias="born" groupby="true" dategrouping="year"/>'
        '<link-entity name="account" from="accountid" to="parentcustomerid" alias="a"><attribute name="name" alias="firm" groupby="true"/></link-entity>'
        '<order alias="n" descending="true"/></entity></fetch>'
    )
    assert fetch(crm, "contacts", xml)["value"] == [
        {"n": 2, "born": 1990, "firm": "Alpha"},
        {"n": 1, "born": 1990, "firm": "Beta"},
    ]


def test_pages_by_the_cookie_as_the_vendors_client_does(crm):
    """The cookie is decoded twice and goes into `paging-cookie`, with the next number in `page`."""
    root = ET.fromstring('<fetch count="7"><entity name="account"><attribute name="name"/></entity></fetch>')
    seen = []
    while True:
        body = fetch(crm, "accounts", ET.tostring(root, "unicode"), Prefer=PAGING)
        seen += [row["accountid"] for row in body["value"]]
        if not body[f"{CRM}morerecords"]:
            break
        cookie = ET.fromstring(body[f"{CRM}fetchxmlpagingcookie"])
        inner = unquote(unquote(cookie.attrib["pagingcookie"]))
        assert ET.fromstring(inner).find("accountid") is not None
        root.set("page", cookie.attrib["pagenumber"])
        root.set("paging-cookie", inner)
    assert len(seen) == len(set(seen)) == 33
    assert f"{CRM}fetchxmlpagingcookie" not in body


def test_the_total_is_told_when_it_was_asked_for(crm):
    xml = '<fetch count="2" returntotalrecordcount="true"><entity name="account"><attribute name="name"/></entity></fetch>'
    assert fetch(crm, "accounts", xml, Prefer='odata.include-annotations="*"')[f"{CRM}totalrecordcount"] == 33


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        ("<fetch", "0x80040201"),
        ("<nothing/>", "0x80041100"),
        (
            f'<fetch><entity name="contact">{"<filter>" * 500}{"</filter>" * 500}</entity></fetch>',
            "0x80060888",
        ),
        ('<fetch><entity name="contact"><attribute name="nam"/></entity></fetch>', "0x80041103"),
        (
            '<fetch><entity name="contact"><link-entity name="nothing" from="a" to="b"/></entity></fetch>',
            "0x80041102",
        ),
        (
            '<fetch><entity name="contact"><filter><condition attribute="nam" operator="null"/></filter></entity></fetch>',
            "0x80041103",
        ),
        (
            '<fetch><entity name="contact"><filter><condition attribute="lastname" operator="sounds-like" value="x"/></filter></entity></fetch>',
            "0x80060888",
        ),
        ('<fetch top="3" page="1"><entity name="contact"/></fetch>', "0x80060888"),
        ('<fetch><entity name="account"/></fetch>', "0x80060888"),
        ('<fetch count="-1"><entity name="contact"/></fetch>', "0x80060888"),
        (
            '<fetch><entity name="contact"><filter><condition entityname="z" attribute="lastname" operator="null"/></filter></entity></fetch>',
            "0x80060888",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(crm, xml, code):
    answer = crm.call("GET", f"contacts?fetchXml={quote(xml)}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
