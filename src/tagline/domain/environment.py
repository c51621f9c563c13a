"""The configuration of an environment, rendered and secret-free: what stands in `config.toml`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SecretRef = Annotated[str, Field(pattern=r"^(env|file):.+$")]
"""Where a secret stands, never the secret: `env:NAME` or `file:path`."""


class Section(BaseModel):
    """A table of the configuration; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Budgeted(Section):
    """A connection whose remote grants a budget of requests."""

    back_fill_share: float = Field(default=0.8, gt=0, le=1)
    """Of each limit that a back-fill may fill; the rest is there at once for live work."""


class Shift4ShopConnection(Budgeted):
    """One 3dcart / Shift4Shop store."""

    system: Literal["shift4shop"]
    url: str = "https://apirest.3dcart.com/3dCartWebAPI/v2"
    """Root of the REST API, version included, no trailing slash."""
    store_url: str
    """The store's secure URL, sent as `SecureUrl`; picks the store."""
    private_key: SecretRef | None = None
    """Of the app; with `token` it signs every call."""
    token: SecretRef | None = None
    """Of the app's installation in this store."""
    access_token: SecretRef | None = None
    """An OAuth bearer token in place of the two."""
    time_zone: str
    """IANA name of StoreSettings' zone; every time of the shop is local to it."""
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    """The store's currency; an order carries none."""
    webhook_token: SecretRef
    """Unguessable last segment of the webhook URL; the shop signs nothing."""
    ca_file: str = ""
    """PEM file of a private certificate authority; empty trusts the system's."""
    reserve: int = Field(default=10, ge=0, le=45)
    """Requests of the bucket of 50 left to other apps."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        trio = self.private_key is not None and self.token is not None
        if trio == (self.access_token is not None) or (self.private_key is None) != (self.token is None):
            raise ValueError("give private_key and token, or access_token alone")
        return self


class Identity(Section):
    """An application of Microsoft Entra and how it proves itself: by exactly one of secret, certificate and assertion."""

    client_id: str
    client_secret: SecretRef | None = None
    certificate: SecretRef | None = None
    """PEM text with the private key and the certificate."""
    assertion: SecretRef | None = None
    """A token of another identity provider that the application trusts (workload identity); read anew at each sign-in."""
    expires: date | None = None
    """Last day of the client secret, as Entra shows it; `tagline doctor` warns before. A certificate says it itself."""

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        given = [n for n in ("client_secret", "certificate", "assertion") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(
                "give exactly one of client_secret, certificate and assertion"
                + (f", not {' and '.join(given)}" if given else "")
            )
        return self


class EntraConnection(Identity, Budgeted):
    """What Dataverse and Finance have in common: a tenant, the application that runs, and perhaps one that sets up."""

    url: str
    tenant: str
    authority: str = "https://login.microsoftonline.com"
    ca_file: str = ""
    deploy: Identity | None = None
    """
    Signs in to set an organisation up (`tagline solution import`, webhooks of Dataverse): it may change tables, roles and
    registrations, which the running application may not. No flow runs as it.
    """


class DataverseConnection(EntraConnection):
    """One Dataverse organisation; `url` is `https://{org}.crm4.dynamics.com`, no trailing slash."""

    system: Literal["dataverse"]
    daily_requests: int = Field(default=500_000, gt=0)
    """
    Requests in 24 hours that the tenant's application users are entitled to, as the Power Platform admin center shows
    them. Nothing is refused beyond it at once: it is shown, and back-fills stop at their share of it.
    """
    webhook_token: SecretRef | None = None
    """Unguessable last segment of its webhooks' URLs; needed where a flow is triggered by its events."""
    first_load: Literal["each", "bulk"] = "each"
    """How a back-fill makes new rows: each for itself, or several hundred in one message, all or none."""


class FinanceConnection(EntraConnection):
    """One legal entity of Finance & Supply Chain; `url` is `https://{env}.operations.dynamics.com`, no trailing slash."""

    system: Literal["finance"]
    company: str = Field(pattern=r"^[A-Za-z0-9]{1,4}$")
    """The legal entity (`dataAreaId`) that is read and written."""
    webhook_token: SecretRef | None = None
    """Unguessable last segment of its business events' URLs; needed where a flow is triggered by its events."""


Connection = Annotated[
    Shift4ShopConnection | DataverseConnection | FinanceConnection, Field(discriminator="system")
]


class AgentSection(Section):
    """How `tagline run` runs here."""

    poll_seconds: float = Field(default=5.0, gt=0)
    """Seconds between looks at the environment branch; git has nothing to wait on."""
    listen: str = "127.0.0.1:8700"
    """Address and port of the webhook intake."""
    public_url: str
    """How the shop reaches the intake, no trailing slash."""
    certificate: str = ""
    """PEM file with the intake's certificate and key; empty serves plain HTTP behind a TLS proxy."""
    state: str
    """Folder of the state database; relative to the repository."""
    state_key: SecretRef
    """Key ring that encrypts stored images: one key a line (32 bytes, URL-safe Base64), the newest first."""


class PolicySection(Section):
    """What must be true before a release runs here."""

    evidence: tuple[str, ...] = ("check",)
    """Kinds of evidence with verdict passed that the closure needs."""
    evidence_max_age_days: int = Field(default=90, ge=1)
    promote_from: str = ""
    """Environment in which a closure must be verified first; empty allows a direct deploy."""
    recording: bool = False
    """Whether cassettes may be recorded here: the flow then writes pseudonymised records into these systems."""


class IntegrationSection(Section):
    """What one integration gets in this environment."""

    connections: dict[str, str] = {}
    """The integration's connection name -> name in `[connections]`; the same name needs no entry."""
    settings: dict[str, Any] = {}
    """Checked against the integration's own settings model."""


class AlertsSection(Section):
    """Who is told when something is wrong here, and what counts as wrong."""

    channels: tuple[SecretRef, ...] = ()
    """Where the addresses stand that alerts go to, one Apprise URL each: mail, Slack, Teams, any webhook."""
    link: str = ""
    """Address that each alert ends with, for example of a dashboard; empty is the agent's `public_url`."""
    heartbeat_url: SecretRef | None = None
    """
    Where the https address stands of a service that raises the alarm when nothing is heard; asked each minute while all is
    well. A secret, since whoever knows it can keep the service quiet.
    """
    dead_letters_share: float = Field(default=0.05, gt=0, le=1)
    """Of a flow's records within an hour that may become dead letters."""
    dead_letters_least: int = Field(default=5, ge=1)
    """Dead letters of a flow within an hour below which the share says nothing."""
    oldest_minutes: float = Field(default=15.0, gt=0)
    """Minutes that a live record may wait."""
    silence_gaps: float = Field(default=3.0, ge=0)
    """Times the usual gap that a flow may be without a record; 0 takes no notice of silence."""
    expiry_days: int = Field(default=21, ge=0)
    """Days before its last one on which a credential is reported."""
    budget_share: float = Field(default=0.95, gt=0, le=1)
    """Of a remote's budget for the day that may be used."""
    remote_down_minutes: float = Field(default=2.0, ge=0)
    """Minutes for which a remote may be away."""


class TelemetrySection(Section):
    """What the outside may see of the runtime."""

    metrics: bool = False
    """Whether the agent answers `/metrics` at its web address; whoever reaches the address can read it."""
    otlp_endpoint: str = Field(default="", pattern=r"^(https?://.+)?$")
    """Where traces go by OTLP over HTTP, for example `http://127.0.0.1:4318/v1/traces`; empty makes none."""
    otlp_authorization: SecretRef | None = None
    """Value of the `authorization` header, where the collector wants one."""


class RetentionSection(Section):
    """How long the state database keeps what is over; what is not over stays."""

    rollback_days: int = Field(default=14, ge=1)
    """
    The rollback window: for so long a deployment's writes can be repaired from their images. Nothing below may be shorter.
    """
    inbox_days: int = 30
    """Inbox rows after their run."""
    effects_days: int = 30
    """Entries of the effects journal after they were settled, with their images."""
    letters_days: int = 90
    """Dead letters after they were resolved or discarded."""
    seen_days: int = 90
    """Versions of records that a sweep need not run again; without one a record is compared once more."""
    max_bytes: int = Field(default=20_000_000_000, ge=1_000_000)
    """
    Budget of the state database. Above it the oldest goes early, as far as the rollback window allows.
    """
    backup_days: int | None = Field(default=None, ge=0)
    """How long backups of the state database are kept, as whoever makes them says; reports of an erasure tell the day."""

    @model_validator(mode="after")
    def _covers_the_rollback_window(self) -> Self:
        days = {name: getattr(self, name) for name in KEPT_DAYS}
        short = [f"{name} ({value})" for name, value in days.items() if value < self.rollback_days]
        if short:
            raise ValueError(
                f"{' and '.join(short)} would keep less than the rollback window, rollback_days ({self.rollback_days})"
            )
        return self


KEPT_DAYS: Final = ("inbox_days", "effects_days", "letters_days", "seen_days")


class EnvironmentConfig(Section):
    """One environment's whole configuration."""

    environment: str
    agent: AgentSection
    connections: dict[str, Connection]
    integrations: dict[str, IntegrationSection] = {}
    policy: PolicySection = PolicySection()
    retention: RetentionSection = RetentionSection()
    alerts: AlertsSection = AlertsSection()
    telemetry: TelemetrySection = TelemetrySection()
