"""Configuration is typed, inherited, rendered from a commit, and never carries a secret."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.alm import environments
from tagline.alm.closure import digest
from tagline.domain.environment import EnvironmentConfig
from tagline.errors import UsageError
from tagline.integration import load

from .conftest import BASE, OWN, World, write

DEV = OWN.format(name="dev", number=0)


def _refused(world: World, files: dict[str, str], environment: str = "dev") -> UsageError:
    world.commit({f"environments/{n}": text for n, text in files.items()})
    with pytest.raises(UsageError) as error:
        environments.render(world.ann, environment)
    return error.value


def test_values_are_inherited_and_every_one_knows_the_file_that_gave_it(world: World) -> None:
    world.commit({"environments/dev.toml": DEV + '\n[integrations.orders.settings]\nprefix = "d"\n'})
    found = environments.render(world.ann, "dev")
    assert found.config.integrations["orders"].settings == {"prefix": "d"}
    assert found.config.connections["crm"].system == "dataverse"
    assert found.layers["integrations.orders.settings.prefix"] == "environments/dev.toml"
    assert found.layers["connections.crm.tenant"] == "environments/base.toml"


def test_the_working_copy_and_what_is_not_on_main_yet_do_not_matter(world: World) -> None:
    before = environments.render(world.ann, "dev")
    write(world.root / "ann", {"environments/dev.toml": "broken ="})
    world.ann.commit(
        world.ann.main(), {"environments/dev.toml": b""}, message="m", by="a", at=datetime.now(UTC)
    )
    assert environments.render(world.ann, "dev") == before


def test_what_somebody_else_pushed_counts(world: World) -> None:
    world.commit({"environments/dev.toml": DEV.replace("8700", "9999")})
    assert environments.render(world.bob, "dev").config.agent.listen == "127.0.0.1:9999"


def test_an_unknown_environment_is_answered_with_the_nearest_name(world: World) -> None:
    with pytest.raises(UsageError) as error:
        environments.render(world.ann, "prd")
    assert (error.value.code, error.value.hint) == ("environment-unknown", "did you mean prod?")


def test_every_unknown_key_is_named_with_its_file_and_the_nearest_right_one(world: World) -> None:
    error = _refused(
        world,
        {
            "base.toml": BASE.replace("poll_seconds", "pol_seconds"),
            "dev.toml": DEV.replace("store_url =", 'store_ulr = "x"\nstore_url ='),
        },
    )
    assert error.code == "config-unknown-key"
    assert (
        "environments/base.toml: agent.pol_seconds: unknown key, did you mean poll_seconds?" in error.message
    )
    assert (
        "environments/dev.toml: connections.shop.store_ulr: unknown key, did you mean store_url?"
        in error.message
    )


def test_all_wrong_values_are_told_at_once(world: World) -> None:
    error = _refused(
        world,
        {"base.toml": BASE.replace("poll_seconds = 1.0", "poll_seconds = -1").replace('"USD"', '"usd"')},
    )
    assert error.code == "config-invalid"
    assert "agent.poll_seconds" in error.message
    assert "connections.shop.currency" in error.message


def test_a_secret_in_place_of_a_reference_is_refused_without_being_shown(world: World) -> None:
    error = _refused(world, {"base.toml": BASE.replace("env:CRM_SECRET", "hunter2hunter2")})
    assert error.code == "config-invalid"
    assert "connections.crm.client_secret: this is no reference to a secret" in error.message
    assert "hunter2" not in f"{error.message}{error.hint}{error.where}"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("https://dev-shop.example.com", "https://qa-shop.example.com"),
        ("https://dev.crm.example.com", "https://qa.crm.example.com"),
        ("https://dev.example.com", "https://qa.example.com"),
        ("127.0.0.1:8700", "127.0.0.1:8701"),
        (".tagline/dev", ".tagline/qa"),
    ],
    ids=["store", "organisation", "public url", "listen", "state"],
)
def test_what_identifies_an_environment_is_not_shared(world: World, ours: str, theirs: str) -> None:
    error = _refused(
        world,
        {
            "dev.toml": re.sub(
                re.escape(f'"{ours}"'), f'"{theirs.upper()}/"' if "http" in ours else f'"{theirs}"', DEV
            )
        },
    )
    assert error.code == "config-shared-identity"
    assert "dev and qa share" in error.message


@pytest.mark.parametrize(("company", "is_shared"), [("USMF", True), ("camf", False)])
def test_a_legal_entity_is_not_shared_and_its_environment_may_be(
    world: World, company: str, is_shared: bool
) -> None:
    erp = """
[connections.erp]
system = "finance"
url = "https://erp.example.com"
tenant = "t"
client_id = "c"
client_secret = "env:ERP_SECRET"
company = "{}"
"""
    files = {
        "dev.toml": DEV + erp.format("usmf"),
        "qa.toml": OWN.format(name="qa", number=1) + erp.format(company),
    }
    if is_shared:
        assert "dev and qa share usmf at" in _refused(world, files).message
    else:
        world.commit({f"environments/{name}": text for name, text in files.items()})
        assert environments.render(world.ann, "dev").config.connections["erp"].system == "finance"


def test_a_broken_file_is_named_with_its_line(world: World) -> None:
    error = _refused(world, {"dev.toml": "agent = {"})
    assert (error.code, error.where["file"]) == ("config-invalid", "environments/dev.toml")


def test_settings_are_held_to_the_model_of_the_integration(world: World) -> None:
    integration = load(world.root / "ann" / "integrations" / "orders")
    config = environments.render(world.ann, "dev").config
    environments.check_settings(config, integration)
    section = config.integrations["orders"].model_copy(update={"settings": {"prefx": "a"}})
    with pytest.raises(UsageError, match="did you mean prefix") as error:
        environments.check_settings(
            config.model_copy(update={"integrations": {"orders": section}}), integration
        )
    assert error.value.code == "settings-invalid"


@pytest.mark.parametrize(
    ("renamed", "code"),
    [
        ({"shop": "webshop"}, "connection-unknown"),
        ({"shop": "crm"}, "connection-differs"),
        ({"shopp": "shop"}, "connection-unknown"),
    ],
    ids=["missing", "of another system", "not the integration's"],
)
def test_connections_lead_somewhere_of_the_right_kind(
    world: World, renamed: dict[str, str], code: str
) -> None:
    integration = load(world.root / "ann" / "integrations" / "orders")
    config = environments.render(world.ann, "dev").config
    section = config.integrations["orders"].model_copy(update={"connections": renamed})
    with pytest.raises(UsageError) as error:
        environments.check_settings(
            config.model_copy(update={"integrations": {"orders": section}}), integration
        )
    assert error.value.code == code


def test_changes_name_path_values_and_layer(world: World) -> None:
    old = environments.render(world.ann, "dev")
    world.commit({"environments/dev.toml": DEV.replace("8700", "9999")})
    new = environments.render(world.ann, "dev")
    assert environments.changes(old.config, new.config, new.layers) == (
        "agent.listen: 127.0.0.1:8700 -> 127.0.0.1:9999 (environments/dev.toml)",
    )
    assert old.digest != new.digest


def test_who_is_told_of_alarms_redeploys_nothing(world: World) -> None:
    old = environments.render(world.ann, "dev")
    world.commit({"environments/dev.toml": DEV + '\n[alerts]\nchannels = ["env:CHANNEL"]\n'})
    new = environments.render(world.ann, "dev")
    assert new.config.alerts.channels == ("env:CHANNEL",)
    assert environments.for_integration(new.config, "orders") == environments.for_integration(
        old.config, "orders"
    )


SETTINGS = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.recursive(
        st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.text(max_size=8)
        | st.datetimes(timezones=st.just(UTC)),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)


@given(SETTINGS)
def test_a_rendered_configuration_survives_its_file(settings: dict[str, Any]) -> None:
    config = EnvironmentConfig.model_validate(
        {
            "environment": "dev",
            "agent": {"public_url": "https://x", "state": "s", "state_key": "env:K"},
            "connections": {},
            "integrations": {"orders": {"settings": settings}},
        }
    )
    again = environments.from_toml(environments.to_toml(config))
    assert again == config
    assert environments.digest(again) == environments.digest(config)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
)


def _shuffled(value: Any, seed: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(k, _shuffled(v, seed)) for k, v in value.items()]
        seed.shuffle(items)
        return dict(items)
    return [_shuffled(v, seed) for v in value] if isinstance(value, list) else value


@given(JSON, st.randoms(use_true_random=False))
def test_a_digest_does_not_depend_on_the_order_of_members(value: Any, seed: random.Random) -> None:
    assert digest(_shuffled(value, seed)) == digest(value)


@given(JSON, JSON)
def test_different_values_have_different_digests(one: Any, other: Any) -> None:
    same = repr(_sorted(one)) == repr(_sorted(other))
    assert (digest(one) == digest(other)) == same


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return [(k, _sorted(value[k])) for k in sorted(value)], "object"
    return [_sorted(v) for v in value] if isinstance(value, list) else value
