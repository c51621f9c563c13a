import pytest

from tagline.connectors import resolve_secret
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
