import pytest

from tagline.connectors import resolve_secret
from tagline.connectors.secrets import all_missing
from tagline.connectors.shift4shop.wire import sign_in_headers
from tagline.domain.environment import Shift4ShopConnection
from tagline.errors import UsageError


def test_a_secret_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("TAGLINE_TEST_SECRET", "s3cret\n")
    assert resolve_secret("env:TAGLINE_TEST_SECRET") == "s3cret"


def test_a_secret_is_read_from_a_file(tmp_path):
    (tmp_path / "key").write_text(" s3cret\n")
    assert resolve_secret(f"file:{tmp_path / 'key'}") == "s3cret"


@pytest.mark.parametrize("reference", ["env:TAGLINE_NOT_SET", "file:/nowhere/at/all"])
def test_a_missing_secret_names_its_reference(reference):
    with pytest.raises(UsageError) as caught:
        resolve_secret(reference)
    assert caught.value.code == "secret-missing"
    assert reference in caught.value.message


def test_a_secret_pasted_as_reference_is_not_repeated():
    with pytest.raises(UsageError) as caught:
        resolve_secret("hunter2hunter2")
    assert "hunter2" not in f"{caught.value} {caught.value.where} {caught.value.hint}"


@pytest.mark.parametrize(
    "secret", ["canary two", "canary\ntwo", "canary\x7f", "canar\xfd", "\u201ccanary\u201d", ""], ids=ascii
)
@pytest.mark.parametrize(
    "proof", [{"private_key": "env:A", "token": "env:A"}, {"access_token": "env:A"}], ids=len
)
def test_a_secret_that_no_header_can_carry_is_told_by_where_it_stands(proof, secret):
    """Else it would look as if the shop could not be reached."""
    given = {"store_url": "s", "time_zone": "UTC", "currency": "USD", "webhook_token": "env:B", **proof}
    config = Shift4ShopConnection.model_validate({"system": "shift4shop", **given})
    with pytest.raises(UsageError) as caught:
        sign_in_headers(config, lambda _: secret)
    assert (caught.value.code, caught.value.where) == ("secret-unusable", {"secret": "env:A"})
    assert "canar" not in f"{caught.value} {caught.value.hint}"


def test_all_that_is_missing_is_named_at_once():
    found = all_missing(
        ["env:ABSENT_A", "env:TAGLINE_DEV_STATE_KEY_X", "env:ABSENT_A", "file:/nowhere"], resolve_secret
    )
    assert found is not None
    assert found.message == (
        "there are no secrets at env:ABSENT_A, env:TAGLINE_DEV_STATE_KEY_X, file:/nowhere"
    )
    assert all_missing([], resolve_secret) is None


@pytest.mark.parametrize(
    ("name", "printed"), [("TAGLINE_X_STATE_KEY", True), ("TAGLINE_X_ALERTS", False)], ids=str
)
def test_the_sandbox_is_named_only_for_what_it_prints(name: str, printed: bool):
    with pytest.raises(UsageError) as caught:
        resolve_secret(f"env:{name}")
    assert ("tagline sandbox" in caught.value.hint) == printed
