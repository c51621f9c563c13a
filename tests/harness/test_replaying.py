"""A replay is strict: a call changed, missing or additional is a problem, and so is a record that ends otherwise."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tagline.errors import UsageError
from tagline.harness.cassettes import Cassette, Interaction, load
from tagline.harness.replaying import leaks_in, replay
from tagline.integration import Integration
from tagline.integration import load as load_integration

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def integration() -> Integration:
    return load_integration(ROOT / "integrations" / "order_to_cash")


@pytest.fixture(scope="module")
def cassette() -> Cassette:
    return load(ROOT / "fixtures" / "order_to_cash" / "cassettes" / "orders.yaml")


def with_scenario(cassette: Cassette, **changes: Any) -> Cassette:
    return replace(cassette, scenario={**cassette.scenario, **changes})


def edited(cassette: Cassette, old: bytes, new: bytes) -> Cassette:
    """The cassette with something else in its requests."""
    assert any(old in i.request_body for i in cassette.interactions)
    return replace(
        cassette,
        interactions=tuple(
            replace(i, request_body=i.request_body.replace(old, new)) for i in cassette.interactions
        ),
    )


def test_the_shipped_cassette_replays_as_recorded(integration: Integration, cassette: Cassette) -> None:
    replayed = replay(integration, cassette)
    assert replayed.problems == ()
    assert replayed.played == len(cassette.interactions)
    assert replayed.outcomes == cassette.scenario["outcomes"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'"tax"', b'"tax_before"', "body field tax: newly sent"),
        (b'"freightamount":', b'"freightamount":1', "body field freightamount: another value"),
        (
            b'"ispriceoverridden":true',
            b'"ispriceoverridden":1',
            "body field ispriceoverridden: another value",
        ),
        (b"If-Match: ", b"X-Unmatched: ", "header if-match in 2 parts instead of 0"),
        (b"If-None-Match: *\r\n", b"", "header if-none-match in"),
    ],
    ids=["field", "amount", "true is not 1", "If-Match", "If-None-Match"],
)
def test_a_call_that_differs_from_what_was_recorded_is_named(
    integration: Integration, cassette: Cassette, old: bytes, new: bytes, told: str
) -> None:
    """Told from the other side: what is sent now is right, the recording is edited."""
    problems = replay(integration, edited(cassette, old, new)).problems
    assert any(told in p for p in problems), problems
    assert "records ended otherwise" in problems[-1]


def test_a_call_that_was_recorded_and_is_not_made_is_a_problem(
    integration: Integration, cassette: Cassette
) -> None:
    extra = Interaction("GET", "https://shop.example/3dCartWebAPI/v2/Never", {}, b"", 200, "OK", {}, b"[]")
    more = replace(cassette, interactions=(*cassette.interactions, extra))
    assert replay(integration, more).problems == (
        "recorded and not made: GET shop.example/3dCartWebAPI/v2/Never",
    )


def test_a_call_that_was_not_recorded_is_a_problem(integration: Integration, cassette: Cassette) -> None:
    fewer = replace(cassette, interactions=cassette.interactions[:-1])
    problems = replay(integration, fewer).problems
    assert cassette.interactions[-1].url.removeprefix("https://") in problems[0]


def test_a_call_that_is_made_more_often_than_recorded_is_a_problem(
    integration: Integration, cassette: Cassette
) -> None:
    calls = [i.call for i in cassette.interactions]
    twice = next(n for n, call in enumerate(calls) if call in calls[:n])
    once = (*cassette.interactions[:twice], *cassette.interactions[twice + 1 :])
    problems = replay(integration, replace(cassette, interactions=once)).problems
    assert any("fewer times than it is made now" in p for p in problems)


def test_a_record_that_ends_otherwise_is_a_problem(integration: Integration, cassette: Cassette) -> None:
    recorded = dict(cassette.scenario["outcomes"])
    done = next(key for key, word in recorded.items() if word == "done")
    changed = with_scenario(cassette, outcomes={**recorded, done: "unknown-sku"})
    assert replay(integration, changed).problems == (f"record {done} ends as done instead of unknown-sku",)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"settings": {}}, "price_level"),
        ({"settings": {"price_level": "Web", "colour": "red"}}, "colour"),
        ({"settings": None}, ""),
        ({"connections": {}}, "KeyError"),
        ({"connections": {"shop": {"system": "erp"}, "crm": {}}}, ""),
        ({"outcomes": ["1001"]}, "ValueError"),
        ({"outcomes": 3}, "TypeError"),
        ({"at": "yesterday"}, "ValueError"),
    ],
    ids=[
        "setting missing",
        "setting unknown",
        "no settings",
        "no connections",
        "system",
        "keys alone",
        "number",
        "at",
    ],
)
def test_a_scenario_that_does_not_fit_is_refused_by_name(
    integration: Integration, cassette: Cassette, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        replay(integration, with_scenario(cassette, **changes))
    assert caught.value.code == "scenario-invalid"
    assert told in caught.value.message
    assert "tagline record order_to_cash" in caught.value.hint


def test_a_flow_that_is_gone_is_refused_by_name(integration: Integration, cassette: Cassette) -> None:
    with pytest.raises(UsageError) as caught:
        replay(integration, with_scenario(cassette, flow="orders"))
    assert caught.value.code == "flow-unknown"


def test_what_was_planted_in_a_cassette_is_found(tmp_path: Path) -> None:
    """A cassette is edited by hand and merged by people; the gate reads it as anyone's file."""
    path = tmp_path / "orders.yaml"
    path.write_text(
        json.dumps(
            {"mail": "jane@private-mail.test", "card": "4111-1111-1111-1111", "auth": "Bearer abcdefgh9"}
        )
    )
    assert leaks_in(path) == ["card number", "e-mail address", "token"]
    path.write_text('{"mail": "jane@example.com"}')
    assert leaks_in(path) == []
