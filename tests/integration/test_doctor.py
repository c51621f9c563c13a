"""Whether an environment is ready, asked of the sandbox's systems."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tagline.clock import VirtualClock
from tagline.domain.checkup import Check, State
from tagline.domain.environment import EnvironmentConfig
from tagline.integration.doctor import examine, named_rows
from tagline.integration.load import Integration, load_from
from tagline.sandbox.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
SETTINGS = {"store": "shop", "price_level": "Web"}


@pytest.fixture(scope="module")
def order_to_cash() -> Integration:
    return load_from(ROOT, "order_to_cash")


class Ward:
    """A sandbox environment and what the doctor says of it."""

    def __init__(self, integration: Integration) -> None:
        self.integration = integration
        self.clock = VirtualClock(datetime(2026, 11, 2, 15, tzinfo=UTC))
        self.sandbox = Sandbox(self.clock)
        self.sandbox.shops["dev"].place_orders(3, seed=1)
        self.given = self.sandbox.connection_configs("dev")
        self.settings: dict[str, Any] = dict(SETTINGS)

    def examine(self) -> dict[str, Check]:
        config = EnvironmentConfig.model_validate(
            {
                "environment": "dev",
                "agent": {
                    "public_url": "http://127.0.0.1:8701",
                    "state": ".tagline/dev",
                    "state_key": "env:KEY",
                },
                "connections": {"shop": self.given["shop"], "crm": self.given["crm"]},
                "integrations": {"order_to_cash": {"settings": self.settings}},
            }
        )
        checks = examine(
            self.integration,
            config,
            clock=self.clock,
            secrets=lambda reference: str(self.given["secrets"][reference.removeprefix("env:")]),
            transport=self.sandbox.transport(),
        )
        return {check.subject: check for check in checks}


@pytest.fixture
def ward(order_to_cash: Integration) -> Iterator[Ward]:
    return Ward(order_to_cash)


def test_a_ready_environment_has_nothing_that_failed(ward):
    found = ward.examine()
    assert [c for c in found.values() if c.state is State.FAILED] == []
    good = {subject for subject, check in found.items() if check.state is State.GOOD}
    assert {
        "shop sign-in",
        "shop scopes",
        "shop zone",
        "shop currency",
        "crm sign-in",
        "crm tables",
        "pricelevel Web",
        "transactioncurrency USD",
    } <= good


def test_every_check_that_is_not_good_says_what_to_do(ward):
    assert all(c.fix for c in ward.examine().values() if c.state is not State.GOOD)


def test_a_wrong_zone_and_currency_are_found_in_the_stores_own_settings(ward):
    ward.given["shop"] |= {"time_zone": "Europe/Berlin", "currency": "EUR"}
    found = ward.examine()
    assert found["shop zone"].state is State.FAILED
    assert "America/New_York" in found["shop zone"].found
    assert found["shop currency"].state is State.FAILED


def test_a_price_list_that_is_not_there_is_named(ward):
    ward.settings["price_level"] = "Nowhere"
    check = ward.examine()["pricelevel Nowhere"]
    assert check.state is State.FAILED
    assert "name 'Nowhere'" in check.found


def test_wrong_keys_of_the_shop_leave_the_other_checks_standing(ward):
    ward.given["secrets"] = {
        k: "x" * 32 if k.endswith("SHOP_TOKEN") else v for k, v in ward.given["secrets"].items()
    }
    found = ward.examine()
    assert found["shop sign-in"].state is State.FAILED
    assert found["crm sign-in"].state is State.GOOD


def test_a_refused_sign_in_to_dataverse_is_one_failed_check_with_its_cause(ward):
    ward.given["secrets"] = {k: "wrong" if "CRM" in k else v for k, v in ward.given["secrets"].items()}
    found = ward.examine()
    assert found["crm"].state is State.FAILED
    assert "sign-in-failed" in found["crm"].found
    assert found["shop sign-in"].state is State.GOOD


def test_rows_are_named_by_settings_and_the_stores_currency_never_by_a_record(order_to_cash):
    settings = order_to_cash.settings.model_validate(SETTINGS)
    named = {
        (model.__name__, key)
        for mapping in order_to_cash.mappings.values()
        for model, key in named_rows(mapping, settings, "USD")
    }
    assert named == {
        ("PriceLevel", (("name", "Web"),)),
        ("TransactionCurrency", (("isocurrencycode", "USD"),)),
    }
