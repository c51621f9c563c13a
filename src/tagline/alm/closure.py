"""The identity of a release: a digest over the content of an integration and of everything it declares to need."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tagline.alm.git import Repository
from tagline.errors import UsageError
from tagline.integration import Project, parse_project

FOLDER: Final = "integrations"
SCHEMA: Final = 1


@dataclass(frozen=True)
class Closure:
    """What one commit holds of an integration, by git's own object ids."""

    integration: str
    version: str
    commit: str
    tree: str
    libraries: Mapping[str, str]
    """Name of a library -> its tree."""
    dependencies: tuple[str, ...]
    digest: str
    """`sha256:…` over all of the above but the commit: the same content has the same identity wherever it stands."""


def of(repo: Repository, commit: str, integration: str) -> Closure:
    """
    The closure of an integration as it stands in a commit; needs nothing of the commit's history.

    Raises:
        UsageError: The commit has no such integration or a library it declares (code `integration-unknown`), or its
            `pyproject.toml` cannot be used (code `integration-invalid`).
    """
    project = _project(repo, commit, integration)
    trees: dict[str, str] = {}
    dependencies = set(project.dependencies)
    waiting = list(project.libraries)
    while waiting:
        name = waiting.pop()
        if name not in trees:
            library = _project(repo, commit, name)
            trees[name] = _tree(repo, commit, name)
            dependencies |= set(library.dependencies)
            waiting += library.libraries
    tree = _tree(repo, commit, integration)
    libraries = dict(sorted(trees.items()))
    declared = tuple(sorted(dependencies))
    manifest = {
        "schema": SCHEMA,
        "integration": integration,
        "tree": tree,
        "libraries": libraries,
        "dependencies": declared,
    }
    return Closure(integration, project.version, commit, tree, libraries, declared, digest(manifest))


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted members, no blanks, UTF-8."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest(value: Any) -> str:
    """`sha256:…` of a JSON value, whatever the order of its members."""
    return f"sha256:{hashlib.sha256(canonical(value)).hexdigest()}"


def short(closure: str) -> str:
    """Enough of a digest to tell it from others, for people."""
    return closure.removeprefix("sha256:")[:12]


def file_name(closure: str) -> str:
    """A digest as the name of a file or folder; a colon is none everywhere."""
    return closure.replace(":", "-")


def _project(repo: Repository, commit: str, name: str) -> Project:
    path = f"{FOLDER}/{name}/pyproject.toml"
    content = repo.read(commit, path)
    if content is None:
        there = [e.path for e in repo.entries(f"{commit}:{FOLDER}") if e.kind == "tree"]
        raise UsageError(
            f"commit {commit[:10]} has no {path}",
            code="integration-unknown",
            where={"integration": name, "commit": commit},
            hint=f"commit it first; there are: {', '.join(there) or 'none'}",
        )
    project = parse_project(content.decode("utf-8", "replace"), Path(path))
    if project.name != name:
        raise UsageError(
            f"{path} names its project {project.name!r}",
            code="integration-invalid",
            where={"file": path},
            hint=f"folder, package and project bear one name: {name}",
        )
    return project


def _tree(repo: Repository, commit: str, name: str) -> str:
    found = repo.tree_id(commit, f"{FOLDER}/{name}")
    assert found is not None
    return found
