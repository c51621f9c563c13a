"""`$batch` as documented: multipart, in order, change sets atomic."""

import json
import re

import pytest


def part(method, url, body=None, content_id="", headers=()):
    head = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    head += [f"Content-ID: {content_id}"] if content_id else []
    text = "" if body is None else json.dumps(body)
    inner = [f"{method} {url} HTTP/1.1", "Content-Type: application/json; type=entry", *headers]
    return "\r\n".join([*head, "", *inner, "", text])


def wrapped(boundary, parts):
    return "".join(f"--{boundary}\r\n{p}\r\n" for p in parts) + f"--{boundary}--\r\n"


def changeset(*parts):
    return "Content-Type: multipart/mixed; boundary=cs\r\n\r\n" + wrapped("cs", parts)


@pytest.fixture
def batch(crm):
    def send(*parts, prefer=""):
        return crm.client.post(
            crm.base + "$batch",
            headers={**crm.headers, "content-type": 'multipart/mixed; boundary="b1"', "prefer": prefer},
            content=wrapped("b1", parts).encode(),
        )

    return send


def statuses(answer):
    return [int(s) for s in re.findall(r"^HTTP/1\.1 (\d+)", answer.text, re.MULTILINE)]


def test_parts_are_answered_in_order_with_their_headers(crm, batch):
    answer = batch(
        part("PATCH", "accounts(tl_customerkey='a')", {"name": "A"}),
        part("GET", "/api/data/v9.2/accounts(tl_customerkey='a')?$select=name"),
        part("GET", "accounts?$select=name&$filter=name eq 'A'"),
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("multipart/mixed; boundary=batchresponse_")
    assert statuses(answer) == [204, 200, 200]
    assert answer.text.count('"name":"A"') == 2
    assert f"OData-EntityId: {crm.base}accounts(tl_customerkey='a')" in answer.text


def test_it_stops_at_the_first_failure_unless_told_to_go_on(crm, batch):
    parts = (
        part("PATCH", "accounts(tl_customerkey='a')", {"name": "A"}),
        part("GET", "accounts(tl_customerkey='none')"),
        part("PATCH", "accounts(tl_customerkey='b')", {"name": "B"}),
    )
    stopped = batch(*parts)
    assert (stopped.status_code, statuses(stopped)) == (400, [204, 404])
    assert crm.call("GET", "accounts(tl_customerkey='b')").status_code == 404
    went_on = batch(*parts, prefer="odata.continue-on-error")
    assert (went_on.status_code, statuses(went_on)) == (200, [204, 404, 204])


def test_a_change_set_refers_to_its_own_members(crm, batch):
    answer = batch(
        changeset(
            part("POST", "accounts", {"name": "A"}, "1"),
            part("POST", "contacts", {"lastname": "P", "parentcustomerid_account@odata.bind": "$1"}, "2"),
            part("PATCH", "$1", {"telephone1": "1"}, "3"),
        )
    )
    assert statuses(answer) == [204, 204, 204]
    assert re.findall(r"Content-ID: (\d)", answer.text) == ["1", "2", "3"]
    (row,) = crm.read("accounts?$filter=telephone1 eq '1'")["value"]
    assert (
        crm.read("contacts?$filter=lastname eq 'P'")["value"][0]["_parentcustomerid_value"]
        == row["accountid"]
    )


def test_a_failing_change_set_leaves_nothing_and_one_answer(sandbox, crm, batch):
    before = sandbox.organisations["dev"].rows.changes
    answer = batch(
        changeset(
            part("POST", "accounts", {"name": "A", "tl_customerkey": "a"}, "1"),
            part("POST", "accounts", {"nme": "B"}, "2"),
        ),
        part("GET", "accounts?$top=1"),
        prefer="odata.continue-on-error",
    )
    assert statuses(answer) == [400, 200]
    assert sandbox.organisations["dev"].rows.changes == before
    assert crm.call("GET", "accounts(tl_customerkey='a')").status_code == 404
    assert crm.call("PATCH", "accounts(tl_customerkey='a')", {"name": "again"}).status_code == 204


def test_preconditions_work_inside(crm, batch):
    crm.call("PATCH", "accounts(tl_customerkey='a')", {"name": "A"})
    answer = batch(
        part("PATCH", "accounts(tl_customerkey='a')", {"name": "B"}, headers=["If-None-Match: *"]),
        part("PATCH", "accounts(tl_customerkey='a')", {"name": "B"}, headers=['If-Match: W/"1"']),
        prefer="odata.continue-on-error",
    )
    assert statuses(answer) == [412, 412]
    assert crm.read("accounts(tl_customerkey='a')")["name"] == "A"


def test_an_unknown_reference_and_a_read_in_a_change_set_are_refused(crm, batch):
    unknown = batch(changeset(part("POST", "contacts", {"parentcustomerid_account@odata.bind": "$9"}, "1")))
    assert "Content-ID Reference: '$9' does not exist" in unknown.text
    assert batch(changeset(part("GET", "accounts", None, "1"))).status_code == 400
    assert batch(changeset(part("POST", "accounts", {"name": "A"}))).status_code == 400


def test_a_body_that_is_cut_off_is_refused(crm):
    answer = crm.client.post(
        crm.base + "$batch",
        headers={**crm.headers, "content-type": "multipart/mixed; boundary=b1"},
        content=b"--b1\r\nContent-Type: application/http\r\n",
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80048d19")


def test_more_than_a_thousand_requests_are_refused(batch):
    assert batch(*[part("GET", "accounts?$top=1")] * 1001).status_code == 400


def test_inner_requests_stand_in_the_log(sandbox, batch):
    batch(part("PATCH", "accounts(tl_customerkey='a')", {"name": "A"}))
    inner = [e for e in sandbox.organisations["dev"].door.log if e.inner]
    assert [(e.method, e.status) for e in inner] == [("PATCH", 204)]
