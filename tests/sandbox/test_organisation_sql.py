"""SELECT statements over the Web API, as the vendor's client puts them."""

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PEOPLE = [("Ann", 0, 100), ("Bob", 0, 200), ("Cid", 1, 300), ("Dan", None, None)]


@pytest.fixture
def crm(crm):
    """Two companies with people: Ann and Bob of Alpha, Cid of Beta, Dan of none."""
    for number, name in enumerate(["Alpha", "Beta"]):
        crm.call("PATCH", f"accounts(tl_customerkey='a{number}')", {"name": name, "description": "mine"})
    for last, account, limit in PEOPLE:
        body = {"lastname": last, "creditlimit": limit, "description": "mine"}
        if account is not None:
            body["parentcustomerid_account@odata.bind"] = f"/accounts(tl_customerkey='a{account}')"
        crm.call("PATCH", f"contacts(tl_customerkey='{last}')", body)
    return crm


def ask(crm, entity_set, statement):
    return crm.call("GET", f"{entity_set}?sql={quote(statement, safe='')}")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("lastname = 'ann'", "Ann"),
        ("lastname <> 'Ann' AND creditlimit >= 200", "Bob Cid"),
        ("creditlimit < 300 OR lastname LIKE 'D%'", "Ann Bob Dan"),
        ("lastname IN ('Ann', 'Dan')", "Ann Dan"),
        ("lastname NOT IN ('Ann', 'Dan')", "Bob Cid"),
        ("lastname NOT LIKE '%n%'", "Bob Cid"),
        ("creditlimit IS NULL", "Dan"),
        ("creditlimit IS NOT NULL AND (lastname = 'Ann' OR lastname = 'Dan')", "Ann"),
        ("creditlimit BETWEEN 150 AND 300", "Bob Cid"),
    ],
)
def test_conditions(crm, where, expected):
    statement = f"SELECT lastname FROM contact WHERE description = 'mine' AND ({where}) ORDER BY lastname"
    rows = ask(crm, "contacts", statement).json()["value"]
    assert rows == [{"lastname": name} for name in expected.split()]


JOINED = """
    SELECT a.name, c.lastname AS person FROM account a JOIN contact c ON a.accountid = c.parentcustomerid
    WHERE a.description = 'mine' ORDER BY c.lastname DESC
"""
COUNTED = """
    SELECT a.name, COUNT(c.contactid) as cnt FROM account a INNER JOIN contact c ON c.parentcustomerid = a.accountid
    WHERE a.description = 'mine' GROUP BY a.name ORDER BY cnt DESC
"""
SUMMED = """
    SELECT COUNT(*), SUM(contact.creditlimit) s FROM account JOIN contact ON contact.parentcustomerid = account.accountid
    WHERE account.description = 'mine' AND contact.description = 'mine'
"""


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (JOINED, [("Beta", "Cid"), ("Alpha", "Bob"), ("Alpha", "Ann")]),
        (COUNTED, [("Alpha", 2), ("Beta", 1)]),
        (SUMMED, [(3, 600)]),
        ("SELECT DISTINCT Description AS What FROM Account WHERE description = 'mine'", [("mine",)]),
        ("SELECT TOP 1 name FROM account WHERE description = 'mine' ORDER BY name DESC", [("Beta",)]),
        (
            "SELECT name FROM account WHERE description = 'mine' ORDER BY name OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY",
            [("Beta",)],
        ),
        ("SELECT DISTINCT description FROM account WHERE description = 'mine'", [("mine",)]),
    ],
)
def test_joins_and_aggregates(crm, statement, expected):
    answer = ask(crm, "accounts", statement)
    assert [tuple(row.values()) for row in answer.json()["value"]] == expected


def test_a_left_join_keeps_rows_without_a_partner(crm):
    statement = (
        "SELECT c.lastname, a.name FROM contact c LEFT OUTER JOIN account a ON c.parentcustomerid = a.accountid "
        "WHERE c.description = 'mine' ORDER BY c.lastname"
    )
    rows = ask(crm, "contacts", statement).json()["value"]
    assert [(r["lastname"], r["name"]) for r in rows] == [
        ("Ann", "Alpha"),
        ("Bob", "Alpha"),
        ("Cid", "Beta"),
        ("Dan", None),
    ]


def test_pages_follow_a_next_link_whose_cookie_moves_on(crm):
    link, seen, links = f"accounts?sql={quote('SELECT accountid FROM account ORDER BY name')}", [], set()
    while link:
        body = crm.read(link, Prefer="odata.maxpagesize=10")
        seen += [row["accountid"] for row in body["value"]]
        link = body.get("@odata.nextLink", "")
        assert link not in links
        links.add(link)
    assert len(seen) == len(set(seen)) == 32


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM account",
        "SELECT TOP 5001 name FROM account",
        "SELECT name FROM contact",
        "SELECT name FROM nothing",
        "SELECT nam FROM account",
        "SELECT statecode FROM account a JOIN contact c ON a.accountid = c.parentcustomerid",
        "SELECT name FROM account WHERE name = lastname",
        "SELECT name, COUNT(*) FROM account",
        "SELECT name FROM account GROUP BY name HAVING COUNT(*) > 1",
        "SELECT name FROM account UNION SELECT name FROM account",
        "SELECT name FROM account WHERE name IN (SELECT name FROM account)",
        "SELECT a.name FROM account a JOIN contact a ON a.accountid = a.accountid",
        "DELETE FROM account",
        "",
    ],
)
def test_what_is_not_supported_is_refused(crm, statement):
    answer = ask(crm, "accounts", statement)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"].startswith("0x8")


WORDS = [
    "select",
    "from",
    "account",
    "contact",
    "a",
    "c",
    "name",
    "lastname",
    "accountid",
    "a.name",
    ",",
    "(",
    ")",
    "=",
    "<>",
    "in",
    "like",
    "between",
    "is",
    "not",
    "null",
    "and",
    "or",
    "where",
    "group",
    "by",
    "order",
    "join",
    "left",
    "on",
    "as",
    "count(*)",
    "sum(creditlimit)",
    "'x'",
    "5",
    "desc",
    "distinct",
    ".",
    ";",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(
    head=st.sampled_from(["", "select name from account", "select count(*) n from account a"]),
    tail=st.lists(st.sampled_from(WORDS), max_size=9),
)
def test_every_statement_is_answered(crm, head, tail):
    assert ask(crm, "accounts", f"{head} {' '.join(tail)}").status_code in (200, 400)
