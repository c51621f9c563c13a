"""One result, shown in several ways that agree."""

from xml.etree import ElementTree as ET

import pytest

from tagline.domain.lifecycle import Verdict
from tagline.harness.result import Finding, GateResult, StepResult, to_json, to_junit, to_markdown


def make_result(*verdicts: Verdict) -> GateResult:
    steps = tuple(
        StepResult(
            f"step-{n}",
            v,
            f"{n} things",
            (Finding("m.py:3", "tax <dropped>"),) if v != Verdict.PASSED else (),
        )
        for n, v in enumerate(verdicts)
    )
    return GateResult("order_to_cash", "1.0.0", "sha256:1", {"tagline": "0.1.0"}, steps)


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ((Verdict.PASSED, Verdict.PASSED), Verdict.PASSED),
        ((Verdict.PASSED, Verdict.INCONCLUSIVE), Verdict.INCONCLUSIVE),
        ((Verdict.ERRORED, Verdict.INCONCLUSIVE), Verdict.ERRORED),
        ((Verdict.ERRORED, Verdict.FAILED), Verdict.FAILED),
        ((), Verdict.INCONCLUSIVE),
    ],
)
def test_the_verdict_is_the_worst_of_the_steps(verdicts: tuple[Verdict, ...], whole: Verdict) -> None:
    assert whole == make_result(*verdicts).verdict


def test_every_view_shows_the_same_findings() -> None:
    result = make_result(Verdict.PASSED, Verdict.FAILED, Verdict.ERRORED)
    suite = ET.fromstring(to_junit(result))
    assert {"tests": "3", "failures": "1", "errors": "1"}.items() <= suite.attrib.items()
    assert [c.get("name") for c in suite] == ["step-0", "step-1", "step-2"]
    assert "tax <dropped>" in (suite[1][0].text or "")
    assert to_markdown(result).count("tax <dropped>") == 2
    assert [s["verdict"] for s in to_json(result)["steps"]] == ["passed", "failed", "errored"]
