"""The house keeps its floors: a room imports only rooms below it, and each outside library has one door."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "tagline"

BELOW = {
    "errors": set(),
    "clock": {"errors"},
    "domain": {"errors", "clock"},
    "mapping": {"errors", "clock", "domain"},
    "connectors": {"errors", "clock", "domain"},
    "flow": {"errors", "clock", "domain", "mapping", "connectors"},
    "integration": {"errors", "clock", "domain", "mapping", "connectors", "flow"},
    "alm": {"errors", "clock", "domain", "mapping", "connectors", "flow", "integration"},
    "runtime": {"errors", "clock", "domain", "mapping", "connectors", "flow", "integration"},
    "sandbox": {"errors", "clock", "domain", "mapping", "connectors", "flow", "integration"},
}
BELOW["harness"] = {*BELOW["alm"], "alm", "runtime", "sandbox"}
BELOW["cli"] = {*BELOW["harness"], "harness"}
BELOW["__main__"] = {"cli"}

DOORS = {
    "git": ("alm/git.py",),
    "msal": ("connectors/entra.py",),
    "httpcore": ("connectors/network.py",),
    "dbos": ("runtime/engine_dbos.py",),
    "sqlalchemy": ("runtime/",),
    "alembic": ("runtime/",),
    "vcr": ("harness/cassettes.py",),
    "uvicorn": ("runtime/serve.py", "sandbox/serve.py"),
    "trustme": ("sandbox/ca.py",),
    "click": ("cli/",),
    "apprise": ("runtime/channels.py",),
    "prometheus_client": ("runtime/metrics.py",),
    "opentelemetry": ("runtime/telemetry.py",),
    "croniter": ("flow/schedules.py",),
    "hypothesis": ("harness/",),
}


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno


def _modules() -> list[Path]:
    return sorted(p for p in SRC.rglob("*.py") if p != SRC / "__init__.py")


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(SRC)))
def test_a_room_imports_only_what_lies_below_it(path: Path) -> None:
    room = path.relative_to(SRC).parts[0].removesuffix(".py")
    wrong = [
        f"line {line}: {name}"
        for name, line in _imports(path)
        if name.startswith("tagline.")
        and (other := name.split(".")[1]) != room
        and other not in BELOW.get(room, set())
    ]
    assert wrong == [], f"{room} may import {sorted(BELOW.get(room, set()))}"


@pytest.mark.parametrize("library", DOORS)
def test_an_outside_library_has_one_door(library: str) -> None:
    strangers = [
        f"{path.relative_to(SRC)}:{line}"
        for path in _modules()
        for name, line in _imports(path)
        if name.split(".")[0] == library and not str(path.relative_to(SRC)).startswith(DOORS[library])
    ]
    assert strangers == []


def test_the_domain_knows_no_clock_disk_or_network() -> None:
    forbidden = {"httpx", "pathlib", "os", "time", "socket", "subprocess", "sqlite3"}
    found = [
        f"{path.name}:{line} imports {name}"
        for path in (SRC / "domain").glob("*.py")
        for name, line in _imports(path)
        if name.split(".")[0] in forbidden
    ]
    assert found == []
