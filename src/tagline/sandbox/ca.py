"""A certificate authority to throw away: kept beside the file that clients are told to trust, so that a restart keeps their trust."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path

import trustme

from tagline.errors import UsageError

ORGANISATION = "tagline sandbox"
NAMES = ("localhost", "127.0.0.1")


class Authority:
    """
    The authority of a certificate file: the one that stands beside it, or a new one.

    Key and certificate stand in one file, readable by its owner alone, which appears whole or not at all. So sandboxes that
    start at the same moment, one after the other or beside each other have one authority.

    Args:
        ca_file: Where the certificate to trust is written, unless it stands there; `<stem>.key.pem` beside it holds the key.
            Folders on the way are made.

    Raises:
        UsageError: It cannot be written there, or something else stands there already (code `sandbox-file-unusable`).
    """

    def __init__(self, ca_file: Path) -> None:
        try:
            ca_file.parent.mkdir(parents=True, exist_ok=True)
            key_file = ca_file.with_suffix(".key.pem")
            # Looked for before the key is read: another sandbox may make both meanwhile.
            are_there = ca_file.exists() or key_file.exists()
            kept = _kept(key_file)
            if are_there and kept is None and not _is_ours(ca_file):
                raise UsageError(
                    f"{ca_file}, or {key_file.name} beside it, is no certificate of the sandbox, and would be overwritten",
                    code="sandbox-file-unusable",
                    hint="give another file to --ca",
                )
            self._ca = kept or _made(key_file)
            _publish(ca_file, self._ca.cert_pem.bytes())
        except OSError as error:
            raise UsageError(
                f"the certificate {ca_file} cannot be written: {error.strerror}",
                code="sandbox-file-unusable",
                hint="give --ca a file in a folder that you may write to",
            ) from error

    def issue(self, pem_file: Path) -> None:
        """Write a certificate for loopback with its key in one PEM file."""
        self._ca.issue_cert(*NAMES).private_key_and_cert_chain_pem.write_to_path(str(pem_file))


def _publish(ca_file: Path, certificate: bytes) -> None:
    if not ca_file.exists() or ca_file.read_bytes() != certificate:
        draft = _draft(ca_file, certificate)
        draft.chmod(0o644)
        draft.replace(ca_file)


def _is_ours(ca_file: Path) -> bool:
    """Whether it is a certificate that names us; its key may be lost."""
    try:
        return ORGANISATION.encode() in ssl.PEM_cert_to_DER_cert(ca_file.read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return False


def _kept(key_file: Path) -> trustme.CA | None:
    """The authority that a key file holds; None where there is none, or none that can be read as one."""
    try:
        pem = key_file.read_bytes()
        return trustme.CA.from_pem(pem, pem)
    except (FileNotFoundError, ValueError):
        return None


def _made(key_file: Path) -> trustme.CA:
    made = trustme.CA(organization_name=ORGANISATION)
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
