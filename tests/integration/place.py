"""An environment of the sandbox's systems to look at and set up, and the files of an integration that Dataverse starts."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from tagline.clock import VirtualClock
from tagline.domain.environment import EnvironmentConfig
from tagline.errors import UsageError
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.sandbox import Sandbox

MIRROR = {
    "pyproject.toml": """\
[project]
name = "mirror"
version = "1.2.0"

[tool.tagline]
requires = ">=0.1"
""",
    "mirror/__init__.py": "",
    "mirror/connections.py": """\
from tagline import connection
from tagline.connectors.dataverse import Dataverse

crm = connection(Dataverse)
""",
    "mirror/settings.py": """\
from tagline import Settings


class MirrorSettings(Settings):
    pass
""",
    "mirror/mappings/__init__.py": "",
    "mirror/mappings/contact.py": """\
from tagline import mapping
from tagline.connectors.dataverse import Account, Contact
from mirror.settings import MirrorSettings


@mapping
def to_contact(account: Account, settings: MirrorSettings) -> Contact:
    return Contact(tl_customerkey=account.tl_customerkey, lastname=account.name)
""",
    "mirror/flows.py": """\
from tagline import every, flow, upsert
from tagline.connectors.dataverse import Account
from mirror.connections import crm
from mirror.mappings.contact import to_contact
from mirror.settings import MirrorSettings


@flow(on=[crm.account_created, crm.account_changed], sweep=every(minutes=5), key=lambda account: str(account.accountid))
async def mirror(account: Account, settings: MirrorSettings) -> None:
    await upsert(to_contact(account, settings))
""",
}


class Place:
    """One environment of a sandbox: its configuration, its secrets, and what its systems hold."""

    def __init__(self, *, solution: bool = True, orders: int = 0) -> None:
        self.clock = VirtualClock(datetime(2026, 11, 2, 15, tzinfo=UTC))
        self.sandbox = Sandbox(self.clock, solution=solution)
        if orders:
            self.sandbox.shops["dev"].place_orders(orders, seed=1)
        self.given: dict[str, dict[str, Any]] = self.sandbox.connection_configs("dev")
        self.given["crm"]["webhook_token"] = "env:CRM_HOOK"
        self.secrets: dict[str, str] = {
            **self.given["secrets"],
            "KEY": base64.urlsafe_b64encode(bytes(32)).decode(),
            "CRM_HOOK": "0123456789abcdef0123",
        }
        self.settings: dict[str, Any] = {}

    def config(self, integration: str) -> EnvironmentConfig:
        return EnvironmentConfig.model_validate(
            {
                "environment": "dev",
                "agent": {
                    "public_url": "http://127.0.0.1:8701",
                    "state": ".tagline/dev",
                    "state_key": "env:KEY",
                },
                "connections": {"shop": self.given["shop"], "crm": self.given["crm"]},
                "integrations": {integration: {"settings": self.settings}},
            }
        )

    def secret(self, reference: str) -> str:
        found = self.secrets.get(reference.removeprefix("env:"))
        if not found:
            raise UsageError(f"there is no secret at {reference}", code="secret-missing", hint="set it")
        return found

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The organisation's rows."""
        return [dict(row) for row in self.sandbox.organisations["dev"].rows.all(tables()[table])]
