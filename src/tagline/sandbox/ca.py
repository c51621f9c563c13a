"""A certificate authority to throw away: kept beside the file that clients are told to trust, so that a restart keeps their trust."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import trustme

NAMES = ("localhost", "127.0.0.1")


class Authority:
    """
    The authority of a certificate file: the one that stands beside it, or a new one.

    Key and certificate stand in one file, readable by its owner alone, which appears whole or not at all. So sandboxes that
    start at the same moment, one after the other or beside each other have one authority.

    Args:
        ca_file: Where the certificate to trust is written, unless it stands there; `<stem>.key.pem` beside it holds the key.
    """

    def __init__(self, ca_file: Path) -> None:
        ca_file.parent.mkdir(parents=True, exist_ok=True)
        key_file = ca_file.with_suffix(".key.pem")
        self._ca = _kept(key_file) or _made(key_file)
        certificate = self._ca.cert_pem.bytes()
        if not ca_file.exists() or ca_file.read_bytes() != certificate:
            draft = _draft(ca_file, certificate)
            draft.chmod(0o644)
            draft.replace(ca_file)

    def issue(self, pem_file: Path) -> None:
        """Write a certificate for loopback with its key in one PEM file."""
        self._ca.issue_cert(*NAMES).private_key_and_cert_chain_pem.write_to_path(str(pem_file))


def _kept(key_file: Path) -> trustme.CA | None:
    """The authority that a key file holds; None where there is none, or none that can be read as one."""
    try:
        pem = key_file.read_bytes()
        return trustme.CA.from_pem(pem, pem)
    except (FileNotFoundError, ValueError):
        return None


def _made(key_file: Path) -> trustme.CA:
    made = trustme.CA(organization_name="tagline sandbox")
    draft = _draft(key_file, made.private_key_pem.bytes() + made.cert_pem.bytes())
    try:
        os.link(draft, key_file)
    except FileExistsError:
        if (other := _kept(key_file)) is not None:  # another sandbox made it a moment ago
            return other
        draft.replace(key_file)  # no authority: it was damaged by hand
    finally:
        draft.unlink(missing_ok=True)
    return made


def _draft(file: Path, content: bytes) -> Path:
    """The content in a file of its own beside `file`, readable by its owner alone."""
    number, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(number, "wb") as draft:
        draft.write(content)
    return Path(name)
