"""A certificate authority to throw away: made for one run of the sandbox, trusted by whoever is given its file."""

from __future__ import annotations

from pathlib import Path

import trustme

NAMES = ("localhost", "127.0.0.1")


class Authority:
    """The authority of one run."""

    def __init__(self) -> None:
        self._ca = trustme.CA(organization_name="tagline sandbox")

    def write(self, ca_file: Path) -> None:
        """Write the authority's own certificate, which clients are told to trust."""
        ca_file.parent.mkdir(parents=True, exist_ok=True)
        self._ca.cert_pem.write_to_path(str(ca_file))

    def issue(self, pem_file: Path) -> None:
        """Write a certificate for loopback with its key in one PEM file."""
        self._ca.issue_cert(*NAMES).private_key_and_cert_chain_pem.write_to_path(str(pem_file))
