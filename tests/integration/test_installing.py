"""Setting an organisation up, in the sandbox: once, again, by somebody who may not, and what the flows may do afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.integration.place import Place

from tagline.connectors import connect
from tagline.connectors.dataverse import Account
from tagline.connectors.hooks import name_of
from tagline.domain.checkup import State
from tagline.errors import RefusedError, UsageError
from tagline.integration.doctor import examine
from tagline.integration.installing import Installation, install
from tagline.integration.load import Integration
from tagline.sandbox.dataverse_founding import USER_ID
from tagline.sandbox.dataverse_schema import tables

HOOKS = "http://127.0.0.1:8701/hooks/mirror/crm"


@pytest.fixture
def place() -> Place:
    return Place(solution=False)


def _install(place: Place, integration: Integration, *, is_managed: bool = True) -> Installation:
    (done,) = install(
        integration,
        place.config(integration.name),
        is_managed=is_managed,
        clock=place.clock,
        told=lambda _line: None,
        secrets=place.secret,
        transport=place.sandbox.transport(),
    )
    return done


def _endpoints(place: Place) -> set[str]:
    return {row["url"] for row in place.rows("serviceendpoint")}


def test_it_brings_columns_keys_role_and_webhooks(place, mirror):
    done = _install(place, mirror)
    assert {"the column account.tl_customerkey", "the role tagline_mirror runtime"} <= set(done.changes)
    assert done.webhooks == ("account-created", "account-changed")
    token = place.secrets["CRM_HOOK"]
    named = name_of(token)
    assert _endpoints(place) == {f"{HOOKS}/account-created/{named}", f"{HOOKS}/account-changed/{named}"}


@pytest.mark.parametrize("is_managed", [True, False])
def test_doing_it_again_says_that_nothing_changed_and_imports_nothing(place, mirror, is_managed):
    assert not _install(place, mirror, is_managed=is_managed).is_unchanged
    before = place.rows("importjob")
    assert _install(place, mirror, is_managed=is_managed).is_unchanged
    assert place.rows("importjob") == before


@pytest.mark.parametrize("table", ["roleprivileges", "serviceendpoint"])
def test_what_somebody_took_away_is_brought_again_and_named(place, mirror, table):
    _install(place, mirror)
    taken, rows = tables()[table], place.sandbox.organisations["dev"].rows
    rows.remove(taken, str(place.rows(table)[-1][taken.primary_id]))
    done = _install(place, mirror)
    assert bool(done.changes) == (table == "roleprivileges")
    assert bool(done.webhooks) == (table == "serviceendpoint")
    assert _install(place, mirror).is_unchanged


def test_a_newer_version_is_imported_and_an_older_one_that_lacks_nothing_is_left(place, mirror):
    _install(place, mirror)
    done = _install(place, replace(mirror, version="1.10.0"))
    assert done.changes == ("version 1.10.0.0 in place of 1.2.0.0",)
    assert _install(place, mirror).is_unchanged


def test_an_older_version_never_replaces_a_newer_one(place, mirror, unswept):
    """Its role would lose what the newer flows need."""
    _install(place, replace(mirror, version="2.0.0"))
    holding, rows = tables()["roleprivileges"], place.sandbox.organisations["dev"].rows
    rows.remove(holding, str(place.rows("roleprivileges")[-1][holding.primary_id]))
    with pytest.raises(RefusedError) as caught:
        _install(place, mirror)
    assert (caught.value.code, "2.0.0.0 is installed" in caught.value.message) == ("solution-older", True)


@pytest.mark.parametrize(("first", "hint"), [(True, "leave out --unmanaged"), (False, "add --unmanaged")])
def test_one_of_the_other_kind_is_refused_with_what_a_newcomer_can_do(place, mirror, first, hint):
    _install(place, mirror, is_managed=first)
    with pytest.raises(RefusedError) as caught:
        _install(place, mirror, is_managed=not first)
    assert caught.value.code == "solution-kind-differs"
    assert caught.value.hint.startswith(hint)


def test_without_a_token_no_webhook_is_registered_and_that_is_told(place, mirror):
    del place.given["crm"]["webhook_token"]
    done = _install(place, mirror)
    assert (done.is_deaf, done.webhooks, _endpoints(place)) == (True, (), set())


def test_a_weak_token_is_refused_before_anything_is_imported(place, mirror):
    place.secrets["CRM_HOOK"] = "guess"
    with pytest.raises(UsageError) as caught:
        _install(place, mirror)
    assert caught.value.code == "webhook-token-weak"
    assert place.rows("importjob") == []


def test_a_connection_without_an_application_to_set_up_with_says_which_to_name(place, mirror):
    del place.given["crm"]["deploy"]
    with pytest.raises(UsageError) as caught:
        _install(place, mirror)
    assert caught.value.code == "deploy-identity-missing"
    assert "[connections.crm.deploy]" in caught.value.hint


def test_who_has_the_role_alone_passes_the_doctor_and_may_register_nothing(place, mirror):
    _install(place, mirror)
    place.sandbox.organisations["dev"].set_roles(USER_ID, "tagline_mirror runtime")
    found = {
        check.subject: check
        for check in examine(
            mirror,
            place.config("mirror"),
            clock=place.clock,
            secrets=place.secret,
            transport=place.sandbox.transport(),
        )
    }
    looked = ("crm sign-in", "crm rights", "crm webhooks", "crm tables", "crm deploy sign-in")
    assert [found[name] for name in looked if found[name].state is not State.GOOD] == []
    place.secrets["TAGLINE_DEV_CRM_DEPLOY_SECRET"] = ""
    runs = connect(
        "crm",
        place.config("mirror").connections["crm"],
        clock=place.clock,
        secrets=place.secret,
        transport=place.sandbox.transport(),
    )
    assert runs.subscribe(["account-created"], HOOKS) == [], "it may look, and it is there"
    with pytest.raises(RefusedError) as caught:
        runs.subscribe(["account-deleted"], HOOKS)
    assert caught.value.code == "webhook-not-registered"
    assert len(_endpoints(place)) == 2
    runs.fetch(Account, [])
    runs.close()
