"""Proofs that an application gives for itself: a JSON Web Token signed with its certificate, or by a provider it trusts."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import Certificate, load_pem_x509_certificate

TRUSTED_AUDIENCE: Final = "api://AzureADTokenExchange"
"""What a token of another provider has to be made for."""
LEEWAY: Final = timedelta(minutes=5)


class ProofError(Exception):
    """A proof is not good; `number` is what the token endpoint says."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number
        self.text = text


@dataclass(frozen=True)
class Trust:
    """A provider whose tokens an application may show in place of a secret."""

    issuer: str
    subject: str
    public_key: str
    """PEM text of its RSA key."""
    audience: str = TRUSTED_AUDIENCE


@dataclass(frozen=True)
class Proof:
    """A token, taken apart and not believed yet."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes


def parse_proof(text: str) -> Proof:
    """
    Take a token apart.

    Raises:
        ProofError: It is none.
    """
    parts = text.split(".")
    try:
        header, claims = (json.loads(_bytes(part)) for part in parts[:2])
        signature = _bytes(parts[2])
    except (ValueError, IndexError, RecursionError):
        raise ProofError(50027, "JWT token is invalid or malformed.") from None
    if len(parts) != 3 or not isinstance(header, dict) or not isinstance(claims, dict):
        raise ProofError(50027, "JWT token is invalid or malformed.")
    return Proof(header, claims, f"{parts[0]}.{parts[1]}".encode(), signature)


def check_certificate(proof: Proof, client_id: str, audience: str, certificates: tuple[str, ...]) -> None:
    """
    See that the application signed a proof with one of its certificates.

    Args:
        certificates: PEM texts.

    Raises:
        ProofError: It did not, or the proof is about something else.
    """
    if proof.claims.get("iss") != client_id or proof.claims.get("sub") != client_id:
        raise ProofError(
            700021, "Client assertion application identifier doesn't match 'client_id' parameter."
        )
    if proof.claims.get("aud") != audience:
        raise ProofError(700023, "Client assertion audience claim does not match Realm issuer.")
    known = (load_pem_x509_certificate(pem.encode()) for pem in certificates)
    certificate = next((c for c in known if _names(proof.header, c)), None)
    key = certificate.public_key() if certificate is not None else None
    if not isinstance(key, rsa.RSAPublicKey) or not _is_signed(proof, key):
        raise ProofError(
            700027,
            "The certificate with identifier used to sign the client assertion is not registered on application.",
        )


def check_trusted(proof: Proof, trusts: tuple[Trust, ...]) -> None:
    """
    See that a proof comes from a provider that the application trusts.

    Raises:
        ProofError: It does not.
    """
    claims = proof.claims
    for trust in trusts:
        if (claims.get("iss"), claims.get("sub")) == (trust.issuer, trust.subject):
            audience = claims.get("aud")
            if trust.audience not in (audience if isinstance(audience, list) else [audience]):
                raise ProofError(
                    700212, "No matching federated identity record found for presented assertion audience."
                )
            key = load_pem_public_key(trust.public_key.encode())
            if not isinstance(key, rsa.RSAPublicKey) or not _is_signed(proof, key):
                raise ProofError(5002727, "The signature of the assertion is not valid.")
            return
    raise ProofError(700213, "No matching federated identity record found for presented assertion subject.")


def check_time(proof: Proof, *nows: datetime) -> None:
    """
    See that a proof is within its time by one of several clocks: clients read the machine's, whatever the sandbox lives in.

    Raises:
        ProofError: It is not.
    """
    begins, ends = proof.claims.get("nbf", 0), proof.claims.get("exp")
    if isinstance(begins, int | float) and isinstance(ends, int | float):
        leeway = int(LEEWAY.total_seconds())
        if any(begins - leeway <= now.timestamp() <= ends + leeway for now in nows):
            return
    raise ProofError(700024, "Client assertion is not within its valid time range.")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _names(header: Mapping[str, Any], certificate: Certificate) -> bool:
    """Whether the header says that it was signed with that certificate, by thumbprint."""
    for name, algorithm in (("x5t#S256", hashes.SHA256()), ("x5t", hashes.SHA1())):  # noqa: S303 - msal's older form
        if name in header:
            told = str(header[name]).rstrip("=")
            return told == base64.urlsafe_b64encode(certificate.fingerprint(algorithm)).rstrip(b"=").decode()
    return False


def _is_signed(proof: Proof, key: rsa.RSAPublicKey) -> bool:
    scheme: padding.AsymmetricPadding
    match proof.header.get("alg"):
        case "PS256":
            scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
        case "RS256":
            scheme = padding.PKCS1v15()
        case _:
            return False
    try:
        key.verify(proof.signature, proof.signed, scheme, hashes.SHA256())
    except InvalidSignature:
        return False
    return True
