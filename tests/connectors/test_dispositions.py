import pytest

from tagline.connectors.dispositions import DATAVERSE, SHIFT4SHOP, to_error
from tagline.domain.exchange import ROW_CHANGED, ROW_EXISTS
from tagline.errors import Disposition, NotAuthorisedError, RecordError, TryAgainError

RETRY, DEAD, STOP, DONE = Disposition.RETRY, Disposition.DEAD_LETTER, Disposition.STOP, Disposition.DONE

DATAVERSE_ERRORS = [
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
    (403, "0x80040220", DEAD, "row-not-permitted"),
    (403, "0x80048306", STOP, "not-permitted"),
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
    (400, "0x8000ffff", DEAD, "remote-refused"),
    (500, "0x80040216", RETRY, "remote-failed"),
    (204, "", DONE, ""),
]

SHOP_ERRORS = [
    (200, DONE, ""),
    (201, DONE, ""),
    (400, DEAD, "remote-refused"),
    (401, STOP, "not-signed-in"),
    (404, DEAD, "row-absent"),
    (415, STOP, "media-type-refused"),
    (429, RETRY, "remote-throttled"),
    (500, RETRY, "remote-failed"),
    (501, DEAD, "remote-not-implemented"),
    (502, RETRY, "remote-unavailable"),
    (418, DEAD, "remote-refused"),
    (599, RETRY, "remote-failed"),
]


@pytest.mark.parametrize(("status", "code", "disposition", "cause"), DATAVERSE_ERRORS)
def test_every_error_of_dataverse_has_a_disposition(status, code, disposition, cause):
    meaning = DATAVERSE.judge(status, code)
    assert (disposition, cause) == (meaning.disposition, meaning.code)


@pytest.mark.parametrize(("status", "disposition", "cause"), SHOP_ERRORS)
def test_every_status_of_the_shop_has_a_disposition(status, disposition, cause):
    meaning = SHIFT4SHOP.judge(status)
    assert (disposition, cause) == (meaning.disposition, meaning.code)


@pytest.mark.parametrize("table", [DATAVERSE, SHIFT4SHOP], ids=lambda t: t.system)
def test_every_meaning_that_is_not_done_says_what_to_do(table):
    assert [m.code for m in table.meanings.values() if not (m.code and m.hint)] == []


@pytest.mark.parametrize(
    ("status", "kind"), [(401, NotAuthorisedError), (500, TryAgainError), (400, RecordError)]
)
def test_a_disposition_becomes_the_error_its_caller_expects(status, kind):
    meaning = DATAVERSE.judge(status)
    error = to_error(meaning, "no", retry_after_s=3)
    assert type(error) is kind
    assert (meaning.disposition, meaning.code, 3) == (error.disposition, error.code, error.retry_after_s)
