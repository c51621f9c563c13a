"""A scenario runs a flow for the records asked for, and tells in one word what became of each."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.domain.exchange import Connector
from tagline.errors import RecordError, TryAgainError, UsageError
from tagline.harness.scenario import DONE, Scenario, check_keys, only_flow, outcome, run
from tagline.harness.world import Remotes
from tagline.integration import Integration, load
from tagline.sandbox.seed import PRICE_LIST

INTEGRATION = Path(__file__).parents[2] / "integrations" / "order_to_cash"


@pytest.fixture(scope="module")
def integration() -> Integration:
    return load(INTEGRATION)


@pytest.fixture
def remotes(integration: Integration) -> Remotes:
    return Remotes(integration, seed=1)


@pytest.fixture
def connectors(remotes: Remotes) -> Iterator[dict[str, Connector]]:
    with ExitStack() as stack:
        made = remotes.connect()
        for connector in made.values():
            stack.enter_context(closing(connector))
        yield made


def make_scenario(integration: Integration, *keys: object) -> Scenario:
    settings = integration.settings.model_validate({"price_level": PRICE_LIST})
    return Scenario(only_flow(integration), tuple(map(str, keys)), settings)


def test_every_record_asked_for_gets_its_word(
    integration: Integration, remotes: Remotes, connectors: dict[str, Connector]
) -> None:
    awkward = remotes.shop.place_awkward()
    names = ("guest", "unknown_sku", "malformed")
    scenario = make_scenario(integration, *(awkward[n] for n in names), 999_999)
    outcomes, journal = run(integration, scenario, connectors)
    assert list(outcomes.values()) == [DONE, "unknown-sku", "record-malformed", "record-gone"]
    assert {intent.record for intent in journal.intents} == {str(awkward["guest"])}


def test_running_again_writes_nothing(
    integration: Integration, remotes: Remotes, connectors: dict[str, Connector]
) -> None:
    scenario = make_scenario(integration, *remotes.shop.place_orders(3, seed=4))
    first, journal = run(integration, scenario, connectors)
    again, second = run(integration, scenario, connectors)
    assert journal.intents
    assert (again, list(second.intents)) == (first, [])


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (None, "done"),
        (RecordError("x", code="unknown-sku"), "unknown-sku"),
        (
            RecordError("x", code="mapping-failed", details=({"field": "tax"}, {"field": "name"})),
            "mapping-failed: tax, name",
        ),
        (TryAgainError("x", code="remote-unavailable"), "remote-unavailable"),
    ],
)
def test_what_became_of_a_record_is_one_word(error: RecordError | None, word: str) -> None:
    assert outcome(error) == word


def test_the_only_flow_needs_no_name_and_a_wrong_name_is_answered_with_the_right_ones(
    integration: Integration,
) -> None:
    assert only_flow(integration) is only_flow(integration, "order_to_cash")
    with pytest.raises(UsageError) as caught:
        only_flow(integration, "orders")
    assert caught.value.code == "flow-unknown"
    assert caught.value.hint == "name one of: order_to_cash"


@given(st.lists(st.text(max_size=3)))
def test_keys_are_trimmed_and_stand_once_in_order(keys: list[str]) -> None:
    made = check_keys(keys)
    assert set(made) == {k.strip() for k in keys} - {""}
    assert len(set(made)) == len(made)
    assert made == check_keys(made)
