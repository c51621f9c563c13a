"""
Fixtures for whoever tests an integration: the sandbox in the test's process, or served over TLS.

A marker chooses what it holds: `@pytest.mark.tagline_sandbox(seed=7, environments=("dev", "qa"), orders=20)`, and how its
sites do what nobody is sure of: `organisation_quirks=OrganisationQuirks(count_has_bom=False)`. Nothing of tagline is imported
before a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tagline.clock import Clock
    from tagline.sandbox.sandbox import Sandbox
    from tagline.sandbox.serve import Served

MARKER = "tagline_sandbox"
START = datetime(2026, 7, 1, 15, 30, tzinfo=UTC)
"""When a sandbox in process begins; its clock moves only when it is told to, or something waits."""
_QUIRKS = ("shop_quirks", "organisation_quirks", "finance_quirks", "login_quirks")
_OPTIONS = frozenset({"seed", "environments", "orders", "history", "rate_limits", *_QUIRKS})


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARKER}(seed=1, environments=('dev',), orders=0, history=False, rate_limits=False, "
        f"{', '.join(f'{name}=None' for name in _QUIRKS)}): what the sandbox of a test holds",
    )


@pytest.fixture
def tagline_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """A fresh sandbox in this process, on a virtual clock; `transport()` carries an httpx client's requests to it."""
    from tagline.clock import VirtualClock

    return _made(request, VirtualClock(START))


@pytest.fixture
def tagline_sandbox_served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    """A fresh sandbox over TLS on loopback, on ports that the system chooses, which delivers webhooks by itself."""
    from tagline.clock import SystemClock
    from tagline.sandbox.serve import serve

    with serve(_made(request, SystemClock()), tmp_path / "sandbox-ca.pem") as served:
        yield served


def _made(request: pytest.FixtureRequest, clock: Clock) -> Sandbox:
    from tagline.sandbox.main import stock, trade_before
    from tagline.sandbox.sandbox import Sandbox

    options = _options(request)
    orders, history = options.pop("orders", 0), options.pop("history", False)
    sandbox = Sandbox(clock, **options)
    if orders:
        stock(sandbox, orders)
    if history:
        trade_before(sandbox, orders)
    return sandbox


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    marker = request.node.get_closest_marker(MARKER)
    if marker is None:
        return {}
    wrong = sorted(set(marker.kwargs) - _OPTIONS)
    if wrong or marker.args:
        named = ", ".join(wrong) or "a value without a name"
        raise pytest.UsageError(f"{MARKER} takes {', '.join(sorted(_OPTIONS))}, not {named}")
    if isinstance(marker.kwargs.get("environments"), str):
        raise pytest.UsageError(f"environments of {MARKER} is a tuple of names, such as ('dev', 'qa')")
    return dict(marker.kwargs)
