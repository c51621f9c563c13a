"""Makers of small values with boring defaults."""

from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from cryptography.fernet import Fernet

from tagline.clock import Clock, VirtualClock
from tagline.domain.lifecycle import Deployment
from tagline.runtime import migrations
from tagline.runtime.key_ring import KeyRing
from tagline.runtime.places import Place
from tagline.runtime.store import Hint, Store

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = Fernet.generate_key()


def make_store(where: Path | Place, clock: Clock | None = None, key: bytes = KEY) -> Store:
    """A store at a place, or in a folder."""
    place = where / "state.sqlite" if isinstance(where, Path) else where
    return Store.open(place, ring=KeyRing.of(key.decode()), clock=clock or VirtualClock(START))


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


def before(path: Path, revision: str) -> None:
    """A state database as the release of that schema left it, with a webhook's and a redriven row waiting."""
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as conn:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = conn
        command.upgrade(config, revision)
        for key, source in (("1", "webhook"), ("2", "redrive")):
            conn.execute(
                sa.text(
                    "INSERT INTO inbox (integration, flow, key, source, connection, version, received_at, state, runs,"
                    " attempts, crashes, due_at, code) VALUES ('orders', 'sync', :key, :source, 'shop', '', :at,"
                    " 'received', 0, 0, 0, :at, '')"
                ),
                {"key": key, "source": source, "at": "2026-03-01T12:00:00.000000Z"},
            )
    engine.dispose()
