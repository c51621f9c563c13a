"""Whether an environment is ready, as `tagline doctor` tells it."""

import pytest

from tagline.connectors.finance import Customer, MainAccount
from tagline.domain.checkup import Needs, State
from tagline.errors import NotAuthorisedError, UsageError

NEEDS = Needs(
    (Customer, MainAccount), webhooks="https://hooks.test/hooks/flow/erp", events=("sales-order-confirmed",)
)


def states(finance):
    return {check.subject: check.state for check in finance.check_up(NEEDS)}


def test_an_environment_that_is_ready(finance, environment):
    environment.when("LegalEntities", 200, {"value": [{"LegalEntityId": "USMF"}]})
    environment.when("GET", 200, {"value": []})
    assert states(finance) == {
        "erp sign-in": State.GOOD,
        "erp company": State.GOOD,
        "erp rights": State.GOOD,
        "erp business events": State.UNKNOWN,
    }
    assert "knows the legal entity usmf" in finance.probe()


def test_missing_rights_and_a_missing_company_are_told_with_their_fix(finance, environment):
    environment.when("LegalEntities", 200, {"value": []})
    environment.when("MainAccounts", 403)
    environment.when("GET", 200, {"value": []})
    checks = {check.subject: check for check in finance.check_up(NEEDS)}
    assert checks["erp company"].state is checks["erp rights"].state is State.FAILED
    assert "MainAccounts" in checks["erp rights"].found
    assert "CustomersV3" not in checks["erp rights"].found
    assert all(check.fix for check in checks.values() if check.state is not State.GOOD)
    with pytest.raises(UsageError) as caught:
        finance.probe()
    assert caught.value.code == "company-unknown"


def test_an_entity_that_the_environment_does_not_have_is_named_and_the_others_are_looked_at(
    finance, environment
):
    environment.when("LegalEntities", 200, {"value": [{"LegalEntityId": "USMF"}]})
    environment.when("MainAccounts", 404, {"error": {"code": "", "message": "No HTTP resource was found."}})
    environment.when("CustomersV3", 403)
    checks = {check.subject: check for check in finance.check_up(NEEDS)}
    assert [s for s, check in checks.items() if check.state is State.FAILED] == ["erp entities", "erp rights"]
    assert "MainAccounts" in checks["erp entities"].found
    assert "CustomersV3" in checks["erp rights"].found


def test_an_application_that_finance_does_not_know_is_told_where_it_is_named(finance, environment):
    environment.when("GET", 401)
    with pytest.raises(NotAuthorisedError) as caught:
        list(finance.check_up(NEEDS))
    assert "Microsoft Entra applications" in caught.value.hint


def test_the_addresses_of_events_are_named_without_the_token(finance, environment):
    environment.when("GET", 200, {"value": [{}]})
    fix = next(check.fix for check in finance.check_up(NEEDS) if check.state is State.UNKNOWN)
    assert (
        "SalesOrderConfirmedBusinessEvent at https://hooks.test/hooks/flow/erp/sales-order-confirmed/…" in fix
    )
