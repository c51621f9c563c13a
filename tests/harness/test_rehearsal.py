"""A rehearsal tells a sound integration from one that writes twice, loses cents or breaks."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tagline.errors import InconclusiveError
from tagline.harness.rehearsal import Rehearsal, Standing, Told, problems, rehearse
from tagline.integration import Integration, load
from tagline.sandbox.seed import PRICE_LIST

INTEGRATION = Path(__file__).parents[2] / "integrations" / "order_to_cash"


@pytest.fixture(scope="module")
def integration() -> Integration:
    return load(INTEGRATION)


@pytest.fixture(scope="module")
def sound(integration: Integration) -> Rehearsal:
    settings = integration.settings.model_validate({"price_level": PRICE_LIST})
    return rehearse(integration, settings, orders=12)


def test_the_shipped_integration_rehearses_well(sound: Rehearsal):
    assert problems(sound) == []
    assert sound.second_writes == ()
    assert sound.again == sound.outcomes
    assert len(sound.usual) == 12
    assert {"done", "unknown-sku", "order-total-differs", "status-unmapped", "record-malformed"} == set(
        sound.outcomes.values()
    )
    done = [record for record, cause in sound.outcomes.items() if cause == "done"]
    assert done == [order.record for order in sound.standing]
    assert {"salesorder", "salesorderdetail", "Order"} <= {told.entity for told in sound.first_writes}


def test_the_same_seed_rehearses_the_same(integration: Integration):
    settings = integration.settings.model_validate({"price_level": PRICE_LIST})
    first, again = (rehearse(integration, settings, orders=3, seed=2) for _ in range(2))
    assert first == again


def test_a_sandbox_without_what_every_order_needs_is_no_verdict(integration: Integration):
    settings = integration.settings.model_validate({"price_level": "Nowhere"})
    with pytest.raises(InconclusiveError) as caught:
        rehearse(integration, settings, orders=2)
    assert caught.value.code == "rehearsal-not-possible"
    assert "pricelevel" in caught.value.message.lower()
    assert "pricelevel: Web, Wholesale" in caught.value.hint


def test_an_integration_that_writes_nothing_has_shown_nothing(integration: Integration):
    """All orders are older than the first day of business, so every run ends well and proves nothing."""
    settings = integration.settings.model_validate(
        {"price_level": PRICE_LIST, "start_at": "2099-01-01T00:00:00Z"}
    )
    assert problems(rehearse(integration, settings, orders=2)) == [
        "no order became a sales order, so nothing was shown"
    ]


def spoiled(folder: Path, file: str, *changes: tuple[str, str]) -> Rehearsal:
    """A rehearsal of a copy of the integration with something wrong in it."""
    copy = folder / "order_to_cash"
    shutil.copytree(INTEGRATION, copy)
    path = copy / "order_to_cash" / file
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    path.write_text(text)
    wrong = load(copy)
    return rehearse(wrong, wrong.settings.model_validate({"price_level": PRICE_LIST}), orders=12)


def test_lost_shipping_is_found_by_the_flow_itself(tmp_path: Path):
    lost = ("freightamount=freight(order),", "freightamount=0 * freight(order),")
    found = problems(spoiled(tmp_path, "mappings/sales_order.py", lost))
    assert any("is an ordinary one and ended as total-differs" in problem for problem in found)
    assert "sales orders stand for no order" in found[-1]


def test_lost_shipping_is_found_by_the_totals_though_the_flow_expects_nothing(tmp_path: Path):
    unchecked = (
        'sales_order, cause="total-differs", totalamount=money(order.OrderAmount), ',
        'sales_order, cause="x", ',
    )
    lost = (
        "sales_order = await upsert(to_sales_order(order, customer, settings))",
        (
            "sales_order = await upsert(to_sales_order(order, customer, settings)"
            ".model_copy(update={'freightamount': None}))"
        ),
    )
    found = problems(spoiled(tmp_path, "flows.py", unchecked, lost))
    assert any("in the shop and to" in problem for problem in found)


def test_writing_what_the_write_back_changes_is_found_as_a_second_write(tmp_path: Path):
    echo = ("name=order_title(order),", "name=order_title(order), description=order.ExternalComments,")
    found = problems(spoiled(tmp_path, "mappings/sales_order.py", echo))
    assert found
    assert all(problem.startswith("the second run wrote again: update of salesorder") for problem in found)


STANDING = Standing("1", Decimal("10.00"), Decimal("0.83"), ((Decimal("10.00"), Decimal("0.83")),))
WELL = Rehearsal({"1": "done"}, {"1": "done"}, frozenset({"1"}), (), (), (STANDING,), 0)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda r: replace(r, outcomes={"1": "done", "2": "unknown-sku"}), None),
        (
            lambda r: replace(r, outcomes={"1": "done", "2": "mapping-failed: name"}),
            "order 2 is not refused by a named cause, it broke: mapping-failed: name",
        ),
        (
            lambda r: replace(r, outcomes={"1": "done", "2": "unknown-sku"}, usual=frozenset({"2"})),
            "order 2 is an ordinary one and ended as unknown-sku",
        ),
        (
            lambda r: replace(r, again={"1": "total-differs"}),
            "order 1 ended as done, and as total-differs when it was run again",
        ),
        (
            lambda r: replace(r, second_writes=(Told("1", "account", "update", ("name",)),)),
            "the second run wrote again: update of account for order 1 (name)",
        ),
        (
            lambda r: replace(r, standing=(replace(STANDING, totals=((Decimal("9.99"), Decimal("0.83")),)),)),
            "order 1 comes to 10.00 in the shop and to 9.99 in its sales order",
        ),
        (
            lambda r: replace(r, standing=(replace(STANDING, totals=((Decimal("10.00"), Decimal(0)),)),)),
            "order 1's tax comes to 0.83 in the shop and to 0 in its sales order",
        ),
        (
            lambda r: replace(r, standing=(replace(STANDING, totals=STANDING.totals * 2),)),
            "order 1 stands 2 times",
        ),
        (
            lambda r: replace(r, strangers=1),
            "1 sales orders stand for no order that ended as done: what is set aside must leave nothing behind",
        ),
    ],
)
def test_each_problem_is_told_for_people(change: Callable[[Rehearsal], Rehearsal], problem: str | None):
    assert problems(WELL) == []
    assert problems(change(WELL)) == ([problem] if problem else [])
