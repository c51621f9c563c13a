"""Checks that need no connector: when credentials end, and whether the agent's address can be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from tagline.clock import Clock
from tagline.connectors.budget_limits import LeakyBucket
from tagline.connectors.governor import Governor
from tagline.connectors.http import Http, Policy
from tagline.connectors.messages import Call, Limits
from tagline.connectors.pace import Pace
from tagline.connectors.secrets import absence_of
from tagline.domain.checkup import Check, State
from tagline.domain.environment import EntraConnection, Identity
from tagline.errors import TaglineError

SOON: Final = timedelta(days=30)
"""Left before a credential ends: long enough for whoever renews it."""
LOCAL: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def expiry_checks(
    name: str, connection: EntraConnection, today: date, secrets: Callable[[str], str]
) -> Iterator[Check]:
    """
    When the credentials of a connection's applications end.

    A certificate says so itself. A secret does not, and asking Entra takes rights that a running application should not
    have; so its day stands in the configuration as `expires`. Nothing is said of a certificate that is not on this machine.
    """
    identities: dict[str, Identity] = {f"{name} secret": connection}
    if connection.deploy is not None:
        identities[f"{name} deploy secret"] = connection.deploy
    for subject, identity in identities.items():
        if identity.certificate is not None and absence_of(identity.certificate, secrets) is not None:
            continue
        if identity.assertion is not None:
            yield Check(subject, State.GOOD, "an assertion, new at each sign-in")
        else:
            yield _expiry(subject, last_day(identity, secrets), today)


def last_day(identity: Identity, secrets: Callable[[str], str]) -> date | None:
    """The last day of a credential, as its certificate or the configuration tells it."""
    if identity.certificate is not None:
        pem = secrets(identity.certificate).encode()
        try:
            return x509.load_pem_x509_certificate(pem).not_valid_after_utc.date()
        except ValueError:
            return identity.expires
    return identity.expires


def _expiry(subject: str, last: date | None, today: date) -> Check:
    if last is None:
        return Check(
            subject,
            State.UNKNOWN,
            "the configuration does not say when it ends",
            "set the connection's `expires` to the day that Entra shows beside the secret",
        )
    left = last - today
    if left < timedelta(0):
        return Check(
            subject, State.FAILED, f"it ended on {last}", "make a new one and store it where it is read"
        )
    if left < SOON:
        return Check(
            subject,
            State.WARNING,
            f"it ends on {last}, in {left.days} days",
            "make a new one now; two may be valid side by side",
        )
    return Check(subject, State.GOOD, f"valid until {last}")


def address_check(public_url: str, clock: Clock) -> Check:
    """Whether the agent answers at the address that webhooks are registered with."""
    try:
        parts = urlsplit(public_url)
        is_address = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        return Check(
            "agent address",
            State.FAILED,
            "agent.public_url is no address",
            "write https://host of the proxy in front of the agent",
        )
    if parts.hostname in LOCAL:
        return Check(
            "agent address",
            State.WARNING,
            f"{public_url} is this machine's own: only a sandbox here can deliver to it",
            "set agent.public_url to the public https address of the proxy in front of the agent",
        )
    if parts.scheme != "https":
        return Check(
            "agent address",
            State.FAILED,
            f"{public_url} is not https: what shoppers ordered would travel in the clear",
            "put a TLS proxy in front of the agent and name its https address in agent.public_url",
        )
    governor = Governor(clock, Pace((LeakyBucket(10, 1.0),)), 1)
    http = Http(Policy((public_url,), governor, limits=Limits(read_s=10.0, attempts=1)), clock)
    try:
        answer = http.send(Call("GET", f"{public_url.rstrip('/')}/livez"))
    except TaglineError as error:
        return Check(
            "agent address", State.FAILED, error.message, "start the agent, or mend proxy and firewall"
        )
    finally:
        http.close()
    if answer.status != 200:
        return Check(
            "agent address",
            State.FAILED,
            f"{public_url} answered {answer.status}, not as an agent does",
            "let the proxy hand /hooks and /livez to the agent",
        )
    return Check("agent address", State.GOOD, f"the agent answers at {public_url}")
