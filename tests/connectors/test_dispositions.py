import pytest

from tagline.connectors.dispositions import (
    DATAVERSE,
    FINANCE,
    NOTHING_THERE,
    SHIFT4SHOP,
    finance_clue,
    judge_page,
    to_error,
)
from tagline.connectors.entra import HINTS
from tagline.domain.exchange import ROW_CHANGED, ROW_EXISTS
from tagline.errors import Disposition, NotAuthorisedError, RecordError, TryAgainError

RETRY, DEAD, STOP, DONE = Disposition.RETRY, Disposition.DEAD_LETTER, Disposition.STOP, Disposition.DONE

DATAVERSE_ERRORS = [
    (400, "", DEAD, "remote-refused"),
    (403, "", RETRY, "answer-malformed"),
    (404, "", RETRY, "answer-malformed"),
    (404, "0x80060888", DEAD, "query-refused"),
    (400, "0x80040217", DEAD, "row-absent"),
    (408, "", RETRY, "remote-unavailable"),
    (500, "", RETRY, "remote-failed"),
    (502, "", RETRY, "remote-unavailable"),
    (504, "", RETRY, "remote-unavailable"),
    (400, "0x80048d19", DEAD, "payload-refused"),
    (400, "0x80060888", DEAD, "query-refused"),
    (404, "0x8006088a", DEAD, "query-refused"),
    (404, "0x80040217", DEAD, "row-absent"),
    (404, "0x80060891", DEAD, "row-absent"),
    (412, "0x80040237", RETRY, ROW_EXISTS),
    (412, "0x80060892", RETRY, ROW_EXISTS),
    (412, "0x80060882", RETRY, ROW_CHANGED),
    (412, "0x80040333", DEAD, "duplicate-found"),
    (500, "0x80040333", DEAD, "duplicate-found"),
    (400, "0x80044331", DEAD, "text-too-long"),
    (400, "0x8004432f", DEAD, "number-out-of-range"),
    (400, "0x80044330", DEAD, "number-out-of-range"),
    (400, "0x8004431A", DEAD, "choice-unknown"),
    (400, "0x80040203", DEAD, "argument-refused"),
    (400, "0x80040216", DEAD, "argument-refused"),
    (403, "0x80040220", STOP, "not-permitted"),
    (403, "0x80048306", DEAD, "row-not-permitted"),
    (403, "0x80072560", STOP, "application-user-unusable"),
    (403, "0x80040225", STOP, "application-user-unusable"),
    (403, "0x8004d24b", STOP, "application-user-unusable"),
    (400, "0x80040265", DEAD, "plug-in-refused"),
    (400, "0x80041102", DEAD, "query-refused"),
    (400, "0x80041103", DEAD, "query-refused"),
    (400, "0x80044352", DEAD, "cursor-expired"),
    (410, "0x80044352", DEAD, "cursor-expired"),
    (412, "0x80060883", DEAD, "versions-unsupported"),
    (400, "0x8006088D", DEAD, "versions-unsupported"),
    (413, "", DEAD, "request-too-large"),
    (414, "", DEAD, "request-too-large"),
    (429, "0x80072321", RETRY, "remote-throttled"),
    (429, "0x80072322", RETRY, "remote-throttled"),
    (429, "0x80072326", RETRY, "remote-throttled"),
    (429, "", RETRY, "remote-throttled"),
    (501, "", DEAD, "remote-not-implemented"),
    (503, "", RETRY, "remote-unavailable"),
    (401, "", STOP, "not-signed-in"),
]
"""Every refusal of reference/dataverse-api.md sections 2, 7, 8, 9, 12, 13 and 15."""

SHOP_ERRORS = [
    (400, DEAD, "remote-refused"),
    (401, STOP, "not-signed-in"),
    (403, STOP, "not-permitted"),
    (404, DEAD, "row-absent"),
    (408, RETRY, "remote-unavailable"),
    (413, DEAD, "request-too-large"),
    (414, DEAD, "request-too-large"),
    (415, STOP, "media-type-refused"),
    (429, RETRY, "remote-throttled"),
    (500, RETRY, "remote-failed"),
    (501, DEAD, "remote-not-implemented"),
    (502, RETRY, "remote-unavailable"),
    (503, RETRY, "remote-unavailable"),
    (504, RETRY, "remote-unavailable"),
]
"""Every refusal of reference/shift4shop-api.md sections 1, 2 and 9; the pages of its proxy."""

FINANCE_ERRORS = [
    (400, "", DEAD, "payload-refused"),
    (400, "infolog", DEAD, "business-rule-refused"),
    (400, "exists", RETRY, ROW_EXISTS),
    (401, "", STOP, "not-signed-in"),
    (403, "", STOP, "not-permitted"),
    (404, "", DEAD, "row-absent"),
    (404, "resource", DEAD, "query-refused"),
    (409, "", RETRY, ROW_CHANGED),
    (408, "", RETRY, "remote-unavailable"),
    (412, "", RETRY, ROW_CHANGED),
    (413, "", DEAD, "request-too-large"),
    (414, "", DEAD, "request-too-large"),
    (429, "", RETRY, "remote-throttled"),
    (500, "", RETRY, "remote-failed"),
    (501, "", DEAD, "remote-not-implemented"),
    (502, "", RETRY, "remote-unavailable"),
    (503, "", RETRY, "remote-unavailable"),
    (504, "", RETRY, "remote-unavailable"),
]
"""Every refusal of reference/dataverse-api.md section 17, by what `finance_clue` reads in it."""

SIGN_IN_ERRORS = [7000215, 7000222, 700016, 90002, 70011, 500011]
"""AADSTS numbers of reference/dataverse-api.md section 2.4."""


TOLD = [
    *((DATAVERSE, *row) for row in DATAVERSE_ERRORS),
    *((SHIFT4SHOP, status, "", disposition, cause) for status, disposition, cause in SHOP_ERRORS),
    *((FINANCE, *row) for row in FINANCE_ERRORS),
]
TABLES = [DATAVERSE, SHIFT4SHOP, FINANCE]


@pytest.mark.parametrize(
    ("table", "status", "code", "disposition", "cause"),
    TOLD,
    ids=lambda value: getattr(value, "system", None) or str(value),
)
def test_every_error_of_the_reference_has_a_meaning_of_its_own(table, status, code, disposition, cause):
    meaning = table.named(status, code)
    assert meaning is not None, "falls to a default"
    assert (disposition, cause) == (meaning.disposition, meaning.code)
    assert meaning == table.judge(status, code)


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.system)
def test_no_meaning_stands_in_a_table_that_no_error_of_the_reference_has(table):
    """What is not in the list above was never found out: it belongs to the defaults."""
    met = {clue for t, status, code, *_ in TOLD if t is table for clue in _clues(status, code)}
    assert [clue for clue in table.meanings if clue not in met] == []


def _clues(status: int, code: str) -> list[tuple[int | None, str | None]]:
    return [(status, code.lower()), (None, code.lower()), (status, None)]


@pytest.mark.parametrize("number", SIGN_IN_ERRORS)
def test_every_refusal_of_the_sign_in_says_what_to_do(number):
    assert HINTS[number]


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.system)
@pytest.mark.parametrize(
    ("status", "code", "disposition", "cause"),
    [
        (200, "", DONE, ""),
        (201, "", DONE, ""),
        (204, "", DONE, ""),
        (206, "", DONE, ""),
        (418, "0x8000ffff", DEAD, "remote-refused"),
        (304, "", DEAD, "remote-refused"),
        (599, "0x80040999", RETRY, "remote-failed"),
    ],
)
def test_what_no_table_knows_is_judged_by_its_class(table, status, code, disposition, cause):
    meaning = table.judge(status, code)
    assert table.named(status, code) is None
    assert (disposition, cause) == (meaning.disposition, meaning.code)


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.system)
def test_every_meaning_that_is_not_done_says_what_to_do(table):
    assert [m.code for m in table.meanings.values() if not (m.code and m.hint)] == []


BEHIND = b'[{"Key":"Error","Message":"Offset amount exceeds the total number of records"}]'
INVALID = b'[{"Key":"Error","Message":"Invalid date"}]'


@pytest.mark.parametrize(
    ("status", "body", "offset", "cause"),
    [
        pytest.param(404, b"", 1, "nothing-there", id="empty-list"),
        pytest.param(404, INVALID, 1, "nothing-there", id="empty-list-with-a-text"),
        pytest.param(400, BEHIND, 301, "nothing-there", id="behind-the-end"),
        pytest.param(400, b" ", 301, "nothing-there", id="behind-the-end-without-a-text"),
        pytest.param(400, INVALID, 301, "remote-refused", id="refused-later"),
        pytest.param(400, BEHIND, 1, "remote-refused", id="first-page-cannot-be-behind"),
        pytest.param(400, b"", 1, "remote-refused", id="first-page-refused-without-a-text"),
        pytest.param(401, b"", 301, "not-signed-in", id="anything-else"),
        pytest.param(200, b"[]", 1, "", id="a-page"),
    ],
)
def test_a_page_of_the_shops_list_ends_by_two_refusals(status, body, offset, cause):
    meaning = judge_page(status, body, offset)
    assert meaning.code == cause
    assert (meaning is NOTHING_THERE) == (cause == "nothing-there")


@pytest.mark.parametrize(
    ("message", "inner", "clue"),
    [
        ("An error has occurred.", "Write failed for table row of type 'X'. Infolog: Error: No credit.", "infolog"),
        ("An error has occurred.", "Infolog: Error: Cannot create a record. The record already exists.", "exists"),
        ("An error has occurred.", "The property 'Colour' does not exist on type 'X'.", ""),
        ("No HTTP resource was found that matches the request URI.", "", "resource"),
        ("Resource not found", "", ""),
        ("", "", ""),
    ],
)  # fmt: skip
def test_what_finance_says_in_words_becomes_a_clue(message, inner, clue):
    assert finance_clue(message, inner) == clue


@pytest.mark.parametrize(
    ("status", "kind"), [(401, NotAuthorisedError), (500, TryAgainError), (400, RecordError)]
)
def test_a_disposition_becomes_the_error_its_caller_expects(status, kind):
    meaning = SHIFT4SHOP.judge(status)
    error = to_error(meaning, "no", retry_after_s=3)
    assert type(error) is kind
    assert (meaning.disposition, meaning.code, 3) == (error.disposition, error.code, error.retry_after_s)
