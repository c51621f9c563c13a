"""
Environments: typed configuration, inherited from `base.toml` and rendered from a named commit.

Never from the working copy, and never with a secret in it: what is rendered is what a deployment carries.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args, get_origin

import tomlkit
from pydantic import BaseModel, ValidationError

from tagline.alm import branches
from tagline.alm import closure as closures
from tagline.alm.git import Repository
from tagline.domain.environment import (
    AlertsSection,
    DataverseConnection,
    EnvironmentConfig,
    FinanceConnection,
    IntegrationSection,
    Shift4ShopConnection,
)
from tagline.errors import UsageError
from tagline.integration import Integration

FOLDER: Final = "environments"
BASE: Final = f"{FOLDER}/base.toml"


@dataclass(frozen=True)
class Rendered:
    """One environment's configuration as one commit says it."""

    config: EnvironmentConfig
    digest: str
    commit: str
    layers: Mapping[str, str]
    """Dotted path of a value -> the file that gave it; what has a default and stands nowhere is absent."""


def names(repo: Repository, commit: str) -> tuple[str, ...]:
    """The environments a commit knows."""
    found = [e.path for e in repo.entries(f"{commit}:{FOLDER}") if e.kind == "blob"]
    return tuple(n.removesuffix(".toml") for n in found if n.endswith(".toml") and n != "base.toml")


def check_name(repo: Repository, name: str) -> None:
    """
    Hold a name to what main and the environment branches know, as of the last `refresh`.

    Raises:
        UsageError: Neither knows such an environment (code `environment-unknown`).
    """
    decided = branches.environments(repo)
    # Asked first, since what was decided can be looked at without main.
    if name in decided:
        return
    commit = repo.main()
    known = names(repo, commit)
    if name not in known:
        raise _unknown(name, sorted({*known, *decided}), commit)


def render(repo: Repository, name: str, commit: str | None = None) -> Rendered:
    """
    Merge `base.toml` and `<name>.toml` of a commit; the tip of main unless one is named.

    Raises:
        UsageError: There is no such environment (code `environment-unknown`), a key is unknown
            (`config-unknown-key`), values are of the wrong kind or no secret references (`config-invalid`), or
            something that identifies an environment is shared with another one (`config-shared-identity`).
    """
    if commit is None:
        repo.refresh()
        commit = repo.main()
    known = names(repo, commit)
    if name not in known:
        raise _unknown(name, known, commit)
    base = _table(repo, commit, BASE)
    file = f"{FOLDER}/{name}.toml"
    values, layers = _merged(base, _table(repo, commit, file), file)
    if values.setdefault("environment", name) != name:
        raise UsageError(
            f"{layers['environment']} says it is the environment {values['environment']!r}",
            code="config-invalid",
            where={"file": layers["environment"], "environment": name},
            hint="leave the key `environment` out; the file's name says it",
        )
    config = _parsed(values, layers, file, name)
    _refuse_shared(repo, commit, config, base, [n for n in known if n != name])
    return Rendered(config, digest(config), commit, layers)


def for_integration(config: EnvironmentConfig, integration: str) -> EnvironmentConfig:
    """The part that matters to one integration, so that another one's settings, or who is told of alarms, do not redeploy it."""
    section = config.integrations.get(integration, IntegrationSection())
    return config.model_copy(update={"integrations": {integration: section}, "alerts": AlertsSection()})


def digest(config: EnvironmentConfig) -> str:
    """`sha256:…` of the values, whatever their order in the files."""
    return closures.digest(config.model_dump(mode="json", exclude_none=True))


def to_toml(config: EnvironmentConfig) -> str:
    """The rendered configuration as text, for `config.toml`."""
    return tomlkit.dumps(config.model_dump(exclude_none=True))


def from_toml(text: str) -> EnvironmentConfig:
    """
    Read a rendered configuration back.

    Raises:
        UsageError: It is not valid (any more) (code `config-invalid`); values are not shown.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _no_toml("config.toml", error) from None
    name = values.get("environment")
    return _parsed(values, {}, "config.toml", name if isinstance(name, str) else "")


def check_settings(config: EnvironmentConfig, integration: Integration) -> None:
    """
    Hold an environment's configuration to what an integration declares.

    Raises:
        UsageError: Settings do not fit its model (code `settings-invalid`), or a connection it names is missing or of
            another system (`connection-unknown`, `connection-differs`).
    """
    section = config.integrations.get(integration.name, IntegrationSection())
    place = f"[integrations.{integration.name}.settings]"
    where = {"integration": integration.name, "environment": config.environment}
    try:
        integration.settings.model_validate(section.settings)
    except ValidationError as error:
        problems = [f"{place} {p.path}: {p.reason}" for p in _problems(error, integration.settings)]
        raise UsageError(
            f"{config.environment}: " + "; ".join(problems),
            code="settings-invalid",
            where=where,
            hint=f"correct them in {FOLDER}/{config.environment}.toml and commit",
        ) from None
    strangers = sorted(set(section.connections) - set(integration.connections))
    if strangers:
        raise UsageError(
            f"{integration.name} has no connection {strangers[0]!r}",
            code="connection-unknown",
            where=where,
            hint=f"it has: {', '.join(sorted(integration.connections))}",
        )
    for name, system in integration.connections.items():
        entry = section.connections.get(name, name)
        found = config.connections.get(entry)
        if found is None:
            raise UsageError(
                f"{integration.name} uses the connection {name!r}, and {config.environment} has no [connections.{entry}]",
                code="connection-unknown",
                where=where,
                hint=f"there are: {', '.join(sorted(config.connections)) or 'none'}; add it, "
                f"or name one in [integrations.{integration.name}.connections]",
            )
        if found.system != system.kind:
            raise UsageError(
                f"connection {name!r} of {integration.name} is {system.kind}, [connections.{entry}] is {found.system}",
                code="connection-differs",
                where=where,
                hint=f"name a {system.kind} connection in [integrations.{integration.name}.connections]",
            )


def changes(
    old: EnvironmentConfig | None, new: EnvironmentConfig, layers: Mapping[str, str]
) -> tuple[str, ...]:
    """`path: old -> new (layer)` for every value that differs, without the layers where none are known; there are no secrets."""
    before = dict(_leaves(old.model_dump(mode="json", exclude_none=True))) if old else {}
    after = dict(_leaves(new.model_dump(mode="json", exclude_none=True)))
    if old is None:
        return ()
    return tuple(
        f"{path}: {before.get(path, 'absent')} -> {after.get(path, 'absent')}"
        + (f" ({layers.get(path, 'default')})" if layers else "")
        for path in sorted({*before, *after})
        if before.get(path, ...) != after.get(path, ...)
    )


# -- merging ---------------------------------------------------------------------------------------


def _table(repo: Repository, commit: str, file: str) -> dict[str, Any]:
    content = repo.read(commit, file)
    if content is None:
        return {}
    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _no_toml(file, error) from None


def _unknown(name: str, known: Sequence[str], commit: str) -> UsageError:
    near = difflib.get_close_matches(name, known, 1)
    return UsageError(
        f"there is no environment {name!r} in commit {commit[:10]}",
        code="environment-unknown",
        where={"environment": name, "commit": commit},
        hint=f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}",
    )


def _no_toml(file: str, error: ValueError) -> UsageError:
    return UsageError(
        f"{file} is no TOML: {error}",
        code="config-invalid",
        where={"file": file},
        hint="correct the line it names",
    )


def _merged(
    base: Mapping[str, Any], own: Mapping[str, Any], file: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Tables merge key by key, everything else is replaced whole; with the file that gave each value."""
    layers = dict.fromkeys((path for path, _ in _leaves(base)), BASE)
    for path, _ in _leaves(own):
        # A value may stand where base has a table, and the other way round.
        for other in [p for p in layers if p.startswith(f"{path}.") or path.startswith(f"{p}.")]:
            del layers[other]
        layers[path] = file
    return _laid_over(base, own), layers


def _laid_over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in own.items():
        below = merged.get(key)
        merged[key] = (
            _laid_over(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
        )
    return merged


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


# -- checking --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Problem:
    path: str
    reason: str
    unknown: bool


def _parsed(values: Mapping[str, Any], layers: Mapping[str, str], file: str, name: str) -> EnvironmentConfig:
    try:
        return EnvironmentConfig.model_validate(values)
    except ValidationError as error:
        found = _problems(error, EnvironmentConfig)
    lines = [f"{_layer(p.path, layers, file)}: {p.path}: {p.reason}" for p in found]
    message, where = "; ".join(lines), {"environment": name, "file": _layer(found[0].path, layers, file)}
    if any(p.unknown for p in found):
        raise UsageError(
            message, code="config-unknown-key", where=where, hint="correct the name, or remove the key"
        )
    raise UsageError(
        message, code="config-invalid", where=where, hint="correct the values in the named files"
    )


def _layer(path: str, layers: Mapping[str, str], file: str) -> str:
    if path in layers:
        return layers[path]
    inside = [layer for other, layer in layers.items() if other.startswith(f"{path}.")]
    return inside[0] if inside else file


def _problems(error: ValidationError, root: type[BaseModel]) -> list[_Problem]:
    """What pydantic found, with paths as they stand in the files, and never a value: it may be a secret."""
    problems = []
    for told in error.errors(include_input=False, include_url=False):
        path, model = _place(root, told["loc"])
        unknown = told["type"] == "extra_forbidden"
        reason = told["msg"]
        if unknown:
            known = [] if model is None else sorted(model.model_fields)
            near = difflib.get_close_matches(path[-1], known, 1)
            reason = (
                f"unknown key, did you mean {near[0]}?" if near else f"unknown key; known: {', '.join(known)}"
            )
        elif told["type"] == "string_pattern_mismatch" and "env|file" in told["ctx"]["pattern"]:
            reason = (
                "this is no reference to a secret; write env:NAME or file:path, and never the secret itself"
            )
        problems.append(_Problem(".".join(path), reason, unknown))
    return problems


def _place(root: type[BaseModel], loc: Sequence[str | int]) -> tuple[list[str], type[BaseModel] | None]:
    """The path as written, without the tags of unions that pydantic inserts, and the model its last key belongs to."""
    path: list[str] = []
    owner: type[BaseModel] | None = None
    annotation: Any = root
    for step in loc:
        members = {_tag(m): m for m in _union(annotation)}
        if step in members:
            annotation = members[step]
            continue
        path.append(str(step))
        owner = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
        if owner is not None:
            field = owner.model_fields.get(str(step))
            annotation = field.annotation if field else None
        else:
            annotation = (get_args(annotation) or (None,))[-1]
    return path, owner


def _union(annotation: Any) -> tuple[Any, ...]:
    inner = get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation
    return get_args(inner)


def _tag(model: Any) -> str:
    field = getattr(model, "model_fields", {}).get("system")
    return get_args(field.annotation)[0] if field is not None and get_origin(field.annotation) else ""


def _refuse_shared(
    repo: Repository, commit: str, config: EnvironmentConfig, base: Mapping[str, Any], others: Sequence[str]
) -> None:
    ours = {value: path for path, value in _identities(config)}
    for other in others:
        file = f"{FOLDER}/{other}.toml"
        values = {"environment": other, **_laid_over(base, _table(repo, commit, file))}
        try:
            theirs = EnvironmentConfig.model_validate(values)
        except ValidationError:
            continue  # refused with its own name when it is rendered itself
        for path, value in _identities(theirs):
            if value in ours:
                raise UsageError(
                    f"{config.environment} and {other} share {value[1]} ({ours[value]}, {path})",
                    code="config-shared-identity",
                    where={"environment": config.environment, "file": file},
                    hint="what identifies an environment stands in its own file and differs from every other one's",
                )


def _identities(config: EnvironmentConfig) -> Iterator[tuple[str, tuple[str, str]]]:
    """Path and (kind, value) of everything that two environments must not have in common."""
    for name, connection in config.connections.items():
        path = f"connections.{name}"
        match connection:
            case Shift4ShopConnection():
                yield (
                    f"{path}.store_url",
                    ("store", f"{_url(connection.store_url)} at {_url(connection.url)}"),
                )
            case DataverseConnection():
                yield f"{path}.url", ("organisation", _url(connection.url))
            case FinanceConnection():
                entity = f"{connection.company.lower()} at {_url(connection.url)}"
                yield f"{path}.company", ("legal entity", entity)
    yield "agent.public_url", ("public_url", _url(config.agent.public_url))
    yield "agent.listen", ("listen", config.agent.listen)
    yield "agent.state", ("state", config.agent.state.rstrip("/"))


def _url(text: str) -> str:
    return text.rstrip("/").lower()
