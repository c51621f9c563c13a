"""Every line passes one redaction, for people or as fields."""

import json
import logging
import sys
from contextlib import redirect_stdout
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.making import START

from tagline.clock import VirtualClock
from tagline.domain.redaction import Redactor
from tagline.runtime.logs import Clean, Format, LibraryLines, Log

SECRET = "s3cr3t-canary"


def make_log(form: Format = "json") -> tuple[Log, list[str]]:
    lines: list[str] = []
    return Log("dev", lines.append, clock=VirtualClock(START), redact=Redactor([SECRET]), form=form), lines


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "orders-000012: activated",
            {"integration": "orders", "deployment": "orders-000012", "event": "activated", "level": "info"},
        ),
        (
            "orders-000012: failed: the worker ended with exit code 1 (worker-died)",
            {"event": "failed", "code": "worker-died", "level": "warning"},
        ),
        ("alert silence orders/sync: firing: no record", {"event": "alert", "integration": ""}),
        (
            "reports: works again",
            {"event": "note", "level": "info", "environment": "dev", "source": "tagline"},
        ),
    ],
    ids=["state", "failure", "alert", "note"],
)
def test_a_line_is_told_as_fields(line: str, told: dict[str, str]):
    log, lines = make_log()
    log(line)
    fields: dict[str, Any] = json.loads(lines[0])
    assert told.items() <= fields.items()
    assert fields["message"] == line
    assert fields["at"] == "2026-03-01T12:00:00.000+00:00"


def test_people_read_lines_as_before():
    log, lines = make_log("text")
    log("orders-000012: activated")
    assert lines == ["12:00:00Z orders-000012: activated"]


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["text", "json"]))
def test_a_line_stays_one_line_and_holds_no_secret(before: str, after: str, form: Format):
    log, lines = make_log(form)
    log(f"{before}{SECRET}{after}")
    assert len(lines) == 1
    assert SECRET not in lines[0]
    assert form == "text" or json.loads(lines[0])["environment"] == "dev"


def test_what_code_prints_is_told_line_by_line():
    log, lines = make_log()
    with redirect_stdout(Clean(log)):
        sys.stdout.write("halfway ")
        sys.stdout.write(f"there with {SECRET}\n\nnext\n")
    assert [json.loads(line)["message"] for line in lines] == ["halfway there with ***", "next"]


def _raised() -> tuple[type[ValueError], ValueError, None]:
    return ValueError, ValueError(f"the row of jane, {SECRET}"), None


def test_libraries_tell_warnings_and_of_an_exception_its_type_alone():
    log, lines = make_log()
    record = logging.LogRecord("library", logging.ERROR, "", 0, "it broke: %s", (SECRET,), _raised())
    LibraryLines(log).handle(record)
    (fields,) = map(json.loads, lines)
    assert fields["message"] == "it broke: *** (ValueError)"
    assert (fields["level"], fields["source"]) == ("error", "library")
