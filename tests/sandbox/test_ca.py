"""The throw-away authority: one for a folder, for restarts and for sandboxes beside each other."""

import ssl
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from tagline.errors import UsageError
from tagline.sandbox.ca import Authority


@pytest.fixture
def ca_file(tmp_path):
    return tmp_path / "state" / "sandbox-ca.pem"


def trusts(ca_file, issued) -> bool:
    """Whether a client that was given `ca_file` accepts a server with the certificate in `issued`."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(issued)
    client = ssl.create_default_context(cafile=str(ca_file))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1"),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    done = set()
    while len(done) < 2:
        for end in ends:
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
    return True


def test_a_later_authority_is_trusted_by_whoever_trusts_the_first(ca_file, tmp_path):
    Authority(ca_file)
    first = ca_file.read_bytes()
    Authority(ca_file).issue(tmp_path / "later.pem")
    assert first == ca_file.read_bytes()
    assert trusts(ca_file, tmp_path / "later.pem")


def test_a_folder_of_its_own_has_an_authority_of_its_own(ca_file, tmp_path):
    Authority(ca_file)
    Authority(tmp_path / "elsewhere.pem").issue(tmp_path / "stranger.pem")
    assert not trusts(ca_file, tmp_path / "stranger.pem")


def test_the_key_is_for_its_owner_alone_and_not_in_the_certificate_to_trust(ca_file):
    Authority(ca_file)
    key_file = ca_file.parent / "sandbox-ca.key.pem"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert b"PRIVATE KEY" in key_file.read_bytes()
    assert b"PRIVATE KEY" not in ca_file.read_bytes()
    assert {key_file, ca_file} == set(ca_file.parent.iterdir())


@pytest.mark.parametrize("lost", ["removed", "foreign"])
def test_a_certificate_that_is_lost_is_written_again(ca_file, tmp_path, lost):
    Authority(ca_file).issue(tmp_path / "running.pem")
    if lost == "removed":
        ca_file.unlink()
    else:
        ca_file.write_text("of somebody else")
    Authority(ca_file)
    assert trusts(ca_file, tmp_path / "running.pem")


def test_a_damaged_key_is_replaced(ca_file, tmp_path):
    Authority(ca_file)
    (ca_file.parent / "sandbox-ca.key.pem").write_text("torn")
    Authority(ca_file).issue(tmp_path / "server.pem")
    Authority(ca_file)
    assert trusts(ca_file, tmp_path / "server.pem")


def test_sandboxes_that_start_at_the_same_moment_share_one(ca_file, tmp_path):
    files = [tmp_path / f"{number}.pem" for number in range(8)]
    with ThreadPoolExecutor(len(files)) as pool:
        list(pool.map(lambda file: Authority(ca_file).issue(file), files))
    assert all(trusts(ca_file, file) for file in files)


@pytest.mark.parametrize("place", ["folder", "file/ca.pem"])
def test_a_place_where_no_certificate_can_be_is_told_by_name(tmp_path, place):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=f"{place} cannot be written") as refused:
        Authority(tmp_path / place)
    assert refused.value.code == "sandbox-file-unusable"
    assert "--ca" in refused.value.hint


@pytest.mark.parametrize("name", ["company.pem", "company.key.pem"])
def test_what_belongs_to_somebody_else_is_never_overwritten(tmp_path, name):
    """A slip in `--ca` must not cost a certificate or a key."""
    (tmp_path / name).write_text("of somebody else")
    with pytest.raises(UsageError, match="would be overwritten") as refused:
        Authority(tmp_path / "company.pem")
    assert refused.value.code == "sandbox-file-unusable"
    assert (tmp_path / name).read_text() == "of somebody else"
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_our_own_certificate_whose_key_was_deleted_is_made_anew(ca_file, tmp_path):
    Authority(ca_file)
    (ca_file.parent / "sandbox-ca.key.pem").unlink()
    Authority(ca_file).issue(tmp_path / "server.pem")
    assert trusts(ca_file, tmp_path / "server.pem")
