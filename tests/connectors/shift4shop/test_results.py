"""What the shop's answer to a write tells of each item."""

import json

import pytest

from tagline.connectors.messages import Answer
from tagline.connectors.shift4shop.results import results_of


@pytest.mark.parametrize("ids", [["1"], ["1", "2"]], ids=["one", "several"])
@pytest.mark.parametrize("body", [b"<html>Back soon</html>", b'"done"', b"[1, 2]", b"{"])
def test_a_page_in_place_of_results_leaves_open_what_was_done(body, ids):
    told = results_of(Answer(200, {}, body), ids)
    assert told is not None
    assert [result.status for result in told] == [502] * len(ids)


def test_an_empty_success_is_believed_of_one_item_alone():
    assert [r.status for r in results_of(Answer(200, {}, b""), ["1"]) or ()] == [200]
    assert [r.status for r in results_of(Answer(200, {}, b""), ["1", "2"]) or ()] == [502, 502]


def row(value, status="200", key="OrderID"):
    return {"Key": key, "Value": value, "Status": status, "Message": ""}


@pytest.mark.parametrize(
    ("rows", "statuses"),
    [
        pytest.param([row("2"), row("1")], [200, 200], id="another-order"),
        pytest.param([row("1"), row("", "404", "Error")], [200, 404], id="error-by-place"),
        pytest.param([row("2", "404", "Error"), row("1")], [200, 404], id="error-by-id"),
        pytest.param([row("1"), row("1", "400", "Error"), row("2")], [400, 200], id="both-of-one"),
        pytest.param([row("", "", "Error"), row("1")], [200, 502], id="error-of-who-knows-whom"),
        pytest.param([row("1")], [200, 502], id="one-is-not-mentioned"),
        pytest.param([row("1", "x"), row(2, 200)], [400, 200], id="odd-types"),
    ],
)
def test_each_item_of_a_partly_done_request_has_a_status_of_its_own(rows, statuses):
    told = results_of(Answer(206, {}, json.dumps(rows).encode()), ["1", "2"])
    assert [result.status for result in told or ()] == statuses
