import json
import logging
import re
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from tagline.connectors.dataverse import Account, Product, SalesOrder, SalesOrderDetail
from tagline.connectors.odata.batch import requests_of
from tagline.domain.exchange import ROW_CHANGED, ROW_EXISTS, Write, WriteKind
from tagline.domain.model import ref
from tagline.errors import (
    Disposition,
    NotAuthorisedError,
    RecordError,
    RefusedError,
    TryAgainError,
)

ROOT = "/api/data/v9.2"
ONE = "00000000-0000-0000-0000-000000000001"
TWO = "00000000-0000-0000-0000-000000000002"
DONE, RETRY, DEAD = Disposition.DONE, Disposition.RETRY, Disposition.DEAD_LETTER
ETAG = 'W/"12"'


def key(value):
    return (("tl_customerkey", value),)


def error(status, code, message="canary", **headers):
    return (status, headers, {"error": {"code": code, "message": message}})


def account(row_id, **values):
    return (200, {}, {"@odata.etag": ETAG, "accountid": row_id, **values})


@pytest.fixture
def serving(multipart):
    """An organisation that answers batches with these parts, and the inner requests it saw."""

    def make(*parts):
        seen = []
        waiting = list(parts)

        def organisation(request):
            inner = requests_of(request.headers["content-type"], request.content)
            seen.extend(inner)
            return multipart(*[waiting.pop(0) for _ in inner])

        return organisation, seen

    return make


# --- reading


def test_rows_are_read_by_key_in_one_batch(make_dataverse, serving):
    organisation, seen = serving(
        account(ONE, name="A", tl_customerkey="a"),
        error(404, "0x80060891"),
        error(404, "0x80040217"),
    )
    client = make_dataverse(organisation)
    by_id = (("accountid", TWO),)
    rows = client.read(Account, [key("a"), key("b"), by_id, key("a")], ["name"])
    assert [key("a")] == list(rows)
    assert (rows[key("a")].id, rows[key("a")].etag, rows[key("a")].values) == (ONE, ETAG, {"name": "A"})
    assert [
        f"{ROOT}/accounts(tl_customerkey='a')?$select=accountid,name",
        f"{ROOT}/accounts(tl_customerkey='b')?$select=accountid,name",
        f"{ROOT}/accounts({TWO})?$select=accountid,name",
    ] == [part.url for part in seen]


def test_a_batch_goes_on_after_errors_and_asks_which_table_a_lookup_points_to(make_dataverse, multipart):
    seen = []

    def organisation(request):
        seen.append(request)
        return multipart(account(ONE, name="A"))

    make_dataverse(organisation).read(Account, [key("a")], ["name"])
    [request] = seen
    assert ("POST", f"{ROOT}/$batch") == (request.method, request.url.path)
    assert "odata.continue-on-error" in request.headers["prefer"]
    assert "lookuplogicalname" in request.headers["prefer"]
    assert request.headers["content-type"] == "multipart/mixed; boundary=batch_1"


def test_more_than_a_hundred_keys_are_several_batches(make_dataverse, multipart):
    sizes = []

    def organisation(request):
        inner = requests_of(request.headers["content-type"], request.content)
        sizes.append(len(inner))
        return multipart(*[account(ONE, name=part.url) for part in inner])

    rows = make_dataverse(organisation).read(Account, [key(str(n)) for n in range(230)], ["name"])
    assert (sum(sizes), len(rows)) == (230, 230)
    assert len(sizes) > 1
    assert max(sizes) <= 100
    assert all(f"'{k[0][1]}'" in row.values["name"] for k, row in rows.items())


def test_a_key_that_cannot_be_addressed_is_the_key_of_no_row(make_dataverse):
    client = make_dataverse(lambda r: pytest.fail("sent"))
    assert client.read(Account, [key(""), (("accountid", "new:1"),)], ["name"]) == {}


def test_reading_nothing_sends_nothing(make_dataverse):
    client = make_dataverse(lambda r: pytest.fail("sent"))
    assert (
        client.read(Account, [], ["name"]),
        client.perform([]),
        client.children(SalesOrderDetail, "salesorderid", [], []),
    ) == ({}, [], {})


@pytest.mark.parametrize(
    ("part", "kind", "code"),
    [
        (error(400, "0x80060888"), RecordError, "query-refused"),
        (error(403, "0x80072560"), NotAuthorisedError, "application-user-unusable"),
        (error(500, "0x80040216"), TryAgainError, "remote-failed"),
    ],
)
def test_an_error_of_a_read_is_raised_by_its_disposition(make_dataverse, serving, part, kind, code):
    with pytest.raises(kind) as caught:
        make_dataverse(serving(part)[0]).read(Account, [key("a")], ["name"])
    assert (code, "crm") == (caught.value.code, caught.value.where["connection"])
    assert "canary" not in str(caught.value)


def test_a_throttled_part_of_a_read_tells_when_to_come_back(make_dataverse, serving):
    organisation, _ = serving(error(429, "0x80072322", **{"Retry-After": "17"}))
    with pytest.raises(TryAgainError) as caught:
        make_dataverse(organisation).read(Account, [key("a")], ["name"])
    assert (caught.value.code, caught.value.retry_after_s) == ("remote-throttled", 17)


@pytest.mark.parametrize("etag", ['W/"1"\r\nIf-Match: *', "W/1", 'W/"é"', "", 7], ids=repr)
def test_a_version_that_no_condition_can_carry_is_malformed(make_dataverse, serving, etag):
    """Taken for none, it would let a write overwrite what somebody else wrote meanwhile."""
    row = (200, {}, {"@odata.etag": etag, "accountid": ONE, "name": "A"})
    with pytest.raises(TryAgainError) as caught:
        make_dataverse(serving(row)[0]).read(Account, [key("a")], ["name"])
    assert caught.value.code == "answer-malformed"


def test_a_written_version_that_no_condition_can_carry_is_not_passed_on(make_dataverse, serving):
    answer = (201, {}, {"@odata.etag": 'W/"1"\r\nX: y', "accountid": ONE})
    [outcome] = make_dataverse(serving(answer)[0]).perform([create()])
    assert (outcome.disposition, outcome.etag) == (DONE, None)


def test_a_throttled_part_stops_whatever_comes_after_it(make_dataverse, serving, clock):
    """Its batch was answered with 200, and still nobody may go on at the old pace."""
    organisation, _ = serving(
        error(429, "0x80072322", **{"Retry-After": "17"}), account(TWO), account(ONE), account(TWO)
    )
    client = make_dataverse(organisation)
    began = clock.now()
    client.perform([create(), create()])
    client.read(Account, [key("a"), key("b")], [])
    assert (clock.now() - began).total_seconds() == pytest.approx(17, abs=0.1)


def test_a_key_that_no_address_can_carry_is_sought_by_a_filter(make_dataverse, serving):
    found = {"@odata.etag": ETAG, "accountid": ONE, "tl_customerkey": "a/b%", "name": "A"}
    other = {**found, "accountid": TWO, "tl_customerkey": "a/bc"}
    organisation, seen = serving((200, {}, {"value": [other, found]}))
    rows = make_dataverse(organisation).read(Account, [key("a/b%")], ["name"])
    assert {k: (row.id, row.values) for k, row in rows.items()} == {key("a/b%"): (ONE, {"name": "A"})}
    assert [part.url for part in seen] == [
        f"{ROOT}/accounts?$select=accountid,name,tl_customerkey&$filter=tl_customerkey%20eq%20'a%2Fb%25'"
    ]


def test_two_rows_of_a_key_that_is_none_of_the_organisations_are_told(make_dataverse, serving):
    rows = [{"accountid": row_id, "tl_customerkey": "a/b"} for row_id in (ONE, TWO)]
    with pytest.raises(RecordError) as caught:
        make_dataverse(serving((200, {}, {"value": rows}))[0]).read(Account, [key("a/b")], [])
    assert caught.value.code == "key-ambiguous"


def test_a_row_whose_key_no_address_can_carry_is_made_by_a_post(make_dataverse, serving):
    organisation, seen = serving((201, {}, {"accountid": ONE, "@odata.etag": ETAG}), error(412, "0x80060892"))
    writes = [Write(WriteKind.CREATE, Account, key("a/b"), {"name": "A"})] * 2
    made, late = make_dataverse(organisation).perform(writes)
    assert (made.disposition, made.id, made.etag) == (DONE, ONE, ETAG)
    assert (late.disposition, late.code) == (RETRY, ROW_EXISTS)
    assert (seen[0].method, seen[0].url) == ("POST", f"{ROOT}/accounts?$select=accountid")
    assert json.loads(seen[0].body) == {"tl_customerkey": "a/b", "name": "A"}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"<html>canary"),
        httpx.Response(200, headers={"content-type": "multipart/mixed; boundary=b"}, content=b"--b--\r\n"),
    ],
    ids=["no-batch", "no-part"],
)
def test_an_unreadable_batch_answer_is_tried_again(make_dataverse, answer):
    with pytest.raises(TryAgainError) as caught:
        make_dataverse(lambda r: answer).read(Account, [key("a")], ["name"])
    assert caught.value.code == "answer-malformed"
    assert "canary" not in str(caught.value)


def test_children_are_read_per_parent_and_page_by_page(make_dataverse, multipart):
    def line(number, line_key):
        row_id = f"00000000-0000-0000-0000-0000000000{number:02}"
        return {"@odata.etag": ETAG, "salesorderdetailid": row_id, "tl_linekey": line_key, "quantity": 1}

    link = f"https://org.test{ROOT}/salesorderdetails?$skiptoken=2"
    asked = []

    def organisation(request):
        if request.method == "GET":
            asked.append(str(request.url))
            assert "lookuplogicalname" in request.headers["prefer"]
            return httpx.Response(200, json={"value": [line(13, None)]})
        inner = requests_of(request.headers["content-type"], request.content)
        asked.extend(part.url for part in inner)
        first = {"value": [line(11, "o-1"), line(12, "o-2")], "@odata.nextLink": link}
        return multipart((200, {}, first), (200, {}, {"value": []}))

    found = make_dataverse(organisation).children(
        SalesOrderDetail, "salesorderid", [ONE, TWO, "new:x"], ["quantity"]
    )
    assert list(found) == [ONE, TWO, "new:x"]
    assert (found[TWO], found["new:x"]) == ([], [])
    assert [row.key for row in found[ONE]] == [
        (("tl_linekey", "o-1"),),
        (("tl_linekey", "o-2"),),
        (("salesorderdetailid", "00000000-0000-0000-0000-000000000013"),),
    ]
    assert {"quantity": Decimal(1)} == found[ONE][0].values
    assert f"$filter=_salesorderid_value%20eq%20{ONE}" in asked[0]
    assert link == asked[-1]


def test_a_next_link_to_another_host_is_refused(make_dataverse, multipart):
    page = {"value": [], "@odata.nextLink": "https://evil.test/x"}
    client = make_dataverse(lambda r: multipart((200, {}, page)))
    with pytest.raises(RefusedError) as caught:
        client.children(SalesOrderDetail, "salesorderid", [ONE], ["quantity"])
    assert caught.value.code == "host-refused"


def test_whole_rows_are_fetched_by_id(make_dataverse, serving):
    organisation, _ = serving(account(ONE, name="A", statecode=0), account(TWO, name="x" * 200))
    fetched = make_dataverse(organisation).fetch(Account, [ONE, TWO])
    assert (fetched.records[ONE].name, fetched.records[ONE].statecode) == ("A", 0)
    assert fetched.malformed[TWO][0]["field"] == "name"


def test_a_row_of_another_type_than_the_model_says_spoils_no_other(make_dataverse, serving):
    organisation, _ = serving(account(ONE, name=7), account(TWO, name="B"))
    fetched = make_dataverse(organisation).fetch(Account, [ONE, TWO])
    assert list(fetched.records) == [TWO]
    assert fetched.malformed[ONE][0]["field"] == "name"
    assert "7" not in str(fetched.malformed)


def test_a_row_that_stands_on_two_pages_is_one_child(make_dataverse, multipart):
    def line(quantity):
        return {"@odata.etag": ETAG, "salesorderdetailid": ONE, "tl_linekey": "o-1", "quantity": quantity}

    link = f"https://org.test{ROOT}/salesorderdetails?$skiptoken=2"

    def organisation(request):
        if request.method == "GET":
            return httpx.Response(200, json={"value": [line(2)]})
        return multipart((200, {}, {"value": [line(1)], "@odata.nextLink": link}))

    found = make_dataverse(organisation).children(SalesOrderDetail, "salesorderid", [TWO], ["quantity"])
    assert [row.values for row in found[TWO]] == [{"quantity": Decimal(2)}]


@pytest.mark.parametrize("page", [{}, {"value": 7}, {"value": [7]}, [], {"value": [{"quantity": 1}]}])
def test_a_list_that_is_none_is_tried_again(make_dataverse, multipart, page):
    client = make_dataverse(lambda r: multipart((200, {}, page)))
    with pytest.raises(TryAgainError) as caught:
        client.children(SalesOrderDetail, "salesorderid", [ONE], ["quantity"])
    assert caught.value.code == "answer-malformed"


def test_pages_that_lead_to_each_other_do_not_go_on_for_ever(make_dataverse, multipart):
    def page(number):
        return {
            "value": [],
            "@odata.nextLink": f"https://org.test{ROOT}/salesorderdetails?$skiptoken={number}",
        }

    def organisation(request):
        if request.method == "POST":
            return multipart((200, {}, page(1)))
        return httpx.Response(200, json=page(2 if str(request.url).endswith("1") else 1))

    with pytest.raises(TryAgainError, match="do not end"):
        make_dataverse(organisation).children(SalesOrderDetail, "salesorderid", [ONE], ["quantity"])


def test_the_newest_rows_are_listed_oldest_first(make_dataverse):
    asked = []

    def organisation(request):
        asked.append(dict(request.url.params))
        return httpx.Response(200, json={"value": [{"accountid": TWO}, {"accountid": ONE}]})

    assert make_dataverse(organisation).recent(Account, 2) == [ONE, TWO]
    assert asked == [{"$select": "accountid", "$orderby": "createdon desc,accountid desc", "$top": "2"}]
    assert make_dataverse(lambda r: pytest.fail("sent")).recent(Account, 0) == []


# --- writing


def create(**fields):
    return Write(WriteKind.CREATE, Account, key("k"), {"tl_customerkey": "k", **fields})


def update(etag=ETAG, **fields):
    return Write(WriteKind.UPDATE, Account, key("k"), fields, id=ONE, etag=etag)


def delete(etag=ETAG):
    return Write(WriteKind.DELETE, Account, key("k"), id=ONE, etag=etag)


def act(action, **fields):
    return Write(WriteKind.ACT, SalesOrder, (("tl_orderkey", "o"),), fields, id=ONE, etag=ETAG, action=action)


def test_writes_are_conditional_and_answered_in_their_order(make_dataverse, serving):
    organisation, seen = serving(
        (201, {}, {"@odata.etag": 'W/"1"', "accountid": TWO}),
        (200, {}, {"@odata.etag": 'W/"13"', "accountid": ONE}),
        (204, {}, None),
    )
    outcomes = make_dataverse(organisation).perform([create(name="A"), update(name="B"), delete()])
    assert [(o.disposition, o.id, o.etag) for o in outcomes] == [
        (DONE, TWO, 'W/"1"'),
        (DONE, ONE, 'W/"13"'),
        (DONE, ONE, None),
    ]
    made, changed, removed = seen
    assert ("PATCH", f"{ROOT}/accounts(tl_customerkey='k')?$select=accountid", "*") == (
        made.method,
        made.url,
        made.headers["If-None-Match"],
    )
    assert json.loads(made.body) == {"tl_customerkey": "k", "name": "A"}
    assert ("PATCH", f"{ROOT}/accounts({ONE})?$select=accountid", ETAG) == (
        changed.method,
        changed.url,
        changed.headers["If-Match"],
    )
    assert json.loads(changed.body) == {"name": "B"}
    assert ("DELETE", f"{ROOT}/accounts({ONE})", ETAG) == (
        removed.method,
        removed.url,
        removed.headers["If-Match"],
    )
    assert [made.headers["Prefer"], changed.headers["Prefer"]] == ["return=representation"] * 2


@pytest.mark.parametrize("write", [update(None, name="B"), delete(None)], ids=["update", "delete"])
def test_a_write_of_unknown_version_still_needs_the_row(make_dataverse, serving, write):
    organisation, seen = serving((204, {}, None))
    make_dataverse(organisation).perform([write])
    assert seen[0].headers["If-Match"] == "*"


def test_money_leaves_with_all_its_digits(make_dataverse, serving):
    organisation, seen = serving((204, {}, None))
    fields = {"freightamount": Decimal("0.1000000000000000000001")}
    make_dataverse(organisation).perform([Write(WriteKind.UPDATE, SalesOrder, (), fields, id=ONE)])
    assert seen[0].body == b'{"freightamount":0.1000000000000000000001}'


@pytest.mark.parametrize(
    ("write", "part", "disposition", "code"),
    [
        pytest.param(create(), error(412, "0x80040237"), RETRY, ROW_EXISTS, id="created-by-another"),
        pytest.param(create(), error(412, "0x80060892"), RETRY, ROW_EXISTS, id="key-created-by-another"),
        pytest.param(create(), (412, {}, None), RETRY, ROW_EXISTS, id="create-412-without-body"),
        pytest.param(update(name="B"), (412, {}, None), RETRY, ROW_CHANGED, id="update-412-without-body"),
        pytest.param(update(name="B"), error(412, "0x80060882"), RETRY, ROW_CHANGED, id="changed-by-another"),
        pytest.param(delete(), error(412, "0x80060882"), RETRY, ROW_CHANGED, id="delete-changed-by-another"),
        pytest.param(update(name="B"), error(404, "0x80040217"), RETRY, ROW_CHANGED, id="deleted-by-another"),
        pytest.param(delete(), error(404, "0x80040217"), DONE, "", id="already-deleted"),
        pytest.param(update(name="B"), error(412, "0x80060892"), DEAD, "key-taken", id="key-of-another-row"),
        pytest.param(create(), error(429, "0x80072322"), RETRY, "remote-throttled", id="throttled"),
        pytest.param(create(), error(400, "0x80044331"), DEAD, "text-too-long", id="too-long"),
        pytest.param(create(), error(403, "0x80040220"), Disposition.STOP, "not-permitted", id="privilege"),
        pytest.param(create(), (503, {}, None), RETRY, "remote-unavailable", id="away"),
    ],
)
def test_what_an_answer_means_for_a_write(make_dataverse, serving, *, write, part, disposition, code):
    [outcome] = make_dataverse(serving(part)[0]).perform([write])
    assert (disposition, code) == (outcome.disposition, outcome.code)
    assert "canary" not in str(outcome)


def test_one_failing_write_does_not_stop_the_others(make_dataverse, serving):
    organisation, _ = serving(
        (201, {}, {"accountid": ONE}), error(400, "0x80048d19"), (201, {}, {"accountid": TWO})
    )
    outcomes = make_dataverse(organisation).perform([create(), create(), create()])
    assert [o.disposition for o in outcomes] == [DONE, DEAD, DONE]


def test_a_throttled_write_tells_when_to_come_back(make_dataverse, serving):
    organisation, _ = serving(error(429, "0x80072322", **{"Retry-After": "17"}))
    assert make_dataverse(organisation).perform([create()])[0].retry_after_s == 17


def test_a_refusal_names_the_columns_the_remote_named(make_dataverse, serving):
    text = "The length of the 'name' attribute of the 'account' entity exceeded the maximum. canary"
    [outcome] = make_dataverse(serving(error(400, "0x80044331", text))[0]).perform([create(name="canary")])
    assert "of account about name" in outcome.message
    assert "canary" not in str(outcome)


@pytest.mark.parametrize("kind", [WriteKind.CREATE, WriteKind.UPDATE])
@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("0x80060891", "A record with the specified key values does not exist in product entity"),
        ("0x80040217", f"Product With Id = {TWO} Does Not Exist"),
    ],
)
def test_a_reference_to_no_row_is_a_dead_letter_that_names_the_lookup(
    make_dataverse, serving, kind, code, text
):
    fields = {"productid": ref(Product, productnumber="canary-sku")}
    write = Write(
        kind, SalesOrderDetail, (("tl_linekey", "x"),), fields, id=ONE if kind is WriteKind.UPDATE else None
    )
    [outcome] = make_dataverse(serving(error(404, code, text))[0]).perform([write])
    assert (outcome.disposition, outcome.code) == (DEAD, "reference-absent")
    assert "productid" in outcome.message
    assert "canary" not in str(outcome)


def test_an_updated_row_that_is_gone_is_read_again_though_it_refers_to_others(make_dataverse, serving):
    fields = {"productid": ref(Product, productnumber="p")}
    write = Write(WriteKind.UPDATE, SalesOrderDetail, (("tl_linekey", "x"),), fields, id=ONE)
    text = f"SalesOrderDetail With Id = {ONE} Does Not Exist"
    [outcome] = make_dataverse(serving(error(404, "0x80040217", text))[0]).perform([write])
    assert (outcome.disposition, outcome.code) == (RETRY, ROW_CHANGED)


def test_the_id_is_taken_from_the_address_of_a_row_that_is_not_shown(make_dataverse, serving):
    address = f"https://org.test{ROOT}/accounts({TWO})"
    [outcome] = make_dataverse(serving((204, {"OData-EntityId": address}, None))[0]).perform([create()])
    assert (outcome.disposition, outcome.id) == (DONE, TWO)


def test_a_created_row_of_unknown_id_is_read_again(make_dataverse, serving):
    address = f"https://org.test{ROOT}/accounts(tl_customerkey='k')"
    [outcome] = make_dataverse(serving((204, {"OData-EntityId": address}, None))[0]).perform([create()])
    assert (outcome.disposition, outcome.code) == (RETRY, "answer-incomplete")


def test_a_write_without_a_form_is_its_own_dead_letter(make_dataverse, serving):
    organisation, _ = serving((201, {}, {"accountid": ONE}))
    bad = Write(WriteKind.CREATE, Account, key(""), {"name": "x"})
    outcomes = make_dataverse(organisation).perform([bad, create()])
    assert [(o.disposition, o.code) for o in outcomes] == [(DEAD, "key-not-addressable"), (DONE, "")]


def test_a_submit_is_a_conditional_change_of_state(make_dataverse, serving):
    organisation, seen = serving((200, {}, {"@odata.etag": 'W/"13"', "salesorderid": ONE}))
    [outcome] = make_dataverse(organisation).perform([act("SubmitSalesOrder")])
    assert (outcome.disposition, outcome.id, outcome.etag) == (DONE, ONE, 'W/"13"')
    assert (seen[0].method, seen[0].headers["If-Match"]) == ("PATCH", ETAG)
    assert json.loads(seen[0].body) == {"statecode": 1, "statuscode": 3}


@pytest.mark.parametrize(("action", "status"), [("FulfillSalesOrder", 100001), ("CancelSalesOrder", 4)])
def test_a_closing_action_leaves_an_activity(make_dataverse, serving, action, status):
    organisation, seen = serving((204, {}, None))
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    [outcome] = make_dataverse(organisation).perform([act(action, subject="Shipped", actualend=when)])
    assert (outcome.disposition, outcome.id) == (DONE, ONE)
    assert (seen[0].method, seen[0].url.endswith(action)) == ("POST", True)
    assert {
        "Status": status,
        "OrderClose": {
            "@odata.type": "#Microsoft.Dynamics.CRM.orderclose",
            "salesorderid@odata.bind": f"/salesorders({ONE})",
            "subject": "Shipped",
            "actualend": "2026-01-02T03:04:05Z",
        },
    } == json.loads(seen[0].body)


def test_another_status_can_be_asked_for(make_dataverse, serving):
    organisation, seen = serving((204, {}, None))
    make_dataverse(organisation).perform([act("FulfillSalesOrder", Status=100002)])
    assert json.loads(seen[0].body)["Status"] == 100002


@pytest.mark.parametrize(
    "write",
    [
        act("EatSalesOrder"),
        act("FulfillSalesOrder", colour="red"),
        Write(WriteKind.ACT, Account, key("k"), id=ONE, action="CancelSalesOrder"),
    ],
    ids=["action", "parameter", "table"],
)
def test_an_unknown_action_is_a_dead_letter(make_dataverse, write):
    [outcome] = make_dataverse(lambda r: pytest.fail("sent")).perform([write])
    assert (outcome.disposition, outcome.code) == (DEAD, "not-supported")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (httpx.Response(500, content=b"canary"), "remote-failed"),
        (httpx.Response(502), "remote-unavailable"),
        (httpx.Response(200, content=b"canary"), "answer-malformed"),
    ],
)
def test_a_batch_of_writes_that_fails_as_a_whole_raises_and_is_sent_once(make_dataverse, answer, code):
    seen = []

    def organisation(request):
        seen.append(request)
        return answer

    with pytest.raises(TryAgainError) as caught:
        make_dataverse(organisation).perform([create()])
    assert (code, 1) == (caught.value.code, len(seen))
    assert "canary" not in str(caught.value)


def test_a_batch_of_writes_whose_answer_is_lost_is_not_repeated(make_dataverse):
    seen = []

    def organisation(request):
        seen.append(request)
        raise httpx.ReadTimeout("x")

    with pytest.raises(TryAgainError) as caught:
        make_dataverse(organisation).perform([create()])
    assert (caught.value.code, len(seen)) == ("remote-outcome-unknown", 1)


def test_a_batch_of_reads_whose_answer_is_lost_is_repeated(make_dataverse, multipart):
    seen = []

    def organisation(request):
        seen.append(request)
        if len(seen) == 1:
            raise httpx.ReadTimeout("x")
        return multipart(account(ONE, name="A"))

    assert make_dataverse(organisation).read(Account, [key("a")], ["name"])
    assert len(seen) == 2


# --- read-only, metadata, the rest


def test_a_read_only_connection_reads_in_batches_and_writes_nothing(make_dataverse, serving):
    organisation, _ = serving(account(ONE, name="A"))
    client = make_dataverse(organisation, read_only=True)
    assert client.read(Account, [key("a")], ["name"])
    for write in (create(), update(name="B"), delete(), act("SubmitSalesOrder"), act("FulfillSalesOrder")):
        with pytest.raises(RefusedError) as caught:
            client.perform([write])
        assert caught.value.code == "read-only"


def test_no_key_value_or_token_is_logged(make_dataverse, serving, caplog):
    caplog.set_level(logging.DEBUG)
    organisation, _ = serving(account(ONE, name="canary"), (200, {}, {"accountid": ONE}))
    client = make_dataverse(organisation)
    client.read(Account, [key("canary")], ["name"])
    client.perform([update(name="canary")])
    assert "canary" not in caplog.text
    assert len(re.findall(r"POST org\.test/api/data/v9\.2/\$batch 200", caplog.text)) == 2
