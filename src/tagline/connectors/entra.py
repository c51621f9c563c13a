"""
Signing in with Microsoft Entra, for Dataverse and for Finance: by secret, certificate or another provider's assertion.

msal does it, speaking through the connection's own client. A process has one token for each audience, whichever of its
clients asks. What the login service answers is as untrusted as any answer: msal gets to see only members that it needs,
of the right type.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import msal
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msal.exceptions import MsalError

from tagline.connectors import json_values
from tagline.connectors.http import Http
from tagline.connectors.messages import Call, number_of
from tagline.domain.environment import EntraConnection, Identity
from tagline.errors import Disposition, NotAuthorisedError, TryAgainError, UsageError

PROOFS: Final = ("client_secret", "certificate", "assertion")
"""Fields of an identity, of which one is given."""

HINTS: Final[Mapping[int, str]] = {
    7000215: "the secret is wrong: put the secret's value, not its id, where the reference points",
    7000222: "the secret has expired: make a new one for the application and store it where the reference points",
    700016: "the application is not in this tenant: check client_id and tenant",
    90002: "the tenant does not exist: check tenant",
    70011: "the scope is refused: check the connection's url",
    500011: "the organisation is not known to the tenant: check the connection's url",
    7000112: "the application is disabled in the tenant: enable it",
    53003: "a conditional access policy of the tenant forbids it: let the application's address or identity pass",
    700027: "the certificate is not the application's: upload its public part, or store the one that was uploaded",
    700024: "the assertion is out of date: let what writes it do so more often, and check the clocks",
    70021: "the application trusts no such assertion: compare its federated credential's issuer, subject and audience",
    700213: "the application trusts no such assertion: compare its federated credential's subject",
}
"""By AADSTS number. Source: reference/dataverse-api.md section 2.4; the last six are the vendor's own error list's."""

TOLD: Final[Mapping[str, type]] = {
    "token_endpoint": str,
    "authorization_endpoint": str,
    "issuer": str,
    "token_type": str,
    "access_token": str,
    "expires_in": int,
    "refresh_in": int,
    "error": str,
    "error_description": str,
    "error_codes": list,
}
"""What is believed of the login service's answers, and of which type."""


def proof_of(identity: Identity) -> str:
    """The reference of what an application proves itself by."""
    return next(str(given) for name in PROOFS if (given := getattr(identity, name)) is not None)


@dataclass
class Audience:
    """The token of one application for one resource, shared by all who ask for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever signs in, so that the others find the token instead of asking, too."""
    cache: msal.TokenCache = field(default_factory=msal.TokenCache)
    latest: str = ""
    """The token that was handed out last."""


class Tokens:
    """The access tokens of a process; clients that share one sign in once for each audience."""

    def __init__(self) -> None:
        self._audiences: dict[tuple[str, ...], Audience] = {}
        self._lock = threading.Lock()

    def of(self, authority: str, client_id: str, scope: str) -> Audience:
        with self._lock:
            return self._audiences.setdefault((authority, client_id, scope), Audience())


class SignIn:
    """
    Access tokens of one application for one resource; msal renews them five minutes before they expire.

    msal reads the machine's clock, not a passed one: where the two differ, `forget` is what a refused token needs.

    A secret or certificate that is renewed where it stands is read when the old one is refused.

    Args:
        connection: Names authority, tenant and resource.
        identity: The application that signs in; the connection's own unless another is set up with.
        tokens: Where the process keeps its tokens.

    Raises:
        UsageError: A secret is missing, or the certificate cannot be read (code `certificate-unreadable`).
    """

    def __init__(
        self,
        http: Http,
        connection: EntraConnection,
        secrets: Callable[[str], str],
        *,
        identity: Identity | None = None,
        tokens: Tokens | None = None,
    ) -> None:
        identity = identity or connection
        self._http = http
        self._authority = f"{connection.authority.rstrip('/')}/{connection.tenant}"
        self._client_id = identity.client_id
        self._identity = identity
        self._secrets = secrets
        self._credential = _credential(identity, secrets)
        self._proof = next(n for n in PROOFS if getattr(identity, n) is not None)
        self._scope = f"{connection.url.rstrip('/')}/.default"
        self._audience = (tokens or Tokens()).of(self._authority, self._client_id, self._scope)
        self._application: msal.ConfidentialClientApplication | None = None

    def token(self) -> str:
        """
        An access token that is valid now.

        Raises:
            NotAuthorisedError: The sign-in was refused (code `sign-in-failed`).
            TryAgainError: The login service could not be reached, or did not answer as one.
        """
        with self._audience.lock:
            told = self._acquire()
            if "access_token" not in told and self._is_renewed():
                told = self._acquire()
            token = str(told.get("access_token", ""))
            if token and not re.fullmatch("[!-~]+", token):
                raise self._unavailable("its token can be sent in no header")
            if token:
                self._audience.latest = token
                return token
        raise self._refused(told)

    def forget(self, refused: str) -> None:
        """Drop the token that the remote refused, unless somebody has a newer one already; the next call signs in again."""
        with self._audience.lock:
            if self._application is not None and refused == self._audience.latest:
                self._application.remove_tokens_for_client()

    def _acquire(self) -> Mapping[str, Any]:
        """What msal tells: a token, of its cache or a new one, or why there is none."""
        try:
            told: Mapping[str, Any] = self._signed_in().acquire_token_for_client(scopes=[self._scope])
        except (ValueError, KeyError):
            # What msal says here quotes the service's answer.
            raise self._failed("the login service does not know the tenant or is none") from None
        except (MsalError, OSError, RuntimeError) as error:
            raise self._unavailable(type(error).__name__) from None
        return told

    def _is_renewed(self) -> bool:
        """Whether another secret or certificate stands now where the refused one was read; it is taken up."""
        if self._identity.assertion is not None:
            return False  # read anew each time
        try:
            credential = _credential(self._identity, self._secrets)
        except UsageError:
            return False  # the refusal says more
        if credential == self._credential:
            return False
        self._credential, self._application = credential, None
        return True

    def _signed_in(self) -> msal.ConfidentialClientApplication:
        # Made at the first call, because its constructor already asks the login service.
        if self._application is None:
            self._application = msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=self._credential,
                token_cache=self._audience.cache,
                authority=self._authority,
                http_client=_MsalClient(self._http),
                # It would ask login.microsoftonline.com whether to trust the authority, which the configuration decides.
                instance_discovery=False,
            )
        return self._application

    def _refused(self, told: Mapping[str, Any]) -> NotAuthorisedError:
        numbers = [n for n in told.get("error_codes") or () if isinstance(n, int)]
        if not numbers and (named := re.match(r"AADSTS([0-9]{4,9})\b", str(told.get("error_description")))):
            numbers = [int(named[1])]
        name = str(told.get("error", ""))
        shown = (
            f"AADSTS{numbers[0]}"
            if numbers
            else (name if name.replace("_", "").isalpha() else "no reason given")
        )
        hint = next((HINTS[n] for n in numbers if n in HINTS), "")
        return self._failed(shown, hint)

    def _unavailable(self, reason: str) -> TryAgainError:
        return TryAgainError(
            f"the login service failed: {reason}",
            code="sign-in-unavailable",
            where={"authority": self._authority},
            hint="nothing to do unless it lasts; then check the connection's authority",
            disposition=Disposition.RETRY,
        )

    def _failed(self, reason: str, hint: str = "") -> NotAuthorisedError:
        return NotAuthorisedError(
            f"signing in to {self._authority} failed: {reason}",
            code="sign-in-failed",
            where={"authority": self._authority, "client_id": self._client_id},
            hint=hint or f"check tenant, client_id and {self._proof} of the connection",
        )


def _credential(identity: Identity, secrets: Callable[[str], str]) -> Any:
    """What msal takes as proof; an assertion is read anew each time, since it is short-lived."""
    if identity.client_secret is not None:
        return secrets(identity.client_secret)
    if identity.assertion is not None:
        reference = identity.assertion
        secrets(reference)
        return {"client_assertion": lambda: secrets(reference)}
    assert identity.certificate is not None
    pem = secrets(identity.certificate)
    try:
        load_pem_private_key(pem.encode(), None)
        x509.load_pem_x509_certificate(pem.encode())
    except (ValueError, TypeError):
        # Nothing of the text is shown: it holds the key.
        raise UsageError(
            f"{identity.certificate} holds no private key with its certificate",
            code="certificate-unreadable",
            where={"secret": identity.certificate},
            hint="store both as PEM text in one secret: the key without a passphrase, then the certificate",
        ) from None
    return {"private_key": pem, "public_certificate": pem}


class _MsalResponse:
    """What msal reads of an answer."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str]) -> None:
        self.status_code = status
        self.text = text
        self.headers = headers


class _MsalClient:
    """The two methods msal calls on an HTTP client, over ours."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> _MsalResponse:
        return self._send("GET", url, params, headers or {}, None)

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> _MsalResponse:
        form = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
        return self._send("POST", url, params, form, urlencode(data or {}).encode())

    def close(self) -> None:
        """Nothing: the client belongs to the connection."""

    def _send(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> _MsalResponse:
        query = f"?{urlencode(params)}" if params else ""
        answer = self._http.send(Call(method, url + query, headers, body))
        if answer.status == 429 or answer.status >= 500:
            raise TryAgainError(
                f"the login service answered {answer.status}",
                code="sign-in-unavailable",
                hint="nothing to do unless it lasts; then look at the login service's status page",
                disposition=Disposition.RETRY,
                retry_after_s=number_of(answer.headers.get("retry-after")),
            )
        try:
            told = _told(answer.body)
        except ValueError:
            # Looked at here, since msal would log a body that is no JSON, and stumble over one of another shape.
            raise TryAgainError(
                f"the login service answered {answer.status} with something else than JSON",
                code="sign-in-unavailable",
                hint="check the connection's authority; a proxy may answer in its place",
                disposition=Disposition.RETRY,
            ) from None
        return _MsalResponse(answer.status, json.dumps(told), answer.headers)


def _told(body: bytes) -> dict[str, Any]:
    """
    What is believed of an answer of the login service.

    Raises:
        ValueError: It is no JSON object.
    """
    told = json_values.parse(body)
    if not isinstance(told, dict):
        raise ValueError("it is no object")
    for name in ("expires_in", "refresh_in"):
        # Some login services write numbers as texts.
        if str(told.get(name, "")).isdecimal():
            told[name] = int(told[name])
    believed = {name: told[name] for name, kind in TOLD.items() if isinstance(told.get(name), kind)}
    if "error_codes" in believed:
        believed["error_codes"] = [n for n in believed["error_codes"] if isinstance(n, int)]
    return believed
