"""What an error body says, as far as it is believed."""

import json

import pytest

from tagline.connectors.dataverse.writes import error_of
from tagline.connectors.odata.batch import PartAnswer


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("0x80040217", "0x80040217"),
        ("0x8004431A", "0x8004431a"),
        ("", ""),
        ("canary of a person", "unreadable"),
        ("0" * 41, "unreadable"),
        ({"canary": 1}, "unreadable"),
    ],
)
def test_only_what_looks_like_a_code_is_taken_for_one(code, told):
    body = json.dumps({"error": {"code": code, "message": "text"}}).encode()
    assert error_of(PartAnswer(400, {}, body)) == (told, "text")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "no"}', b'{"error": {}}', b"[" * 1000])
def test_a_body_that_is_no_error_has_no_code(body):
    assert error_of(PartAnswer(500, {}, body)) == ("", "")
