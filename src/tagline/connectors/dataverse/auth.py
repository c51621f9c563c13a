"""Signing in to Dataverse: one msal application per connection, speaking through the connection's own client."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msal
from msal.exceptions import MsalError

from tagline.connectors import json_values
from tagline.connectors.http import Http
from tagline.connectors.messages import Call
from tagline.errors import Disposition, NotAuthorisedError, TryAgainError

HINTS: Final[Mapping[int, str]] = {
    7000215: "the secret is wrong: put the secret's value, not its id, where the reference points",
    7000222: "the secret has expired: make a new one for the application and store it where the reference points",
    700016: "the application is not in this tenant: check client_id and tenant",
    90002: "the tenant does not exist: check tenant",
    70011: "the scope is refused: check the connection's url",
    500011: "the organisation is not known to the tenant: check the connection's url",
}
"""By AADSTS number. Source: reference/dataverse-api.md section 2.4."""


class SignIn:
    """
    Access tokens by client secret, one for all threads of a connection; msal's own cache renews them before they expire.

    msal reads the machine's clock, not a passed one: where the two differ, `forget` is what a refused token needs.
    """

    def __init__(
        self, http: Http, *, authority: str, tenant: str, client_id: str, client_secret: str, resource: str
    ) -> None:
        self._http = http
        self._authority = f"{authority.rstrip('/')}/{tenant}"
        self._client_id = client_id
        self._client_secret = client_secret
        self._scope = f"{resource.rstrip('/')}/.default"
        self._application: msal.ConfidentialClientApplication | None = None
        self._lock = threading.Lock()

    def token(self) -> str:
        """
        An access token that is valid now.

        Raises:
            NotAuthorisedError: The sign-in was refused (code `sign-in-failed`).
            TryAgainError: The login service could not be reached, or did not answer as one.
        """
        with self._lock:
            try:
                told = self._signed_in().acquire_token_for_client(scopes=[self._scope])
            except (ValueError, KeyError):
                # What msal says here quotes the service's answer.
                raise self._failed("the login service does not know the tenant or is none") from None
            except (MsalError, OSError, RuntimeError) as error:
                raise TryAgainError(
                    f"the login service failed: {type(error).__name__}",
                    code="sign-in-unavailable",
                    where={"authority": self._authority},
                    hint="nothing to do unless it lasts; then check the connection's authority",
                    disposition=Disposition.RETRY,
                ) from None
        token = told.get("access_token")
        if isinstance(token, str) and token:
            return token
        raise self._refused(told)

    def forget(self) -> None:
        """Drop the token, which the remote refused; the next call signs in again."""
        with self._lock:
            if self._application is not None:
                self._application.remove_tokens_for_client()

    def _signed_in(self) -> msal.ConfidentialClientApplication:
        # Made at the first call, because its constructor already asks the login service.
        if self._application is None:
            self._application = msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=self._client_secret,
                authority=self._authority,
                http_client=_MsalClient(self._http),
                # It would ask login.microsoftonline.com whether to trust the authority, which the configuration decides.
                instance_discovery=False,
            )
        return self._application

    def _refused(self, told: Mapping[str, Any]) -> NotAuthorisedError:
        numbers = [n for n in told.get("error_codes") or () if isinstance(n, int)]
        name = str(told.get("error", ""))
        shown = (
            f"AADSTS{numbers[0]}"
            if numbers
            else (name if name.replace("_", "").isalpha() else "no reason given")
        )
        hint = next((HINTS[n] for n in numbers if n in HINTS), "")
        return self._failed(shown, hint)

    def _failed(self, reason: str, hint: str = "") -> NotAuthorisedError:
        return NotAuthorisedError(
            f"signing in to {self._authority} failed: {reason}",
            code="sign-in-failed",
            where={"authority": self._authority, "client_id": self._client_id},
            hint=hint or "check tenant, client_id and client_secret of the connection",
        )


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
            )
        try:
            json_values.parse(answer.body)
        except ValueError:
            # Looked at here, since msal would log a body that is no JSON.
            raise TryAgainError(
                f"the login service answered {answer.status} with something else than JSON",
                code="sign-in-unavailable",
                hint="check the connection's authority; a proxy may answer in its place",
                disposition=Disposition.RETRY,
            ) from None
        return _MsalResponse(answer.status, answer.body.decode("utf-8"), answer.headers)
