"""Makers of small values with boring defaults."""

from datetime import UTC, datetime
from pathlib import Path

from cryptography.fernet import Fernet

from tagline.clock import Clock, VirtualClock
from tagline.domain.lifecycle import Deployment
from tagline.runtime.store import Hint, Store

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = Fernet.generate_key()


def make_store(folder: Path, clock: Clock | None = None, key: bytes = KEY) -> Store:
    return Store.open(folder / "state.sqlite", key=key, clock=clock or VirtualClock(START))


def make_deployment(number: int = 1, *, integration: str = "orders", version: str = "1.0.0") -> Deployment:
    return Deployment(
        id=f"{integration}-{number:06d}",
        integration=integration,
        version=version,
        closure=f"sha256:{number:064x}",
        tag_object="t",
        commit="c",
        config_digest="d",
        config_commit="e",
        decided_at=START,
        decided_by="someone",
    )


def make_hint(key: str = "1", *, source: str = "webhook", version: str = "", flow: str = "sync") -> Hint:
    return Hint("orders", flow, key, source, "shop", version)  # type: ignore[arg-type]
