"""Commands that verify: check and record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tagline.alm import environments, evidence
from tagline.alm.git import Repository
from tagline.cli.lifecycle import env_option, json_option
from tagline.cli.output import counted, out, out_json, say
from tagline.cli.top import at_top
from tagline.clock import SystemClock
from tagline.domain.lifecycle import Verdict

if TYPE_CHECKING:
    from tagline.harness.result import GateResult

CLOCK = SystemClock()


@click.command()
@click.argument("integration")
@click.option(
    "--only",
    multiple=True,
    metavar="STEP",
    help="Only this step; may be repeated. Such a run is no evidence.",
)
@click.option(
    "--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write the result as JUnit XML."
)
@click.option(
    "--markdown", type=click.Path(path_type=Path), metavar="FILE", help="Write the result as Markdown."
)
@json_option
def check(
    integration: str, only: tuple[str, ...], junit: Path | None, markdown: Path | None, as_json: bool
) -> int:
    """
    Run the gate on INTEGRATION and record the evidence about its closure.

    Steps: shape, environments, cassettes, laws, tests, rehearsal. Exit 0 passed, 1 failed, 8 could not tell.
    """
    from tagline.harness import gate, result

    repo = Repository.open(Path.cwd())

    def progress(step: result.StepResult) -> None:
        if not as_json:
            out(f"  {step.name:<12} {step.verdict.value:<12} {step.seconds:6.1f} s  {step.summary}")

    if not as_json:
        out(f"check {integration}")
    found = gate.check(repo.root, integration, only=only, progress=progress)
    for path, text in ((junit, result.to_junit), (markdown, result.to_markdown)):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text(found), encoding="utf-8")
    if as_json:
        out_json(result.to_json(found))
    else:
        _show(found)
    if only:
        say("no evidence: only some steps ran")
    elif not found.version:
        say(f"no evidence: integrations/{integration} cannot be loaded")
    elif not found.closure:
        say(f"no evidence: integrations/{integration} or its fixtures differ from the commit; commit first")
    else:
        evidence.append(repo, gate.to_evidence(found, by=repo.identity(), at=CLOCK.now()))
        say(f"evidence recorded on branch evidence: {found.verdict.value}")
    return {Verdict.PASSED: 0, Verdict.FAILED: 1}.get(found.verdict, 8)


def _show(found: GateResult) -> None:
    for step in found.steps:
        for finding in step.findings:
            out(f"    {step.name}: {finding.where}: {finding.message}")
        if step.findings and step.reproduce:
            out(f"    again: {step.reproduce}")
    out(f"{found.integration} {found.version}: {found.verdict.value}")


@click.command()
@click.argument("integration")
@env_option
@click.option(
    "--sandbox",
    "in_sandbox",
    is_flag=True,
    help="Against a fresh sandbox instead of the environment's systems.",
)
@click.option("--last", default=28, show_default=True, metavar="N", help="How many of the newest records.")
@click.option("--key", "keys", multiple=True, metavar="KEY", help="This record instead; may be repeated.")
@click.option(
    "--scenario",
    default="orders",
    show_default=True,
    metavar="NAME",
    help="Name of the files under fixtures/.",
)
def record(
    integration: str, environment: str, in_sandbox: bool, last: int, keys: tuple[str, ...], scenario: str
) -> None:
    """
    Record a cassette and a corpus of INTEGRATION from an environment that allows it (policy.recording).

    The flow runs live with pseudonymised records; nothing is kept unless it is proved that no secret, card or person is in it.
    """
    from tagline.harness import places, recording
    from tagline.integration import load_from

    repo = at_top()
    root, config = repo.root, environments.render(repo, environment).config
    place = places.sandboxed(config) if in_sandbox else places.real(config, CLOCK)
    if not in_sandbox:
        urls = ", ".join(sorted(c.url for c in config.connections.values()))
        say(f"running live with pseudonymised records: this writes to {urls}")
    made = recording.record(
        root,
        load_from(root, integration),
        place,
        scenario=scenario,
        keys=keys,
        last=last,
    )
    for key, outcome in made.outcomes.items():
        out(f"  {key}: {outcome}")
    out(f"{made.interactions} interactions -> {made.cassette.relative_to(root)}")
    out(f"{counted(len(made.outcomes), 'record')} -> {made.corpus.relative_to(root)}")
    say("scrub proved: no secret, card number, token, e-mail address or replaced name in either file")
