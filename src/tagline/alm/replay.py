"""Shadow replay: two releases over the same recorded records, and which target fields come out differently."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tagline.alm import branches, closure, corpus, environments, planning
from tagline.alm.git import Repository
from tagline.domain.lifecycle import DecisionKind, FieldChange, Plan
from tagline.errors import InconclusiveError

_TIMEOUT_S: Final = 300.0


@dataclass(frozen=True)
class Side:
    """One release with the settings it would run with."""

    code: Path
    """Directory with its `pyproject.toml`."""
    libraries: tuple[Path, ...]
    settings: Mapping[str, Any]
    """As JSON values."""


@dataclass(frozen=True)
class Comparison:
    """How two releases differ on a corpus."""

    records_compared: int
    records_changed: int
    field_changes: tuple[FieldChange, ...]
    failures_new: int
    """Records that would become dead letters and did not before."""
    inconclusive: int
    """Records for which a row was not recorded; they are not compared."""


def compare(old: Side, new: Side, directory: Path) -> Comparison:
    """
    Run both sides over a corpus and compare what they would write.

    Raises:
        InconclusiveError: A side could not be run (code `replay-failed`).
        UsageError: The corpus cannot be read (code `corpus-invalid`).
    """
    sizes = {f"{r.flow}/{r.key}": r.size for r in corpus.read(directory).records}
    with ThreadPoolExecutor(2) as pool:
        before, after = pool.map(lambda side: _run(side, directory), (old, new))
    return judge(before, after, sizes)


def judge(before: Mapping[str, Any], after: Mapping[str, Any], sizes: Mapping[str, int]) -> Comparison:
    """Compare what two sides printed, record by record."""
    compared = changed = failures = 0
    hits: dict[tuple[str, str], list[str]] = {}
    for record in sorted(sizes, key=lambda r: (sizes[r], r)):
        old, new = before[record], after[record]
        if old["inconclusive"] or new["inconclusive"]:
            continue
        compared += 1
        failures += bool(new["code"] and not old["code"])
        # A record that ends early writes less; that is told as a failure, not as changed fields.
        differing = _differing(old["fields"], new["fields"]) if old["code"] == new["code"] else []
        changed += bool(differing or old["code"] != new["code"])
        for name in differing:
            hits.setdefault(name, []).append(record)
    return Comparison(
        records_compared=compared,
        records_changed=changed,
        field_changes=tuple(
            FieldChange(model=model, field=field, records=len(found), example=found[0].split("/", 1)[1])
            for (model, field), found in sorted(hits.items())
        ),
        failures_new=failures,
        inconclusive=len(sizes) - compared,
    )


def add_changes(repo: Repository, plan: Plan) -> Plan:
    """
    The same plan with what its release would write differently from the one that runs, on the working copy's corpus.

    A plan for what runs already or for a first deployment comes back as it is; without a corpus a warning says so.

    Raises:
        InconclusiveError: A release could not be replayed (code `replay-failed`).
    """
    if planning.is_empty(plan) or plan.current is None or plan.head is None:
        return plan
    directory = repo.root / "fixtures" / plan.integration / "corpus"
    if not any(directory.glob("*.json")):
        warning = f"no corpus in fixtures/{plan.integration}/corpus: which fields change is not known"
        return plan.model_copy(update={"warnings": (*plan.warnings, warning)})
    with tempfile.TemporaryDirectory(prefix="tagline-replay-") as folder:
        old = _side(repo, Path(folder, "old"), *_decided(repo, plan.head, plan.integration))
        new = _side(repo, Path(folder, "new"), *_planned(repo, plan))
        found = compare(old, new, directory)
    warnings = plan.warnings
    if found.inconclusive:
        warnings = (
            *warnings,
            f"{found.inconclusive} recorded records could not be compared: rows they read were not recorded",
        )
    return plan.model_copy(
        update={
            "field_changes": found.field_changes,
            "records_compared": found.records_compared,
            "records_changed": found.records_changed,
            "failures_new": found.failures_new,
            "warnings": warnings,
        }
    )


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> list[tuple[str, str]]:
    """(entity, field) of every field that one side writes and the other does not, or otherwise."""
    names = [f for f in {**old, **new} if old.get(f, ...) != new.get(f, ...)]
    return sorted({(entity, field) for entity, _, field in (n.split("|", 2) for n in names)})


_Source = tuple[str, Mapping[str, str], Mapping[str, Any]]
"""Tree of the code, trees of the libraries, settings."""


def _decided(repo: Repository, commit: str, integration: str) -> _Source:
    text = (repo.read(commit, f"{integration}/config.toml") or b"").decode()
    config = environments.from_toml(text).model_dump(mode="json")
    settings = config["integrations"][integration]["settings"]
    return f"{commit}:{integration}/code", branches.libraries(repo, commit, integration), settings


def _planned(repo: Repository, plan: Plan) -> _Source:
    if plan.kind is DecisionKind.ROLLBACK:
        target = next(
            d
            for d in branches.history(repo, plan.environment)
            if (d.integration, d.closure, d.config_digest)
            == (plan.integration, plan.release.closure, plan.config_digest)
        )
        return _decided(repo, target.commit, plan.integration)
    made = closure.of(repo, plan.release.commit, plan.integration)
    rendered = environments.render(repo, plan.environment, plan.config_commit)
    config = environments.for_integration(rendered.config, plan.integration).model_dump(mode="json")
    return made.tree, made.libraries, config["integrations"][plan.integration]["settings"]


def _side(
    repo: Repository, directory: Path, code: str, libraries: Mapping[str, str], settings: Mapping[str, Any]
) -> Side:
    repo.write_out(code, directory / "code")
    for name, tree in libraries.items():
        repo.write_out(tree, directory / "libraries" / name)
    return Side(directory / "code", tuple(directory / "libraries" / name for name in libraries), settings)


def _run(side: Side, directory: Path) -> Mapping[str, Any]:
    arguments: Sequence[str] = [
        str(side.code),
        str(directory.resolve()),
        json.dumps(side.settings),
        *map(str, side.libraries),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-I", "-m", "tagline.alm.replay_child", *arguments],
            capture_output=True,
            check=False,
            cwd=side.code,
            # No secret of the caller's environment reaches the code under replay.
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise _failed(side, f"it did not end within {_TIMEOUT_S:g} seconds", "") from None
    if done.returncode:
        # The last line of a traceback may hold values of a record; its first word is the kind of error.
        last = done.stderr.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]
        raise _failed(side, f"it ended with {last.split(':', 1)[0][:80]}", "")
    result = json.loads(done.stdout)
    if "failed" in result:
        raise _failed(side, result["failed"]["message"], result["failed"]["hint"])
    records: Mapping[str, Any] = result["records"]
    return records


def _failed(side: Side, reason: str, hint: str) -> InconclusiveError:
    return InconclusiveError(
        f"the release in {side.code.parent.name} could not be replayed: {reason}",
        code="replay-failed",
        where={"side": side.code.parent.name},
        hint=hint or "run tagline check on it",
    )
