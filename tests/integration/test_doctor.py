"""Whether an environment is ready, asked of the sandbox's systems."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.place import Place

from tagline.connectors.dataverse.solution import role_id
from tagline.domain.checkup import Check, State
from tagline.integration.doctor import examine, named_rows
from tagline.integration.load import Integration, load_from
from tagline.integration.solution import solution_of
from tagline.sandbox.dataverse_founding import CUSTOMISER, USER_ID, put_role
from tagline.sandbox.dataverse_rights import ADMINISTRATOR, Depth
from tagline.sandbox.dataverse_schema import tables

ROOT = Path(__file__).parents[2]
SETTINGS = {"store": "shop", "price_level": "Web"}


@pytest.fixture(scope="module")
def order_to_cash() -> Integration:
    return load_from(ROOT, "order_to_cash")


class Ward(Place):
    """A sandbox environment and what the doctor says of it."""

    def __init__(self, integration: Integration) -> None:
        super().__init__(orders=3)
        self.integration = integration

    def give(self, *others: str, beyond: int = 0) -> None:
        """Give the running application the generated role, so many rights on top of it, and other roles."""
        made = solution_of(self.integration)
        organisation = self.sandbox.organisations["dev"]
        depths = {right.privilege: Depth[right.depth.value.upper()] for right in made.rights}
        all_of_them = organisation.rights.held(USER_ID)
        more = [n for n in all_of_them if n.startswith(("prvDelete", "prvAssign", "prvShare"))]
        more = [name for name in more if name not in depths and not name.endswith("Role")]
        depths |= dict.fromkeys(more[:beyond], Depth.GLOBAL)
        with organisation.entered():
            put_role(organisation.rows, role_id(made), made.role, depths, is_managed=True)
        organisation.set_roles(USER_ID, made.role, *others)

    def examine(self) -> dict[str, Check]:
        checks = list(
            examine(
                self.integration,
                self.config(self.integration.name),
                clock=self.clock,
                secrets=self.secret,
                transport=self.sandbox.transport(),
            )
        )
        assert len({c.subject for c in checks}) == len(checks), "each is told once"
        return {check.subject: check for check in checks}


@pytest.fixture
def ward(order_to_cash: Integration) -> Ward:
    made = Ward(order_to_cash)
    made.settings = dict(SETTINGS)
    return made


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
    ward.secrets["DEV_HOOK"] = ward.secrets.pop("TAGLINE_DEV_SHOP_TOKEN")
    told = {State.GOOD, State.SKIPPED}
    assert all(c.fix for c in ward.examine().values() if c.state not in told)


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


def _failed(found: dict[str, Check]) -> list[str]:
    return [check.subject for check in found.values() if check.state is State.FAILED]


def _skipped(found: dict[str, Check]) -> dict[str, str]:
    return {c.subject: c.found for c in found.values() if c.state is State.SKIPPED}


def test_a_wrong_key_of_the_shop_is_one_finding_and_leaves_the_other_checks_standing(ward):
    ward.secrets["TAGLINE_DEV_SHOP_TOKEN"] = "x" * 32
    found = ward.examine()
    assert _failed(found) == ["shop sign-in"]
    assert _skipped(found) == {"shop tables": "sign-in failed"}
    assert found["crm sign-in"].state is State.GOOD


def test_a_wrong_secret_of_dataverse_is_one_finding_with_its_cause(ward):
    ward.secrets["TAGLINE_DEV_CRM_CLIENT_SECRET"] = "wrong"
    found = ward.examine()
    assert _failed(found) == ["crm sign-in"]
    assert "sign-in-failed" in found["crm sign-in"].found
    assert _skipped(found) == {"crm tables": "sign-in failed", "crm rows": "sign-in failed"}
    assert found["shop sign-in"].state is State.GOOD


def test_one_missing_secret_leaves_what_does_not_need_it_to_be_looked_at(ward):
    del ward.secrets["TAGLINE_DEV_SHOP_TOKEN"]
    found = ward.examine()
    assert _failed(found) == ["secret env:TAGLINE_DEV_SHOP_TOKEN"]
    assert _skipped(found) == {"shop": "a secret is missing"}
    assert found["pricelevel Web"].state is State.GOOD


@pytest.mark.parametrize(
    ("secret", "state"), [(None, State.GOOD), ("wrong", State.WARNING), ("", State.UNKNOWN)]
)
def test_the_application_that_sets_up_is_signed_in_where_its_secret_is(ward, secret, state):
    if secret is not None:
        ward.secrets["TAGLINE_DEV_CRM_DEPLOY_SECRET"] = secret
    found = ward.examine()
    assert found["crm deploy sign-in"].state is state
    assert _failed(found) == [], "the flows run without it"


@pytest.mark.parametrize(("name", "state"), [("mirror", State.WARNING), ("unswept", State.FAILED)])
def test_events_without_a_token_wait_for_the_sweep_or_for_ever(request, name, state):
    ward = Ward(request.getfixturevalue(name))
    del ward.given["crm"]["webhook_token"]
    check = ward.examine()["crm webhooks"]
    assert (check.state, "webhook_token" in check.fix) == (state, True)


def test_webhooks_of_dataverse_that_are_missing_are_told_with_who_registers_them(mirror):
    check = Ward(mirror).examine()["crm webhooks"]
    assert check.state is State.WARNING
    assert "account-created, account-changed" in check.found
    assert "tagline solution import" in check.fix


def test_the_generated_role_and_little_beyond_it_is_not_worth_a_word(ward):
    ward.give(beyond=5)
    found = ward.examine()
    assert found["crm rights"].state is State.GOOD
    assert "crm least privilege" not in found


@pytest.mark.parametrize("role", [ADMINISTRATOR, CUSTOMISER])
def test_a_role_of_those_who_set_up_is_told_of_with_what_to_leave(ward, role):
    ward.give(role)
    check = ward.examine()["crm least privilege"]
    assert check.state is State.WARNING
    assert "System Administrator or System Customizer" in check.found
    assert "prvImportCustomization" in check.found
    assert "solution import" in check.fix
    assert "take its other roles away" in check.fix


def test_a_key_that_is_not_active_yet_is_told_with_what_to_do(ward):
    organisation = ward.sandbox.organisations["dev"]
    with organisation.entered():
        table = tables()["salesorder"]
        pending = {name: replace(index, status="Pending") for name, index in table.indexes.items()}
        organisation.schema.change("salesorder", indexes=pending)
    [check] = [c for c in ward.examine().values() if c.subject.startswith("crm salesorder")]
    assert check.state is State.FAILED
    assert "tl_orderkey" in f"{check.subject} {check.found}"
    assert "still building" in check.found
    assert "wait until it is active" in check.fix


def test_a_swept_table_that_does_not_track_changes_is_told_with_where_to_switch_it_on(mirror):
    ward = Ward(mirror)
    ward.sandbox.organisations["dev"].schema.change("account", is_tracked=False)
    check = ward.examine()["crm account"]
    assert (check.state, check.found) == (State.WARNING, "the table does not track changes")
    assert "switch change tracking on" in check.fix


def test_a_secret_that_has_expired_is_one_finding_with_what_to_do(ward):
    tenant, client_id = ward.sandbox.login, ward.given["crm"]["client_id"]
    tenant.applications[client_id] = replace(
        tenant.applications[client_id], secret_expires=ward.clock.now() - timedelta(days=1)
    )
    ward.given["crm"]["expires"] = (ward.clock.now() - timedelta(days=1)).date()
    found = ward.examine()
    assert _failed(found) == ["crm secret", "crm sign-in"]
    assert "2026-11-01" in found["crm secret"].found
    assert "make a new one" in found["crm sign-in"].fix
    assert _skipped(found) == {"crm tables": "sign-in failed", "crm rows": "sign-in failed"}


def test_many_rights_that_no_flow_needs_are_told_of(ward):
    ward.give(beyond=40)
    check = ward.examine()["crm least privilege"]
    assert (check.state, check.found) == (
        State.WARNING,
        "the running application also holds 40 rights to change rows of the whole organisation that no flow needs",
    )


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
