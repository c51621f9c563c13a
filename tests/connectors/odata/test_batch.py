import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors import json_values
from tagline.connectors.odata.batch import ChangeSet, Part, PartAnswer, answers_of, build, requests_of

tokens = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
header_values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
urls = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30).map(
    "/api/".__add__
)
bodies = st.none() | st.dictionaries(st.text(), st.text() | st.integers(), max_size=3).map(
    lambda value: json_values.dump(value).encode()
)
parts = st.builds(
    Part,
    st.sampled_from(["GET", "PATCH", "POST", "DELETE"]),
    urls,
    st.dictionaries(tokens, header_values, max_size=3),
    bodies,
)
KIND = 'multipart/mixed; boundary="batch_1"'


@given(st.lists(parts, min_size=1, max_size=5))
def test_what_is_built_is_parsed_as_the_same_parts(given_parts):
    assert given_parts == requests_of(KIND, build(given_parts, "batch_1"))


sets = st.lists(parts, min_size=1, max_size=3).map(lambda found: ChangeSet(tuple(found)))


@given(st.lists(parts | sets, min_size=1, max_size=4))
def test_the_parts_of_change_sets_are_found_in_their_place(given_parts):
    """Whether a batch only reads is told by its parts, so that none may hide in a set."""
    flat = [p for part in given_parts for p in (part.parts if isinstance(part, ChangeSet) else (part,))]
    assert flat == requests_of(KIND, build(given_parts, "batch_1"))


def test_parts_of_a_change_set_are_numbered_and_framed_by_a_boundary_of_their_own():
    body = build([ChangeSet((Part("POST", "/a"), Part("POST", "/b", {}, b'{"x":"$1"}')))], "batch_1")
    assert body.decode().split("\r\n") == [
        "--batch_1",
        "Content-Type: multipart/mixed; boundary=changeset_0_batch_1",
        "",
        *("--changeset_0_batch_1", "Content-Type: application/http", "Content-Transfer-Encoding: binary"),
        *("Content-ID: 1", "", "POST /a HTTP/1.1", "", ""),
        *("--changeset_0_batch_1", "Content-Type: application/http", "Content-Transfer-Encoding: binary"),
        *("Content-ID: 2", "", "POST /b HTTP/1.1", "", '{"x":"$1"}'),
        "--changeset_0_batch_1--",
        "--batch_1--",
        "",
    ]


@given(st.lists(parts, min_size=1, max_size=3))
def test_every_line_of_a_batch_ends_with_both_characters(given_parts):
    assert b"\n" not in build(given_parts, "batch_1").replace(b"\r\n", b"")


@pytest.mark.parametrize(
    "part",
    [
        Part("GET", "/a\r\nDELETE /b HTTP/1.1"),
        Part("GET", "/a HTTP/1.1"),
        Part("GET", "/a", {"Prefer": "x\r\nIf-Match: *"}),
        Part("PATCH", "/a", {}, b'"\r\n--batch_1--"'),
    ],
    ids=["url-line", "url-space", "header-line", "boundary"],
)
def test_nothing_breaks_out_of_its_part(part):
    with pytest.raises(ValueError):
        build([part], "batch_1")


ANSWER = (
    b"--batchresponse_x\r\n"
    b"Content-Type: application/http\r\n"
    b"Content-Transfer-Encoding: binary\r\n\r\n"
    b"HTTP/1.1 412 Precondition Failed\r\n"
    b"REQ_ID: 5\r\n"
    b"Content-Type: application/json; odata.metadata=minimal\r\n"
    b"OData-Version: 4.0\r\n\r\n"
    b'{"error":{"code":"0x80060882","message":"m"}}\r\n'
    b"--batchresponse_x\r\n"
    b"Content-Type: application/http\r\n"
    b"Content-Transfer-Encoding: binary\r\n\r\n"
    b"HTTP/1.1 204 No Content\r\n"
    b"OData-EntityId: https://org.test/api/data/v9.2/accounts(1)\r\n\r\n\r\n"
    b"--batchresponse_x--\r\n"
)


def test_answers_keep_status_headers_and_body():
    refused, done = answers_of("multipart/mixed; boundary=batchresponse_x", ANSWER)
    assert (refused.status, refused.headers["req_id"], refused.json()["error"]["code"]) == (
        412,
        "5",
        "0x80060882",
    )
    assert (done.status, done.json()) == (204, None)
    assert done.headers["odata-entityid"].endswith("accounts(1)")


@pytest.mark.parametrize("cut", range(0, len(ANSWER) - 4, 7))
def test_a_torn_answer_is_never_taken_for_a_whole_one(cut):
    with pytest.raises(ValueError):
        answers_of("multipart/mixed; boundary=batchresponse_x", ANSWER[:cut])


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/mixed", "text/html; boundary=x"])
def test_another_content_type_is_no_batch(kind):
    with pytest.raises(ValueError):
        answers_of(kind, ANSWER)


def test_answers_of_a_change_set_stand_among_the_others():
    body = (
        b"--o\r\nContent-Type: multipart/mixed; boundary=o2\r\n\r\n"
        b"--o2\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\r\n"
        b"--o2\r\nContent-Type: application/http\r\nContent-ID: 2\r\n\r\nHTTP/1.1 201 Created\r\n\r\n{}\r\n--o2--\r\n"
        b"--o\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}\r\n--o--\r\n"
    )
    found = answers_of("multipart/mixed; boundary=o", body)
    assert found == [PartAnswer(204, {}, b""), PartAnswer(201, {}, b"{}"), PartAnswer(200, {}, b"{}")]


def test_a_set_within_a_set_is_no_batch():
    inner = b"--c\r\nContent-Type: multipart/mixed; boundary=d\r\n\r\n--d--\r\n--c--"
    body = b"--o\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n" + inner + b"\r\n--o--"
    with pytest.raises(ValueError, match="no HTTP message"):
        answers_of("multipart/mixed; boundary=o", body)
