"""What the shop's answer to a write tells of each item."""

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
