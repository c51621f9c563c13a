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


def test_an_address_may_be_longer_inside_than_outside(crm, batch):
    query = "accounts?$select=name&$filter=" + " or ".join(["name eq 'x'"] * 2200)
    assert len(query) > 32_768
    assert crm.call("GET", query).status_code == 414
    assert statuses(batch(part("GET", query))) == [200]
    assert batch(part("GET", query + " " * 65_536)).status_code == 414


def test_more_than_a_thousand_requests_are_refused(batch):
    assert batch(*[part("GET", "accounts?$top=1")] * 1001).status_code == 400


def test_inner_requests_stand_in_the_log(sandbox, batch):
    batch(part("PATCH", "accounts(tl_customerkey='a')", {"name": "A"}))
    inner = [e for e in sandbox.organisations["dev"].door.log if e.inner]
    assert [(e.method, e.status) for e in inner] == [("PATCH", 204)]


def test_references_lead_into_addresses_and_links(crm, batch):
    """`$n` stands in an address with something behind it, in a bind, and in a link."""
    answer = batch(
        changeset(
            part("POST", "accounts", {"name": "A", "tl_customerkey": "a"}, "1"),
            part("POST", "contacts", {"lastname": "P"}, "2"),
            part("POST", "$1/contact_customer_accounts/$ref", {"@odata.id": "$2"}, "3"),
            part("PUT", "$1/primarycontactid/$ref", {"@odata.id": "$2"}, "4"),
            part("PUT", "$1/telephone1", {"value": "7"}, "5"),
        )
    )
    assert statuses(answer) == [204] * 5
    row = crm.read(
        "accounts(tl_customerkey='a')?$select=telephone1&$expand=primarycontactid($select=lastname),contact_customer_accounts"
    )
    assert (row["telephone1"], row["primarycontactid"]["lastname"]) == ("7", "P")
    assert len(row["contact_customer_accounts"]) == 1


def test_a_reference_to_a_member_that_was_answered_with_its_row(crm, batch):
    answer = batch(
        changeset(
            part(
                "POST", "accounts?$select=name", {"name": "A"}, "1", headers=["Prefer: return=representation"]
            ),
            part("POST", "contacts", {"lastname": "P", "parentcustomerid_account@odata.bind": "$1"}, "2"),
        )
    )
    assert statuses(answer) == [201, 204]
    query = "contacts?$filter=lastname eq 'P'&$select=lastname&$expand=parentcustomerid_account($select=name)"
    assert crm.read(query)["value"][0]["parentcustomerid_account"]["name"] == "A"


def test_a_reference_ends_with_its_change_set(crm, batch):
    answer = batch(
        changeset(part("POST", "accounts", {"name": "A"}, "1")),
        changeset(part("PATCH", "$1", {"name": "B"}, "1")),
        prefer="odata.continue-on-error",
    )
    assert statuses(answer) == [204, 400]
    assert "Content-ID Reference: '$1' does not exist in the batch context." in answer.text


def test_content_ids_are_unique_in_a_change_set(batch):
    twice = changeset(
        part("POST", "accounts", {"name": "A"}, "1"), part("POST", "accounts", {"name": "B"}, "1")
    )
    assert batch(twice).status_code == 400


def test_a_batch_in_a_batch_is_refused(batch):
    assert batch(part("POST", "$batch", {})).status_code == 400


def test_raw_spaces_and_encodings_stand_in_inner_addresses(crm, batch):
    crm.call("PATCH", "accounts(tl_customerkey='a')", {"name": "A & B"})
    answer = batch(
        part("GET", "accounts?$select=name&$filter=name eq 'A %26 B' and tl_customerkey eq 'a'"),
        part("GET", "accounts?%24select=name&%24filter=startswith(name%2C'A+%26')"),
    )
    assert statuses(answer) == [200, 200]
    assert answer.text.count('"name":"A & B"') == 2


def test_reads_without_headers_or_body_as_the_vendors_client_writes_them(crm):
    body = (
        "--b1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"GET {crm.base}accounts?$top=1&$select=name HTTP/1.1\r\n\r\n--b1--\r\n"
    )
    headers = {**crm.headers, "content-type": "multipart/mixed; boundary=b1"}
    answer = crm.client.post(crm.base + "$batch", headers=headers, content=body.encode())
    assert (answer.status_code, statuses(answer)) == (200, [200])


def test_a_boundary_that_begins_like_another_is_told_apart(crm):
    inner = part("POST", "accounts", {"name": "A", "tl_customerkey": "a"}, "1")
    body = wrapped("b1", ["Content-Type: multipart/mixed; boundary=b1x\r\n\r\n" + wrapped("b1x", [inner])])
    headers = {**crm.headers, "content-type": "multipart/mixed; boundary=b1"}
    answer = crm.client.post(crm.base + "$batch", headers=headers, content=body.encode())
    assert statuses(answer) == [204]


@pytest.mark.parametrize("spoil", ["lines", "cut", "version"], ids=str)
def test_a_body_that_is_not_framed_as_it_should_be_does_nothing(sandbox, crm, spoil):
    before = sandbox.organisations["dev"].rows.changes
    body = wrapped("b1", [part("POST", "accounts", {"name": "A"})])
    spoilt = {
        "lines": body.replace("\r\n", "\n"),
        "cut": body[:-20],
        "version": body.replace(" HTTP/1.1", ""),
    }[spoil]
    headers = {**crm.headers, "content-type": "multipart/mixed; boundary=b1"}
    answer = crm.client.post(crm.base + "$batch", headers=headers, content=spoilt.encode())
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80048d19")
    assert sandbox.organisations["dev"].rows.changes == before


def test_a_failing_change_set_stops_the_batch(crm, batch):
    answer = batch(
        part("PATCH", "accounts(tl_customerkey='a')", {"name": "A"}),
        changeset(
            part("POST", "accounts", {"name": "B", "tl_customerkey": "b"}, "1"),
            part("POST", "accounts", {"name": "C", "tl_customerkey": "b"}, "2"),
        ),
        part("PATCH", "accounts(tl_customerkey='d')", {"name": "D"}),
    )
    assert (answer.status_code, statuses(answer)) == (400, [204, 412])
    known = crm.read("accounts?$select=tl_customerkey&$filter=tl_customerkey ne null")["value"]
    assert [r["tl_customerkey"] for r in known] == ["a"]


def test_a_part_may_ask_for_pages_of_its_own(crm, batch):
    answer = batch(part("GET", "accounts?$select=name", headers=["Prefer: odata.maxpagesize=2"]))
    body = json.loads(answer.text.partition("\r\n\r\n{")[2].partition("\r\n--")[0].join(["{", ""]))
    assert len(body["value"]) == 2
    assert crm.read(body["@odata.nextLink"], Prefer="odata.maxpagesize=2")["value"]
