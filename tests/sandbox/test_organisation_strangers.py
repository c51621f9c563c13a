"""Whatever a stranger asks, the organisation answers: a result or a refusal with a code, never a failure of its own."""

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WORDS = [
    "name", "accountid", "_primarycontactid_value", "primarycontactid", "contact_customer_accounts", "creditlimit",
    "createdon", "statecode", "donotphone", "ownerid", "eq", "ne", "gt", "le", "and", "or", "not", "null", "true",
    "'a'", "''", "'it''s'", "5", "-1.5", "1e3", "2026-07-01", "2026-07-01T00:00:00Z", "9999-99-99", "(", ")", "[", "]",
    ",", ";", "=", ":", "/", "@p", "$select=", "$expand=", "$filter=", "$top=1", "any(c:c/lastname eq 'a')", "all(", "any()",
    "contains(name,'[')", "startswith(", "Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['a'])",
    "Microsoft.Dynamics.CRM.LastXYears(PropertyName='createdon',PropertyValue=9999)", "$count as n",
    "creditlimit with sum as n", "aggregate(", "groupby((", "filter(", "))", "$ref", "$it", "*", "%", "\x00", "ß", "😀",
    "00000000-0000-0000-0000-000000000000", "(LogicalName='account')", "Attributes", "Keys", "<a/>",
]  # fmt: skip
OPTIONS = [
    "$select",
    "$filter",
    "$orderby",
    "$top",
    "$count",
    "$expand",
    "$apply",
    "$skiptoken",
    "$deltatoken",
    "fetchXml",
]
PREFER = ["", "odata.track-changes", 'odata.include-annotations="*"', "odata.maxpagesize=2"]
PATHS = ["accounts", "accounts/$count", "accounts({})", "accounts({})/contact_customer_accounts", "EntityDefinitions",
    "EntityDefinitions(LogicalName='account')/Attributes", "accounts({})/primarycontactid", "RelationshipDefinitions"]  # fmt: skip
words = st.lists(st.sampled_from(WORDS), max_size=7).flatmap(
    lambda found: st.sampled_from(["", " "]).map(lambda gap: gap.join(found))
)
STATUSES = (200, 204, 400, 404, 405, 410)


def is_answered(answer):
    if answer.status_code not in STATUSES:
        return False
    return answer.status_code < 400 or answer.json()["error"]["code"].startswith("0x8")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=250, deadline=None)
@given(
    path=st.sampled_from(PATHS),
    options=st.dictionaries(st.sampled_from(OPTIONS), words, min_size=1, max_size=2),
    prefer=st.sampled_from(PREFER),
)
def test_every_query_is_answered(crm, path, options, prefer):
    row = crm.read("accounts?$select=name&$top=1")["value"][0]["accountid"]
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
    assert is_answered(crm.call("GET", f"{path.format(row)}?{query}", Prefer=prefer))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    head=st.sampled_from(
        ["", "accounts", "accounts(", "EntityDefinitions", "EntityDefinitions(", "RetrieveTotalRecordCount("]
    ),
    tail=words,
    method=st.sampled_from(["GET", "PUT", "PATCH", "DELETE", "HEAD"]),
)
def test_every_address_is_answered(crm, head, tail, method):
    answer = crm.call(
        method, quote(f"{head}{tail}", safe="/()='$"), {} if method in ("PUT", "PATCH") else None
    )
    assert answer.status_code in STATUSES


CONDITIONS = [
    "eq",
    "ne",
    "in",
    "like",
    "between",
    "today",
    "last-x-days",
    "null",
    "eq-userid",
    "contain-values",
    "on",
    "x",
]
COLUMNS = ["name", "creditlimit", "createdon", "statecode", "ownerid", "accountid", "donotphone", "nothing"]
VALUES = ["", "a", "1", "-1", "2026-07-01", "99999999999", "[z-a]", "true"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    column=st.sampled_from(COLUMNS),
    operator=st.sampled_from(CONDITIONS),
    values=st.lists(st.sampled_from(VALUES), max_size=3),
    aggregate=st.sampled_from(["", "sum", "avg", "max", "countcolumn", "nonsense"]),
    order=st.sampled_from(COLUMNS),
)
def test_every_fetch_is_answered(crm, column, operator, values, aggregate, order):
    listed = "".join(f"<value>{value}</value>" for value in values)
    shown = (
        f'<attribute name="{column}" alias="x" aggregate="{aggregate}"/>'
        if aggregate
        else f'<order attribute="{order}"/>'
    )
    xml = (
        f'<fetch aggregate="{str(bool(aggregate)).lower()}"><entity name="account">{shown}<filter>'
        f'<condition attribute="{column}" operator="{operator}">{listed}</condition></filter></entity></fetch>'
    )
    assert is_answered(crm.call("GET", f"accounts?fetchXml={quote(xml, safe='')}"))


def nested(depth):
    """JSON of that many objects in each other."""
    return '{"name":' * depth + "1" + "}" * depth


def post(crm, path, body, kind="application/json"):
    return crm.client.post(crm.base + path, content=body, headers={**crm.headers, "Content-Type": kind})


BODY_PATHS = ["accounts", "accounts({})/contact_customer_accounts", "CancelSalesOrder", "BulkDelete", "StageSolution",
    "accounts/Microsoft.Dynamics.CRM.CreateMultiple", "EntityDefinitions(LogicalName='account')/Keys"]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [nested(99), nested(101), nested(5000), "[" * 100_000, b'{"name":"\xff"}', "nonsense", "null", '{"name":NaN}', "[]"],
    ids=["99 deep", "101 deep", "5000 deep", "lists", "no UTF-8", "no JSON", "null", "NaN", "list"],
)  # fmt: skip
def test_every_body_is_answered(crm, body):
    row = crm.read("accounts?$select=name&$top=1")["value"][0]["accountid"]
    for path in BODY_PATHS:
        answer = post(crm, path.format(row), body)
        assert answer.status_code == 400, path
        assert answer.json()["error"]["code"].startswith("0x8")


def test_half_a_character_does_not_spoil_what_is_read_later(crm):
    assert post(crm, "accounts", b'{"name":"\\ud800","tl_customerkey":"half"}').status_code == 204
    assert crm.read("accounts(tl_customerkey='half')?$select=name")["name"] == "?"
    assert crm.call("GET", "accounts").status_code == 200
    named = post(crm, "accounts", b'{"\\ud800":1}')
    assert (named.status_code, named.json()["error"]["code"]) == (400, "0x80048d19")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "nonsense"]
)
def test_a_body_that_says_it_is_no_json_is_refused(crm, kind):
    answer = post(crm, "accounts", '{"name":"A"}', kind)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "0x80060888")


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "application/json;odata.metadata=full", "Application/JSON"]
)
def test_json_goes_by_several_names(crm, kind):
    assert post(crm, "accounts", '{"name":"A"}', kind).status_code == 204


def test_fetchxml_declares_nothing(crm):
    xml = '<!DOCTYPE a [<!ENTITY b "c">]><fetch><entity name="account">&b;</entity></fetch>'
    answer = crm.call("GET", f"accounts?fetchXml={quote(xml)}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80040201")
