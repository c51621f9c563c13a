"""The configuration of an environment, rendered and secret-free: what stands in `config.toml`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SecretRef = Annotated[str, Field(pattern=r"^(env|file):.+$")]
"""Where a secret stands, never the secret: `env:NAME` or `file:path`."""


class Section(BaseModel):
    """A table of the configuration; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Shift4ShopConnection(Section):
    """One 3dcart / Shift4Shop store."""

    system: Literal["shift4shop"]
    url: str = "https://apirest.3dcart.com/3dCartWebAPI/v2"
    """Root of the REST API, version included, no trailing slash."""
    store_url: str
    """The store's secure URL, sent as `SecureUrl`; picks the store."""
    private_key: SecretRef
    token: SecretRef
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


class DataverseConnection(Section):
    """One Dataverse organisation."""

    system: Literal["dataverse"]
    url: str
    """`https://{org}.crm4.dynamics.com`, no trailing slash."""
    tenant: str
    client_id: str
    client_secret: SecretRef
    authority: str = "https://login.microsoftonline.com"
    ca_file: str = ""


Connection = Annotated[Shift4ShopConnection | DataverseConnection, Field(discriminator="system")]


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
    """Fernet key (32 bytes, URL-safe Base64) that encrypts stored images."""


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


class EnvironmentConfig(Section):
    """One environment's whole configuration."""

    environment: str
    agent: AgentSection
    connections: dict[str, Connection]
    integrations: dict[str, IntegrationSection] = {}
    policy: PolicySection = PolicySection()
