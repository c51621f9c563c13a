"""The gate: every step on one integration, cheapest refusal first; the same on a laptop and in a pull request."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from tagline.alm import closure, environments
from tagline.alm.git import Repository
from tagline.clock import SystemClock
from tagline.domain.lifecycle import Evidence, Verdict
from tagline.domain.settings import Settings
from tagline.errors import InconclusiveError, TaglineError, UsageError
from tagline.flow import schedules
from tagline.harness import cassettes, laws, rehearsal, replaying
from tagline.harness.result import Finding, GateResult, StepResult
from tagline.integration import Integration, libraries_of, load_from

RUNTIME: Final = ("tagline", "pydantic", "httpx", "dbos", "sqlalchemy", "msal")
KIND: Final = "check"
VALID: Final = timedelta(days=90)
Progress = Callable[[StepResult], None]


@dataclass
class _Subject:
    """What the steps look at; filled by the earlier ones."""

    root: Path
    name: str
    repo: Repository
    commit: str
    integration: Integration
    settings: dict[str, Settings]
    """By environment."""

    @property
    def some_settings(self) -> Settings:
        """Those of the first environment by name, dev where there is one."""
        return self.settings.get("dev") or self.settings[min(self.settings)]


def check(
    root: Path, name: str, *, only: Sequence[str] = (), progress: Progress = lambda _step: None
) -> GateResult:
    """
    Run the gate on an integration of the working copy.

    Later steps are left out when the package cannot be loaded or no environment fits it, since they would tell the same again.

    Args:
        root: Top of the repository.
        only: Names of the steps to report; those that the others stand on run in any case.
        progress: Called with each step's result as it ends.

    Raises:
        UsageError: There is no repository, no such integration (code `integration-unknown`), or no such step
            (code `step-unknown`).
    """
    unknown = [s for s in only if s not in STEPS]
    if unknown:
        raise UsageError(
            f"the gate has no step {', '.join(unknown)}",
            code="step-unknown",
            hint=f"use one of {', '.join(STEPS)}",
        )
    repo = Repository.open(root)
    known = sorted(p.parent.name for p in (root / "integrations").glob("*/pyproject.toml"))
    if name not in known:
        raise UsageError(
            f"there is no integrations/{name}",
            code="integration-unknown",
            where={"integration": name},
            hint=f"there are: {', '.join(known) or 'none'}",
        )
    commit = repo.resolve("HEAD") or repo.main()
    steps: list[StepResult] = []
    subject: _Subject | None = None
    version = ""
    for step in _steps():
        if only and _name(step) not in (*FIRST, *only):
            continue
        began = time.monotonic()
        try:
            if subject is None:
                subject = _Subject(root, name, repo, commit, load_from(root, name), {})
                version = subject.integration.version
            result = step(subject)
        except InconclusiveError as error:
            result = _told(_name(step), Verdict.INCONCLUSIVE, error)
        except TaglineError as error:
            result = _told(_name(step), Verdict.FAILED, error)
        result = replace(result, seconds=time.monotonic() - began)
        steps.append(result)
        progress(result)
        if subject is None or (
            result.verdict is not Verdict.PASSED and _name(step) in ("shape", "environments")
        ):
            break
    proved = [f"{folder}/{name}" for folder in PROVED]
    proved += [f"integrations/{library}" for library in (libraries_of(root, name) if subject else ())]
    clean = not any(repo.differs_from_head(path) for path in proved)
    return GateResult(
        integration=name,
        version=version,
        closure=closure.of(repo, commit, name).digest if clean and subject else "",
        runtime=runtime(),
        steps=tuple(steps),
    )


def to_evidence(result: GateResult, *, by: str, at: datetime) -> Evidence:
    """The result as evidence about its closure."""
    return Evidence(
        closure=result.closure,
        kind=KIND,
        verdict=result.verdict,
        at=at,
        by=by,
        valid_until=at + VALID,
        runtime=result.runtime,
        counts=result.counts,
        details={s.name: f"{s.verdict.value}: {s.summary}" for s in result.steps},
    )


def runtime() -> dict[str, str]:
    """What the evidence is earned under."""
    return {"python": sys.version.split()[0], **{name: installed_version(name) for name in RUNTIME}}


def _steps() -> tuple[Callable[[_Subject], StepResult], ...]:
    return (_shape, _environments, _cassettes, _laws, _tests, _rehearsal)


def _name(step: Callable[[_Subject], StepResult]) -> str:
    return step.__name__.strip("_")


def _told(name: str, verdict: Verdict, error: TaglineError) -> StepResult:
    where = ", ".join(f"{k} {v}" for k, v in error.where.items()) or name
    hint = f"; {error.hint}" if error.hint else ""
    return StepResult(name, verdict, error.code, (Finding(where, f"{error.message}{hint}"),))


def _shape(subject: _Subject) -> StepResult:
    """It loads: every mapping and flow is in its fixed shape, every rule names fields that exist."""
    found = subject.integration
    rules = sum(len(m.rules) for m in found.mappings.values())
    by_the_clock = schedules.told(found.flows.values(), SystemClock().now())
    return StepResult(
        "shape",
        Verdict.PASSED,
        f"{len(found.flows)} flow, {len(found.mappings)} mappings, {rules} rules"
        + (f"; {by_the_clock}" if by_the_clock else ""),
        counts={"mappings": len(found.mappings), "rules": rules},
    )


def _environments(subject: _Subject) -> StepResult:
    """Every environment's configuration compiles and fits the integration."""
    names = environments.names(subject.repo, subject.commit)
    findings = []
    for name in names:
        try:
            config = environments.render(subject.repo, name, subject.commit).config
            environments.check_settings(config, subject.integration)
            section = config.integrations.get(subject.name)
            subject.settings[name] = subject.integration.settings.model_validate(
                dict(section.settings) if section else {}
            )
        except (TaglineError, ValidationError) as error:
            findings.append(Finding(f"environments/{name}.toml", str(error).splitlines()[0]))
    if not names:
        findings.append(Finding("environments/", "the commit holds no environment"))
    return StepResult(
        "environments",
        Verdict.FAILED if findings else Verdict.PASSED,
        f"{', '.join(names)} at {subject.commit[:10]}",
        tuple(findings),
        {"environments": len(names)},
    )


def _cassettes(subject: _Subject) -> StepResult:
    """Recorded traffic replays strictly: every call as recorded, none missing, the same outcomes, and nothing secret in it."""
    folder = subject.root / "fixtures" / subject.name / "cassettes"
    paths = sorted(folder.glob("*.yaml"))
    findings: list[Finding] = []
    played = records = 0
    for path in paths:
        replay = replaying.replay(subject.integration, cassettes.load(path))
        played += replay.played
        records += len(replay.outcomes)
        place = str(path.relative_to(subject.root))
        findings += [Finding(place, problem) for problem in replay.problems]
        findings += [
            Finding(place, f"holds what must not be kept: {leak}") for leak in replaying.leaks_in(path)
        ]
    if not paths:
        raise InconclusiveError(
            f"no cassette was ever recorded for {subject.name}",
            code="cassettes-missing",
            where={"folder": str(folder.relative_to(subject.root))},
            hint=f"tagline record {subject.name} --env dev",
        )
    return StepResult(
        "cassettes",
        Verdict.FAILED if findings else Verdict.PASSED,
        f"{len(paths)} cassette{'s' * (len(paths) > 1)}, {records} record{'s' * (records != 1)}, {played} call{'s' * (played != 1)} replayed",
        tuple(findings),
        {"cassettes": len(paths), "records": records, "calls": played},
        reproduce=f"tagline check {subject.name} --only cassettes",
    )


def _laws(subject: _Subject) -> StepResult:
    """Derived laws hold on generated records."""
    results = laws.prove_all(subject.integration, subject.some_settings)
    findings = tuple(
        Finding(_place(subject.root, r.where), f"{r.mapping} breaks the law {r.law}: {r.reason}")
        for r in results
        if not r.passed
    )
    examples = sum(r.examples for r in results)
    return StepResult(
        "laws",
        Verdict.FAILED if findings else Verdict.PASSED,
        f"{len({r.law for r in results})} laws on {len({r.mapping for r in results})} mappings, {examples} examples",
        findings,
        {"laws": len(results), "examples": examples},
        reproduce=f"tagline check {subject.name} --only laws",
    )


def _place(root: Path, where: str) -> str:
    return where.removeprefix(f"{root}{os.sep}")


def _tests(subject: _Subject) -> StepResult:
    """The author's own tests and properties pass."""
    folder = Path("tests") / "integrations" / subject.name
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", str(folder)]
    if not (subject.root / folder).is_dir():
        return StepResult("tests", Verdict.PASSED, f"none in {folder}", counts={"passed": 0})
    done = subprocess.run(  # noqa: S603 our own interpreter
        command,
        cwd=subject.root,
        env={**os.environ, "COLUMNS": "400"},  # else pytest cuts the reasons off
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    last = lines[-1].strip("= ") if lines else "pytest printed nothing"
    failed = tuple(
        Finding(
            line.removeprefix("FAILED ").removeprefix("ERROR ").partition(" - ")[0], line.partition(" - ")[2]
        )
        for line in lines
        if line.startswith(("FAILED ", "ERROR "))
    )
    verdict = {0: Verdict.PASSED, 1: Verdict.FAILED}.get(done.returncode, Verdict.ERRORED)
    if verdict is not Verdict.PASSED and not failed:
        failed = (Finding(str(folder), (done.stderr or done.stdout).strip()[-400:]),)
    return StepResult("tests", verdict, last, failed, reproduce=f"python -m pytest {folder}")


def _rehearsal(subject: _Subject) -> StepResult:
    """Orders run twice against the sandbox: all ends well or is set aside by name, totals agree, the second run writes nothing."""
    rehearsed = rehearsal.rehearse(subject.integration, subject.some_settings)
    problems = tuple(Finding("sandbox", p) for p in rehearsal.problems(rehearsed))
    return StepResult(
        "rehearsal",
        Verdict.FAILED if problems else Verdict.PASSED,
        f"{len(rehearsed.outcomes)} orders twice on the sandbox, {len(rehearsed.first_writes)} writes, "
        f"then {len(rehearsed.second_writes)}",
        problems,
        {"orders": len(rehearsed.outcomes), "writes": len(rehearsed.first_writes)},
        reproduce=f"tagline check {subject.name} --only rehearsal",
    )


FIRST: Final = ("shape", "environments")
"""Steps that the others stand on."""
STEPS: Final = tuple(_name(step) for step in _steps())
PROVED: Final = ("integrations", "fixtures", "tests/integrations")
"""Folders that must be as committed for a run to say something about the commit's closure."""
