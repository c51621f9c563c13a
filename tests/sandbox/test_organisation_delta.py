"""Change tracking as the vendor documents it: rows, a delta link on the last page, what changed, what is gone."""

from datetime import timedelta
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagline.sandbox.dataverse_schema import tables

TRACK = "odata.track-changes"
DAY_S = 86_400
SYNC = "Version stamp associated with the client has expired. Please perform a full sync."


def walk(crm, link, prefer=TRACK):
    """Every row of a read with its pages, and the delta link at its end."""
    rows = []
    while True:
        body = crm.read(link, Prefer=prefer)
        rows += body["value"]
        if "@odata.deltaLink" in body:
            assert "@odata.nextLink" not in body
            return rows, body["@odata.deltaLink"]
        link = body["@odata.nextLink"]


def put(crm, key, name):
    answer = crm.call(
        "PATCH", f"accounts(tl_customerkey='{key}')", {"name": name}, Prefer="return=representation"
    )
    return answer.json()["accountid"]


def split(rows):
    return {r["accountid"]: r["name"] for r in rows if "reason" not in r}, [
        r["id"] for r in rows if "reason" in r
    ]


def test_the_first_read_gives_every_row_and_a_link_with_a_token(crm):
    answer = crm.call("GET", "accounts?$select=name", Prefer=TRACK)
    body = answer.json()
    assert answer.headers["Preference-Applied"] == TRACK
    assert len(body["value"]) == 30
    link = body["@odata.deltaLink"]
    assert link.startswith(f"{crm.base}accounts?$select=name&$deltatoken=")
    version, _, at = unquote(link.partition("$deltatoken=")[2]).partition("!")
    assert version.isdigit()
    assert at == "07/01/2026 15:30:00"


def test_pages_carry_the_link_on_the_last_one_only(crm):
    rows, link = walk(crm, "accounts?$select=name", f"{TRACK}, odata.maxpagesize=7")
    assert len({r["accountid"] for r in rows}) == len(rows) == 30
    assert "$deltatoken=" in link
    assert "skiptoken" not in link


def test_changes_come_with_present_values_of_the_selection_and_removed_rows_last(crm):
    kept, gone = put(crm, "kept", "before"), put(crm, "gone", "before")
    _, link = walk(crm, "accounts?$select=name")
    crm.call("DELETE", f"accounts({gone})")
    new = put(crm, "new", "N")
    put(crm, "kept", "between")
    put(crm, "kept", "after")
    body = crm.read(link)
    assert body["@odata.context"] == f"{crm.base}$metadata#accounts/$delta"
    assert [set(r) for r in body["value"][:2]] == [{"@odata.etag", "name", "accountid"}] * 2
    assert [(r["accountid"], r["name"]) for r in body["value"][:2]] == [(new, "N"), (kept, "after")]
    removed = {
        "@odata.context": f"{crm.base}$metadata#accounts/$deletedEntity",
        "id": gone,
        "reason": "deleted",
    }
    assert body["value"][2:] == [removed]
    assert crm.read(body["@odata.deltaLink"])["value"] == []


def test_a_row_that_came_and_went_is_reported_as_deleted_only(crm):
    _, link = walk(crm, "accounts?$select=name")
    crm.call("DELETE", f"accounts({put(crm, 'x', 'X')})")
    assert [r["reason"] for r in crm.read(link)["value"]] == ["deleted"]


def fail_after_creating(organisation):
    with organisation.rows.transaction():
        organisation.records.create(tables()["account"], {"name": "C"})
        raise ZeroDivisionError


def test_a_refused_write_and_one_taken_back_leave_no_change(crm, sandbox):
    organisation = sandbox.organisations["dev"]
    _, link = walk(crm, "accounts?$select=name")
    put(crm, "a", "A")
    before = crm.read(link)["value"]
    assert crm.call("POST", "accounts", {"name": "B", "tl_customerkey": "a"}).status_code == 412
    with pytest.raises(ZeroDivisionError):
        fail_after_creating(organisation)
    assert crm.read(link)["value"] == before


def test_the_number_of_changes_can_be_asked_for(crm):
    _, link = walk(crm, "accounts?$select=name")
    crm.call("DELETE", f"accounts({put(crm, 'a', 'A')})")
    put(crm, "b", "B")
    token = link.partition("$deltatoken=")[2]
    assert crm.call("GET", f"accounts/$count?$deltatoken={token}").text.lstrip("\ufeff") == "2"


@pytest.mark.parametrize(
    "option", ["$filter=name eq 'a'", "$orderby=name", "$expand=primarycontactid", "$top=3"]
)
def test_options_that_tracking_does_not_take(crm, option):
    answer = crm.call("GET", f"accounts?{option}", Prefer=TRACK)
    name = option.partition("=")[0]
    expected = f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.'
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, expected)


@pytest.mark.parametrize(("days", "status"), [(7, 200), (8, 410)])
def test_a_token_expires_with_the_organisations_retention(
    crm, clock, connect_crm, sandbox, client, days, status
):
    _, link = walk(crm, "accounts?$select=name")
    clock.advance(days * DAY_S)
    answer = connect_crm(sandbox, client).call("GET", link)
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["error"] == {"code": "0x80044352", "message": SYNC}


def test_the_retention_is_the_organisations_own(crm, clock, connect_crm, sandbox, client):
    sandbox.organisations["dev"].tracking.retention = timedelta(days=30)
    _, link = walk(crm, "accounts?$select=name")
    clock.advance(29 * DAY_S)
    assert connect_crm(sandbox, client).call("GET", link).status_code == 200


def test_tokens_can_be_made_stale_by_table(crm, sandbox):
    organisation = sandbox.organisations["dev"]
    _, accounts = walk(crm, "accounts?$select=name")
    _, contacts = walk(crm, "contacts?$select=lastname")
    organisation.tracking.expire(organisation.rows, tables()["account"])
    assert crm.call("GET", accounts).json()["error"]["code"] == "0x80044352"
    assert crm.call("GET", contacts).status_code == 200
    _, fresh = walk(crm, "accounts?$select=name")
    assert crm.call("GET", fresh).status_code == 200


def test_a_script_can_make_tokens_stale_over_the_wire(crm):
    _, link = walk(crm, "accounts?$select=name")
    page = crm.base.replace("api/data/v9.2/", "_sandbox/expire-changes")
    assert crm.call("POST", page, {"table": "nonsense"}).status_code == 400
    assert crm.call("POST", page, {"table": "account"}).status_code == 200
    assert crm.call("GET", link).json()["error"]["code"] == "0x80044352"


def test_a_token_of_another_organisation_is_stale_and_nonsense_is_refused(crm):
    foreign = "accounts?$deltatoken=99999999%2107%2F01%2F2026%2015:30:00"
    assert crm.call("GET", foreign).json()["error"]["code"] == "0x80044352"
    assert crm.call("GET", "accounts?$deltatoken=nonsense").status_code == 400


def test_a_table_without_tracking_refuses(crm):
    definition = crm.read("EntityDefinitions(LogicalName='orderclose')?$select=ChangeTrackingEnabled")
    assert definition["ChangeTrackingEnabled"] is False
    assert crm.call("GET", "ordercloses", Prefer=TRACK).status_code == 400


STEPS = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 4), st.text("ab", min_size=1, max_size=2)),
    st.tuples(st.just("delete"), st.integers(0, 4), st.just("")),
    st.tuples(st.just("page"), st.integers(1, 2), st.just("")),
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=80,
    deadline=None,
)
@given(steps=st.lists(STEPS, min_size=5, max_size=40), size=st.integers(1, 3))
def test_a_copy_kept_by_delta_links_equals_the_table(crm, steps, size):
    """Writes fall between the pages of the first read and of every delta; no change is lost and no row is met twice in one delta."""
    copy, link, met = {}, "pricelevels?$select=description", set()

    def page(size):
        nonlocal link
        is_first_of_a_delta = "deltatoken" in link and "skiptoken" not in link
        body = crm.read(link, Prefer=f"{TRACK},odata.maxpagesize={size}")
        assert len(body["value"]) <= size
        for row in body["value"]:
            key = row.get("pricelevelid") or row["id"]
            assert key not in met
            met.add(key)
            if "reason" in row:
                copy.pop(key, None)
            else:
                copy[key] = row["description"]
        if ended := "@odata.deltaLink" in body:
            met.clear()
        link = body["@odata.deltaLink"] if ended else body["@odata.nextLink"]
        return is_first_of_a_delta and ended and not body["value"]

    for step, number, text in steps:
        if step == "page":
            page(number)
        elif step == "put":
            crm.call("PATCH", f"pricelevels(name='k{number}')", {"description": text})
        else:
            crm.call("DELETE", f"pricelevels(name='k{number}')")
    while not page(size):
        pass
    held = crm.read("pricelevels?$select=description")["value"]
    assert copy == {row["pricelevelid"]: row["description"] for row in held}
