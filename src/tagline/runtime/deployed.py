"""What stands in a worker's directory, `<state>/deployments/<id>/`: code, configuration, decision."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from tagline.domain.environment import Connection, EnvironmentConfig
from tagline.domain.lifecycle import Deployment
from tagline.errors import TaglineError, UsageError


def config(directory: Path) -> EnvironmentConfig:
    """
    The environment's configuration this deployment was decided with.

    Raises:
        UsageError: A file is missing or cannot be understood (code `deployment-unreadable`).
    """
    path = directory / "config.toml"
    try:
        values = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise _unreadable(path, type(error).__name__) from error
    try:
        return EnvironmentConfig.model_validate(values)
    except ValidationError as error:
        raise _unreadable(path, _fields(error)) from None


def deployment(directory: Path) -> Deployment:
    """The decision this directory was made from; raises as `config` does."""
    path = directory / "deployment.json"
    try:
        return Deployment.model_validate_json(path.read_text())
    except OSError as error:
        raise _unreadable(path, type(error).__name__) from error
    except ValidationError as error:
        raise _unreadable(path, _fields(error)) from None


def connections(
    config: EnvironmentConfig, integration: str, names: Iterable[str]
) -> Mapping[str, Connection]:
    """
    The configuration of each connection an integration names.

    Raises:
        UsageError: The environment has no such connection (code `connection-unknown`).
    """
    renamed = connection_names(config, integration)
    found: dict[str, Connection] = {}
    for name in names:
        entry = renamed.get(name, name)
        if entry not in config.connections:
            raise UsageError(
                f"{integration} uses the connection {name!r}, and {config.environment} has no [connections.{entry}]",
                code="connection-unknown",
                where={"integration": integration, "environment": config.environment},
                hint=f"add [connections.{entry}], or name another in [integrations.{integration}.connections]; "
                f"there are: {', '.join(sorted(config.connections)) or 'none'}",
            )
        found[name] = config.connections[entry]
    return found


def connection_names(config: EnvironmentConfig, integration: str) -> Mapping[str, str]:
    """The environment's names of an integration's connections, by its own, where they differ."""
    section = config.integrations.get(integration)
    return section.connections if section else {}


def _fields(error: ValidationError) -> str:
    """Field and reason; never the value, which may be a secret written where its reference belongs."""
    return "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())


def _unreadable(path: Path, reason: str) -> TaglineError:
    return UsageError(
        f"{path} cannot be used: {reason}",
        code="deployment-unreadable",
        hint="decide the deployment again with this version of tagline",
    )
