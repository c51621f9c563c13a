import base64

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from tagline.errors import RefusedError, TryAgainError, UsageError
from tagline.runtime.key_ring import Key, KeyRing, RingFile, make_key, parse, ring_file

keys = st.binary(min_size=32, max_size=32).map(lambda raw: Key(base64.urlsafe_b64encode(raw).decode()))


@given(keys, st.binary())
def test_what_is_sealed_is_unsealed_with_its_key_alone(key, plain):
    other = make_key()
    blob = key.seal(plain)
    assert key.unseal(blob) == plain
    with pytest.raises(UsageError) as refused:
        other.unseal(blob)
    assert refused.value.code == "image-unreadable"


@given(keys, st.binary(min_size=1), st.data())
def test_an_image_of_which_a_bit_was_changed_is_refused(key, plain, data):
    blob = bytearray(key.seal(plain))
    place = data.draw(st.integers(0, len(blob) * 8 - 1))
    blob[place // 8] ^= 1 << place % 8
    with pytest.raises(UsageError):
        key.unseal(bytes(blob))


def test_equal_values_are_sealed_differently():
    key = make_key()
    assert key.seal(b"Jane Doe") != key.seal(b"Jane Doe")


def test_what_the_first_tagline_sealed_is_read():
    text = Fernet.generate_key().decode()
    assert Key(text).unseal(Fernet(text).encrypt(b"Jane Doe")) == b"Jane Doe"


def test_a_single_key_is_a_ring_of_one():
    key = make_key()
    assert parse(key.text).keys == (key,)


def test_the_first_line_encrypts_and_comments_are_for_people():
    new, old = make_key(), make_key()
    ring = parse(f"# of 2026\n{new.text}\n\n  {old.text}\n")
    assert (ring.newest, ring.keys) == (new, (new, old))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "no key", id="empty"),
        pytest.param("# nothing", "no key", id="comment-alone"),
        pytest.param("short", "line 1", id="short"),
        pytest.param(f"{make_key().text}\nnot a key", "line 2", id="second-line"),
        pytest.param("\n".join([make_key().text] * 1 + ["é" * 43 + "="]), "line 2", id="other-letters"),
    ],
)
def test_what_is_no_ring_is_refused_without_being_shown(text, told):
    with pytest.raises(UsageError) as refused:
        parse(text)
    assert (refused.value.code, told in refused.value.message) == ("state-key-invalid", True)
    assert not text or text not in refused.value.message


def test_a_key_that_stands_there_twice_is_refused():
    key = make_key()
    with pytest.raises(UsageError, match="twice"):
        parse(f"{key.text}\n{key.text}")


def test_a_ring_never_shows_its_keys():
    key = make_key()
    assert key.text not in f"{key!r} {parse(key.text)!r}"


def test_a_key_that_was_added_meanwhile_is_found(tmp_path):
    old, new = make_key(), make_key()
    path = tmp_path / "ring"
    path.write_text(old.text)
    ring = KeyRing(path.read_text)
    RingFile(path).add(new)
    assert ring.newest == old
    assert ring.key(new.id) == new
    assert ring.newest == new


def test_a_key_that_nobody_has_is_named(tmp_path):
    held, other = make_key(), make_key()
    with pytest.raises(TryAgainError) as refused:
        KeyRing.of(held.text).key(other.id)
    assert refused.value.code == "state-key-wrong"
    assert held.id in refused.value.message
    assert other.id in refused.value.message


def test_a_removed_key_leaves_the_others_and_the_comments(tmp_path):
    old, new = make_key(), make_key()
    path = tmp_path / "ring"
    path.write_text(f"# ours\n{old.text}\n")
    path.chmod(0o600)
    file = RingFile(path)
    file.add(new)
    file.remove(old.id)
    assert path.read_text() == f"{new.text}\n# ours\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["ring"]


def test_the_last_key_is_not_removed(tmp_path):
    key = make_key()
    path = tmp_path / "ring"
    path.write_text(key.text)
    with pytest.raises(UsageError):
        RingFile(path).remove(key.id)
    assert path.read_text() == key.text


def test_a_ring_in_an_environment_variable_is_its_owners_to_change():
    with pytest.raises(RefusedError) as refused:
        ring_file("env:TAGLINE_PROD_STATE_KEY")
    assert refused.value.code == "key-ring-fixed"
