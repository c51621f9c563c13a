"""Secrets are looked at before any remote is asked."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integration.place import Place

from tagline.domain.checkup import Check, State
from tagline.integration.credentials import secret_checks
from tagline.integration.load import Integration
from tagline.integration.remotes import configured


@pytest.fixture(scope="module")
def place() -> Place:
    return Place()


@pytest.fixture
def look(place: Place, mirror: Integration):
    """The checks of an environment, with some of its secrets changed."""
    config = place.config("mirror")
    given = dict(place.secrets)

    def checks(**changes: str) -> dict[str, Check]:
        place.secrets = {**given, **changes}
        return {c.subject: c for c in secret_checks(config, configured(mirror, config), place.secret)}

    yield checks
    place.secrets = given


def test_good_secrets_are_good(look):
    assert {check.state for check in look().values()} == {State.GOOD}


def test_every_secret_that_is_missing_is_told_at_once_with_who_needs_it(look):
    found = look(KEY="", TAGLINE_DEV_CRM_CLIENT_SECRET="", CRM_HOOK="")
    assert {subject: check.state for subject, check in found.items()} == {
        "secret env:KEY": State.FAILED,
        "secret env:TAGLINE_DEV_CRM_CLIENT_SECRET": State.FAILED,
        "secret env:CRM_HOOK": State.FAILED,
    }
    assert "agent.state_key" in found["secret env:KEY"].found
    assert "connections.crm.client_secret" in found["secret env:TAGLINE_DEV_CRM_CLIENT_SECRET"].found


def test_what_only_setting_up_needs_is_not_missing(look):
    assert not [s for s in look(TAGLINE_DEV_CRM_DEPLOY_SECRET="") if s.startswith("secret")]


@pytest.mark.parametrize("token", ["guessable", "sixteen letters/", "ü" * 20])
def test_a_token_that_could_be_guessed_or_broken_by_a_url_is_told_and_never_shown(look, token):
    check = look(CRM_HOOK=token)["crm webhook token"]
    assert check.state is State.FAILED
    assert "openssl rand" in check.fix
    assert token not in f"{check.found} {check.fix}"


@pytest.mark.parametrize("key", ["secret", "é" * 44, "A" * 43, "a" * 45])
def test_a_state_key_of_another_form_is_told_before_the_agent_stumbles(look, key):
    check = look(KEY=key)["agent state key"]
    assert (check.state, "tagline keys generate" in check.fix) == (State.FAILED, True)


@given(key=st.binary(min_size=1, max_size=64))
def test_a_state_key_is_good_if_and_only_if_it_is_of_32_bytes(place_of_keys, key):
    config, connections, secrets = place_of_keys
    secrets["KEY"] = base64.urlsafe_b64encode(key).decode()
    (check,) = (c for c in secret_checks(config, connections, lambda r: secrets[r.removeprefix("env:")]))
    assert (check.state is State.GOOD) == (len(key) == 32)


@pytest.fixture(scope="module")
def place_of_keys(place: Place):
    return place.config("mirror"), (), {}
