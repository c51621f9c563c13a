"""Loading an integration's package from a directory into checked values."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
import tomllib
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from tagline.domain.settings import Settings
from tagline.domain.system import System
from tagline.errors import TaglineError, UsageError
from tagline.flow import Flow
from tagline.mapping import MappingFunction

FOLDER: Final = "integrations"
"""Where a repository keeps its integrations and their libraries."""


@dataclass(frozen=True)
class Integration:
    """A package of flows with one owner and one version, loaded and checked."""

    name: str
    version: str
    requires_tagline: str
    """The tagline versions it works with, for example `>=0.1`."""
    directory: Path
    """Where `pyproject.toml` stands."""
    connections: Mapping[str, System]
    settings: type[Settings]
    flows: Mapping[str, Flow]
    mappings: Mapping[str, MappingFunction[..., Any]]

    def source_of(self, flow: Flow) -> str:
        """Name of the connection that holds the flow's source records: its triggers', else the one of that system."""
        systems = self.connections
        declared = [trigger.connection for trigger in flow.triggers]
        named = [name for name, system in systems.items() if any(system is each for each in declared)]
        kindred = [name for name, system in systems.items() if system.kind == flow.source.remote.system]
        return (named or kindred)[0]


@dataclass(frozen=True)
class Project:
    """What an integration's `pyproject.toml` declares."""

    name: str
    version: str
    requires_tagline: str
    dependencies: tuple[str, ...]
    libraries: tuple[str, ...]
    """Names of the libraries beside it whose trees are part of its closure."""


def load(directory: Path, libraries: Sequence[Path] = ()) -> Integration:
    """
    Import the package of `directory` afresh and check what it declares.

    Args:
        directory: Holds `pyproject.toml` and the package of the same name as the project.
        libraries: Directories of the libraries it imports, each of the same layout.

    Raises:
        UsageError: A file is missing or declares something that cannot be (code `integration-invalid`, naming file and
            remedy), or a flow or mapping is not of its fixed shape.
    """
    directory = directory.resolve()
    project = _project(directory)
    _check_tagline(project, directory / "pyproject.toml")
    package = directory / project.name
    for name in ("__init__.py", "connections.py", "settings.py", "flows.py"):
        if not (package / name).is_file():
            raise _invalid(package / name, "it is missing", "add it; an integration's layout is fixed")
    with _importing(directory, [p.resolve() for p in libraries], project.name):
        # Each is checked before the next is imported, so that the cause is told and not what follows from it.
        connections = _connections(
            _import(directory, f"{project.name}.connections"), package / "connections.py"
        )
        settings = _settings(_import(directory, f"{project.name}.settings"), package / "settings.py")
        mappings = _mappings(list(_mapping_modules(directory, project.name)))
        flows = _flows(
            _import(directory, f"{project.name}.flows"), package / "flows.py", connections, settings
        )
    return Integration(
        name=project.name,
        version=project.version,
        requires_tagline=project.requires_tagline,
        directory=directory,
        connections=connections,
        settings=settings,
        flows=flows,
        mappings=mappings,
    )


def load_from(root: Path, name: str) -> Integration:
    """
    Load `integrations/<name>` below `root` with the libraries it declares, as a release of it would be.

    Raises:
        UsageError: There is none (code `integration-unknown`), or as `load` and `libraries_of` raise.
    """
    folder = root / FOLDER
    if not (folder / name).is_dir():
        known = sorted(p.parent.name for p in folder.glob("*/pyproject.toml"))
        raise UsageError(
            f"there is no integration {name!r}",
            code="integration-unknown",
            where={"integration": name},
            hint=f"known are: {', '.join(known) or 'none'}",
        )
    return load(folder / name, [folder / library for library in libraries_of(root, name)])


def libraries_of(root: Path, name: str) -> tuple[str, ...]:
    """
    The libraries that `integrations/<name>` below `root` declares, and those that they declare, sorted.

    Raises:
        UsageError: A library is not there (code `integration-unknown`), or a `pyproject.toml` cannot be used
            (`integration-invalid`).
    """
    found: set[str] = set()
    waiting = [(library, name) for library in _project(root / FOLDER / name).libraries]
    while waiting:
        library, by = waiting.pop()
        if library in found:
            continue
        directory = root / FOLDER / library
        if not (directory / "pyproject.toml").is_file():
            raise UsageError(
                f"{by} declares the library {library}, and there is no {FOLDER}/{library}/pyproject.toml",
                code="integration-unknown",
                where={"integration": by, "library": library, "file": str(directory / "pyproject.toml")},
                hint="add it, or correct [tool.tagline] libraries",
            )
        found.add(library)
        waiting += [(other, library) for other in _project(directory).libraries]
    return tuple(sorted(found))


def routes(integration: Integration) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Which flows an event of a connection starts: (connection, event) -> names of flows, in order of declaration."""
    names = {id(system): name for name, system in integration.connections.items()}
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for flow in integration.flows.values():
        for trigger in flow.triggers:
            key = (names[id(trigger.connection)], trigger.event)
            found[key] = (*found.get(key, ()), flow.name)
    return found


def parse_project(text: str, file: Path) -> Project:
    """
    Read the text of an integration's `pyproject.toml`.

    Raises:
        UsageError: It is no TOML, or lacks what an integration declares (code `integration-invalid`).
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _invalid(file, f"it is no TOML: {error}", "correct the line it names") from None
    project, tool = values.get("project", {}), values.get("tool", {}).get("tagline")
    name, version = project.get("name"), project.get("version")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise _invalid(
            file, f"[project] name is {name!r}", "give the package's own name: small letters, digits and _"
        )
    if name == "tagline" or name in sys.stdlib_module_names:
        raise _invalid(
            file, f"[project] name {name} is a package of Python's own or tagline", "give it another name"
        )
    if not isinstance(version, str) or not re.fullmatch(r"[0-9]+(\.[0-9]+)*[a-z0-9.+-]*", version):
        raise _invalid(file, f"[project] version is {version!r}", 'give it, for example version = "1.0.0"')
    if not isinstance(tool, dict) or not isinstance(tool.get("requires"), str):
        raise _invalid(
            file, "[tool.tagline] requires is missing", 'add [tool.tagline] with requires = ">=0.1"'
        )
    unknown = sorted(set(tool) - {"requires", "libraries"})
    if unknown:
        raise _invalid(file, f"[tool.tagline] has no key {unknown[0]!r}", "it has requires and libraries")
    return Project(
        name,
        version,
        tool["requires"],
        _texts(project.get("dependencies", []), "[project] dependencies", file),
        _texts(tool.get("libraries", []), "[tool.tagline] libraries", file),
    )


def _project(directory: Path) -> Project:
    file = directory / "pyproject.toml"
    try:
        text = file.read_text()
    except OSError:
        raise _invalid(
            file, "it cannot be read", "every integration has one, with [project] name and version"
        ) from None
    return parse_project(text, file)


def _texts(value: object, name: str, file: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise _invalid(file, f"{name} is no list of texts", "write a list of quoted names")
    return tuple(value)


def _check_tagline(project: Project, file: Path) -> None:
    running = installed_version("tagline")
    try:
        wanted = SpecifierSet(project.requires_tagline)
    except InvalidSpecifier:
        raise _invalid(
            file, f"[tool.tagline] requires is {project.requires_tagline!r}", 'write it like ">=0.1,<2"'
        ) from None
    if not wanted.contains(running, prereleases=True):
        raise _invalid(
            file,
            f"it works with tagline {project.requires_tagline}, this is {running}",
            "install a tagline it works with, or prove it on this one and widen the range",
        )


@contextmanager
def _importing(directory: Path, libraries: Sequence[Path], name: str) -> Iterator[None]:
    """The import system with these directories in front, and nothing remembered of packages that had their names."""
    for package in (name, *(path.name for path in libraries)):
        for module in [m for m in sys.modules if m == package or m.startswith(f"{package}.")]:
            del sys.modules[module]
    importlib.invalidate_caches()
    path, writes = list(sys.path), sys.dont_write_bytecode
    sys.path[:0] = [str(directory), *(str(p) for p in libraries)]
    # No __pycache__ in a working copy or a deployment, and no stale one for a file changed within a second.
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.path[:] = path
        sys.dont_write_bytecode = writes


def _import(directory: Path, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except TaglineError:
        raise
    except SyntaxError as error:
        raise _invalid(
            Path(error.filename or name), f"line {error.lineno}: {error.msg}", "correct the line"
        ) from error
    except Exception as error:
        frames = [
            f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(directory)
        ]
        file, line = (Path(frames[-1].filename), frames[-1].lineno) if frames else (directory / name, 0)
        raise _invalid(
            file,
            f"line {line}: {type(error).__name__}: {error}",
            "correct the line; importing it must succeed",
        ) from error


def _mapping_modules(directory: Path, package: str) -> Iterator[ModuleType]:
    if not (directory / package / "mappings").is_dir():
        return
    parent = _import(directory, f"{package}.mappings")
    for found in sorted(pkgutil.iter_modules(parent.__path__), key=lambda m: m.name):
        yield _import(directory, f"{package}.mappings.{found.name}")


def _connections(module: ModuleType, file: Path) -> dict[str, System]:
    found = {name: value for name, value in vars(module).items() if isinstance(value, System)}
    if not found:
        raise _invalid(file, "it names no connection", "write, for example, shop = connection(Shift4Shop)")
    by_kind: dict[str, str] = {}
    for name, system in found.items():
        other = by_kind.setdefault(system.kind, name)
        if other != name:
            raise _invalid(
                file,
                f"{other} and {name} are both connections to {system.kind}",
                "one connection per kind of system for now; make the second one an integration of its own",
            )
    return found


def _settings(module: ModuleType, file: Path) -> type[Settings]:
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Settings) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        named = ", ".join(v.__name__ for v in found) or "none"
        raise _invalid(file, f"it must hold one subclass of Settings, and holds {named}", "keep exactly one")
    return found[0]


def _flows(
    module: ModuleType, file: Path, connections: Mapping[str, System], settings: type[Settings]
) -> dict[str, Flow]:
    found = {value.name: value for value in vars(module).values() if isinstance(value, Flow)}
    if not found:
        raise _invalid(file, "it declares no flow", "decorate an async function with @flow(...)")
    known = {id(system) for system in connections.values()}
    for flow in found.values():
        for trigger in flow.triggers:
            if id(trigger.connection) not in known:
                raise _invalid(
                    file,
                    f"flow {flow.name} is started by {trigger.event} of a connection that connections.py does not name",
                    "use a connection imported from connections.py",
                )
        if not issubclass(settings, flow.settings):
            raise _invalid(
                file,
                f"flow {flow.name} takes {flow.settings.__name__}, settings.py holds {settings.__name__}",
                f"annotate its second parameter with {settings.__name__}",
            )
    return found


def _mappings(modules: Sequence[ModuleType]) -> dict[str, MappingFunction[..., Any]]:
    found: dict[str, MappingFunction[..., Any]] = {}
    for module in modules:
        for value in vars(module).values():
            if not isinstance(value, MappingFunction):
                continue
            other = found.setdefault(value.name, value)
            if other is not value:
                raise _invalid(
                    Path(value.file),
                    f"mapping {value.name} is also defined in {Path(other.file).name}",
                    "give one of them another name",
                )
    return found


def _invalid(file: Path, found: str, remedy: str) -> UsageError:
    return UsageError(f"{file}: {found}", code="integration-invalid", where={"file": str(file)}, hint=remedy)
