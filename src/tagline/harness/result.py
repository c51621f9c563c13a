"""The gate's result as plain values, and the ways it is shown: terminal, Markdown, JUnit, JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree import ElementTree as ET

from tagline.domain.lifecycle import Verdict

SCHEMA: Final = 1
_WORST: Final = (Verdict.FAILED, Verdict.ERRORED, Verdict.INCONCLUSIVE, Verdict.PASSED)


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be."""

    where: str
    """File with line, mapping, cassette or environment."""
    message: str


@dataclass(frozen=True)
class StepResult:
    """What one step of the gate found."""

    name: str
    verdict: Verdict
    summary: str
    """What was looked at, in a few words, with counts."""
    findings: tuple[Finding, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    reproduce: str = ""
    """One command that shows the findings again."""


@dataclass(frozen=True)
class GateResult:
    """One run of the gate on one integration."""

    integration: str
    version: str
    closure: str
    """Empty when the working copy differs from the commit: such a run is no evidence about any closure."""
    runtime: Mapping[str, str]
    steps: tuple[StepResult, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the steps; a gate without steps could not tell."""
        verdicts = {s.verdict for s in self.steps}
        return next((v for v in _WORST if v in verdicts), Verdict.INCONCLUSIVE)

    @property
    def counts(self) -> dict[str, int]:
        return {f"{s.name}.{k}": v for s in self.steps for k, v in s.counts.items()}


def to_json(result: GateResult) -> dict[str, Any]:
    """The result file; `schema` is raised when a field changes its meaning."""
    return {
        "schema": SCHEMA,
        "integration": result.integration,
        "version": result.version,
        "closure": result.closure,
        "runtime": dict(result.runtime),
        "verdict": result.verdict.value,
        "steps": [
            {
                "name": s.name,
                "verdict": s.verdict.value,
                "summary": s.summary,
                "seconds": round(s.seconds, 3),
                "counts": dict(s.counts),
                "findings": [{"where": f.where, "message": f.message} for f in s.findings],
                "reproduce": s.reproduce,
            }
            for s in result.steps
        ],
    }


def to_markdown(result: GateResult) -> str:
    """A pull-request comment: the verdict first, then a table, then what to look at."""
    lines = [
        f"### {result.integration} {result.version}: gate {result.verdict.value}",
        "",
        "| step | verdict | what was looked at |",
        "|---|---|---|",
        *(f"| {s.name} | {s.verdict.value} | {s.summary} |" for s in result.steps),
    ]
    for step in result.steps:
        if step.findings:
            lines += ["", f"**{step.name}**: `{step.reproduce}`"]
            lines += [f"- `{f.where}` {f.message}" for f in step.findings[:10]]
            if len(step.findings) > 10:
                lines.append(f"- and {len(step.findings) - 10} more")
    return "\n".join([*lines, ""])


def to_junit(result: GateResult) -> str:
    """One test case a step; a finding is a failure, what could not be told is an error."""
    suite = ET.Element("testsuite", name=f"tagline check {result.integration}", tests=str(len(result.steps)))
    failures = errors = 0
    for step in result.steps:
        case = ET.SubElement(
            suite, "testcase", classname=result.integration, name=step.name, time=f"{step.seconds:.3f}"
        )
        if step.verdict is Verdict.PASSED:
            continue
        failed = step.verdict is Verdict.FAILED
        failures, errors = failures + failed, errors + (not failed)
        tag = ET.SubElement(case, "failure" if failed else "error", message=step.summary)
        tag.text = "\n".join(f"{f.where}: {f.message}" for f in step.findings)
    suite.set("failures", str(failures))
    suite.set("errors", str(errors))
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)
