"""The token endpoint: client credentials for the organisations of the sandbox. Source: Web API notes, section 2."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from urllib.parse import parse_qs, unquote

from tagline.clock import Clock
from tagline.sandbox.control import control_login
from tagline.sandbox.dataverse_founding import platform_id
from tagline.sandbox.door import Door
from tagline.sandbox.login_proof import (
    ProofError,
    Trust,
    check_certificate,
    check_time,
    check_trusted,
    parse_proof,
)
from tagline.sandbox.login_quirks import LoginQuirks
from tagline.sandbox.values import Request, Response
from tagline.sandbox.wire import plain_json

LIFETIME = timedelta(seconds=3599)
DEFAULT_SCOPE = "/.default"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class Application:
    """A registered client, and everything that it may prove itself with."""

    client_id: str
    client_secret: str = field(repr=False)
    secret_expires: datetime | None = None
    certificates: tuple[str, ...] = ()
    """PEM texts, without their keys."""
    trusts: tuple[Trust, ...] = ()


@dataclass(frozen=True)
class _Issued:
    """Whom a token was issued to, for which origin, and until when."""

    client_id: str
    audience: str
    expires: datetime


class Login:
    """
    One tenant with its applications; organisations ask it whether a token is good for them.

    Args:
        quirks: How it does what nobody is sure of.
    """

    def __init__(self, clock: Clock, tenant: str, seed: int, quirks: LoginQuirks | None = None) -> None:
        self.quirks = quirks or LoginQuirks()
        self.tenant = tenant
        self.applications: dict[str, Application] = {}
        self.resources: set[str] = set()
        """Origins of the organisations that tokens can be asked for."""
        self._clock = clock
        self._random = Random(f"login {seed}")  # noqa: S311 - throw-away tokens of a sandbox
        self._tokens: dict[str, _Issued] = {}
        self.door = Door(clock, self._answer, failure=_failure, control=lambda r: control_login(self, r))

    def handle(self, request: Request) -> Response:
        """Answer one request; see `Door.handle`."""
        return self.door.handle(request)

    def accepts(self, token: str, origin: str) -> bool:
        """Whether the token was issued for that origin and has not expired."""
        return self.client_of(token, origin) is not None

    def client_of(self, token: str, origin: str) -> str | None:
        """The application that a token was issued to, None where it is not good for that origin or not any more."""
        issued = self._tokens.get(token)
        if issued is None or issued.audience != origin or self._clock.now() >= issued.expires:
            return None
        return issued.client_id

    def expire_tokens(self) -> int:
        """Let every token that was issued so far be refused, whatever time it was given; how many there were."""
        with self.door.lock:
            count = len(self._tokens)
            self._tokens.clear()
            return count

    def _answer(self, request: Request) -> Response:
        tenant, _, rest = unquote(request.path).lstrip("/").partition("/")
        if tenant != self.tenant:
            return self._refuse(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        base = f"{request.origin}/{tenant}"
        if request.method == "GET" and rest == "v2.0/.well-known/openid-configuration":
            return plain_json(
                {
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "issuer": f"{base}/v2.0",
                    "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                    "response_types_supported": ["token"],
                }
            )
        if request.method == "POST" and rest == "oauth2/v2.0/token":
            form = {k: v[-1] for k, v in parse_qs(request.body.decode("utf-8", "replace")).items()}
            return self._issue(form, f"{base}/oauth2/v2.0/token")
        return Response(404)

    def _issue(self, form: dict[str, str], endpoint: str) -> Response:
        application = self.applications.get(form.get("client_id", ""))
        scope = form.get("scope", "")
        audience = scope.removesuffix(DEFAULT_SCOPE)
        if form.get("grant_type") != "client_credentials":
            return self._refuse(400, "unsupported_grant_type", 70003, "The grant type is not supported.")
        if application is None:
            return self._refuse(
                self.quirks.unknown_application_status,
                "unauthorized_client",
                700016,
                "The application was not found in the tenant.",
            )
        try:
            self._check_proof(application, form, endpoint)
        except ProofError as error:
            return self._refuse(self.quirks.invalid_client_status, "invalid_client", error.number, error.text)
        if not scope.endswith(DEFAULT_SCOPE):
            return self._refuse(400, "invalid_scope", 70011, "The scope must end with /.default.")
        if audience not in self.resources:
            return self._refuse(
                400, "invalid_resource", 500011, "The resource principal was not found in the tenant."
            )
        expires = self._clock.now() + LIFETIME
        token = self._token(application.client_id, audience, expires)
        self._tokens[token] = _Issued(application.client_id, audience, expires)
        seconds = int(LIFETIME.total_seconds())
        return plain_json(
            {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}
        )

    def _check_proof(self, application: Application, form: dict[str, str], endpoint: str) -> None:
        """
        See that the application is who it says.

        Raises:
            ProofError: Its secret or assertion is missing, wrong or expired.
        """
        if "client_assertion" in form:
            if form.get("client_assertion_type") != ASSERTION_TYPE:
                raise ProofError(50027, "The client assertion is of no known type.")
            proof = parse_proof(form["client_assertion"])
            if proof.claims.get("iss") == application.client_id:
                check_certificate(proof, application.client_id, endpoint, application.certificates)
            else:
                check_trusted(proof, application.trusts)
            check_time(proof, self._clock.now(), datetime.now(UTC))
            return
        if "client_secret" not in form:
            raise ProofError(
                7000218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            )
        if form["client_secret"] != application.client_secret:
            raise ProofError(7000215, "Invalid client secret provided.")
        if application.secret_expires is not None and self._clock.now() >= application.secret_expires:
            raise ProofError(7000222, "The provided client secret keys for the app are expired.")

    def _token(self, client_id: str, audience: str, expires: datetime) -> str:
        issuer, name = f"https://sts.windows.net/{self.tenant}/", "appid"
        if self.quirks.token_version == 2:
            issuer, name = f"https://login.microsoftonline.com/{self.tenant}/v2.0", "azp"
        claims = {
            "aud": audience,
            "iss": issuer,
            name: client_id,
            "oid": platform_id("entra", client_id),
            "tid": self.tenant,
            "exp": int(expires.timestamp()),
        }
        parts = (
            json.dumps({"typ": "JWT", "alg": "RS256"}).encode(),
            json.dumps(claims).encode(),
            self._random.randbytes(32),
        )
        return ".".join(base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in parts)

    def _refuse(self, status: int, error: str, number: int, text: str) -> Response:
        return plain_json(
            {
                "error": error,
                "error_description": f"AADSTS{number}: {text}",
                "error_codes": [number],
                "timestamp": self._clock.now().strftime("%Y-%m-%d %H:%M:%SZ"),
                "trace_id": "00000000-0000-0000-0000-000000000000",
                "correlation_id": "00000000-0000-0000-0000-000000000000",
                "error_uri": f"https://login.microsoftonline.com/error?code={number}",
            },
            status,
        )


def _failure(status: int) -> Response:
    return Response(status, (("Retry-After", "1"),) if status == 429 else ())
