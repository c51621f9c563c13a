"""Lists of the organisation: `$filter`, `$orderby`, pages, expansion."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = ["Alpha", "beta", "Beta Ltd", "Gamma's", "100% Tea", "100 Tea"]


@pytest.fixture
def accounts(crm):
    for number, name in enumerate(NAMES):
        body = {"name": name, "numberofemployees": number * 10, "description": "mine"}
        crm.call("PATCH", f"accounts(tl_customerkey='k{number}')", body)
    return crm


def names(crm, query):
    return {row["name"] for row in crm.read(f"accounts?$select=name&{query}")["value"]}


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("name eq 'BETA'", {"beta"}),
        ("name eq 'Gamma''s'", {"Gamma's"}),
        ("startswith(name,'beta')", {"beta", "Beta Ltd"}),
        ("endswith(name, 'ltd')", {"Beta Ltd"}),
        ("contains(name,'%25 t')", {"100% Tea", "100 Tea"}),
        ("numberofemployees gt 30", {"100% Tea", "100 Tea"}),
        ("numberofemployees ge 10 and numberofemployees lt 30", {"beta", "Beta Ltd"}),
        ("name eq 'Alpha' or (name eq 'beta' and not numberofemployees eq 0)", {"Alpha", "beta"}),
        ("tl_customerkey eq 'K3' and numberofemployees eq 30", {"Gamma's"}),
        ("numberofemployees ne 0", set(NAMES) - {"Alpha"}),
        ("telephone1 eq null", set(NAMES)),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='tl_customerkey',PropertyValues=['k0','k1'])",
            {"Alpha", "beta"},
        ),
    ],
)
def test_filter(accounts, test, expected):
    assert names(accounts, f"$filter=description eq 'mine' and ({test})") == expected


@pytest.mark.parametrize(
    "query",
    [
        "$select=nam",
        "$filter=nam eq 1",
        "$filter=name eq",
        "$orderby=nam",
        "$expand=nam",
        "$skip=5",
        "$top=0",
    ],
)
def test_what_cannot_be_read_is_refused(accounts, query):
    answer = accounts.call("GET", f"accounts?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")


def test_an_unknown_property_is_named(accounts):
    message = accounts.call("GET", "accounts?$select=nam").json()["error"]["message"]
    assert message == "Could not find a property named 'nam' on type 'Microsoft.Dynamics.CRM.account'."


def test_select_brings_key_and_etag_and_the_currency_of_money(accounts):
    (row,) = accounts.read("accounts?$select=creditlimit&$filter=name eq 'Alpha'")["value"]
    assert set(row) == {"@odata.etag", "creditlimit", "_transactioncurrencyid_value", "accountid"}


def test_order_top_and_count(accounts):
    query = "accounts?$select=name&$filter=description eq 'mine'&$orderby=numberofemployees desc&$top=2&$count=true"
    body = accounts.read(query)
    assert [row["name"] for row in body["value"]] == ["100 Tea", "100% Tea"]
    assert "@odata.nextLink" not in body
    assert accounts.call("GET", "accounts/$count?$filter=description eq 'mine'").text == "6"


def test_encoded_options_are_understood(accounts):
    assert names(accounts, "%24filter=name+eq+%27Alpha%27") == {"Alpha"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(size=st.integers(1, 40))
def test_following_next_links_meets_every_row_once(crm, size):
    prefer = f"odata.maxpagesize={size}"
    link, seen = "accounts?$select=name&$filter=statecode eq 0", []
    while link:
        body = crm.read(link, Prefer=prefer)
        assert len(body["value"]) <= size
        seen += [row["accountid"] for row in body["value"]]
        link = body.get("@odata.nextLink", "")
    assert len(seen) == len(set(seen)) == 30


def test_the_page_size_is_echoed_and_ignores_top(crm):
    answer = crm.call("GET", "accounts?$select=name&$top=3", Prefer="odata.maxpagesize=7")
    assert answer.headers["Preference-Applied"] == "odata.maxpagesize=7"
    assert len(answer.json()["value"]) == 7


def test_expand_of_a_single_lookup(crm):
    query = "contacts?$select=lastname&$expand=parentcustomerid_account($select=name)&$top=1"
    (row,) = crm.read(query)["value"]
    assert set(row["parentcustomerid_account"]) == {"@odata.etag", "name", "accountid"}
