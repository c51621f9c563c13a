"""The gate passes what is sound, and says of everything else at which step, where, and what to do."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tagline.alm import closure, git
from tagline.alm.git import Repository
from tagline.domain.lifecycle import Verdict
from tagline.errors import UsageError
from tagline.harness.gate import STEPS, check, runtime, to_evidence
from tagline.harness.result import GateResult, StepResult

ROOT = Path(__file__).parents[2]
NAME = "order_to_cash"
PACKAGE = f"integrations/{NAME}/{NAME}"
QUICK = ("cassettes", "rehearsal")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the shipped integration committed, and no tests of its author."""
    root = tmp_path_factory.mktemp("gate") / "work"
    for name in ("integrations", "environments", "fixtures"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / ".gitignore").write_text("__pycache__/\n")
    git.run(root, "init", "--quiet", "--initial-branch", "main")
    git.run(root, "config", "user.name", "Ann")
    git.run(root, "config", "user.email", "ann@example.com")
    commit(root)
    return root


@pytest.fixture
def work(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return Path(shutil.copytree(template, tmp_path / "work", symlinks=True))


def commit(root: Path) -> None:
    git.run(root, "add", "--all")
    git.run(root, "commit", "--quiet", "--message", "change")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def step(result: GateResult, name: str) -> StepResult:
    return next(s for s in result.steps if s.name == name)


def told(result: StepResult) -> str:
    return "\n".join(f"{f.where}: {f.message}" for f in result.findings)


# -- what passes -----------------------------------------------------------------------------------


def test_the_shipped_integration_passes_and_the_result_is_about_its_closure(work: Path) -> None:
    seen: list[StepResult] = []
    result = check(work, NAME, only=QUICK, progress=seen.append)
    assert result.verdict is Verdict.PASSED
    assert [s.name for s in result.steps] == ["shape", "environments", *QUICK]
    assert tuple(seen) == result.steps
    repo = Repository.open(work)
    assert result.closure == closure.of(repo, repo.main(), NAME).digest
    assert result.version == "1.0.0"
    assert result.counts["cassettes.records"] == 28
    assert result.counts["rehearsal.writes"] > 100


def test_the_evidence_of_a_result_tells_every_step_and_what_it_was_earned_under(work: Path) -> None:
    result = check(work, NAME, only=("shape",))
    at = datetime(2026, 11, 25, tzinfo=UTC)
    proof = to_evidence(result, by="Ann <ann@example.com>", at=at)
    assert (proof.closure, proof.kind, proof.verdict) == (result.closure, "check", Verdict.PASSED)
    assert proof.details["shape"] == "passed: 1 flow, 6 mappings, 72 rules"
    assert set(proof.details) == {"shape", "environments"}
    assert proof.runtime == runtime()
    assert proof.valid_until is not None
    assert proof.valid_until > at


@pytest.mark.parametrize(
    "path", [f"{PACKAGE}/flows.py", f"fixtures/{NAME}/note.txt", f"tests/integrations/{NAME}/test_new.py"]
)
def test_a_working_copy_that_differs_says_nothing_about_a_closure(work: Path, path: str) -> None:
    file = work / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text((file.read_text() if file.exists() else "") + "\n# changed\n")
    assert check(work, NAME, only=("shape",)).closure == ""
    commit(work)
    assert check(work, NAME, only=("shape",)).closure.startswith("sha256:")


# -- what does not ---------------------------------------------------------------------------------

LINE, HEADER = f"{PACKAGE}/mappings/sales_order_line.py", f"{PACKAGE}/mappings/sales_order.py"


@pytest.mark.parametrize(
    ("file", "old", "new", "tells"),
    [
        (
            HEADER,
            "name=order_title(order),",
            'name=f"{order_title(order)}!",',
            "body field name: another value",
        ),
        (
            HEADER,
            "billto_telephone=blank_to_none(order.BillingPhoneNumber),",
            "",
            "GET part without billto_telephone",
        ),
        (LINE, "tax=row_tax(item, order),", "", "body field tax: no longer sent"),
        (
            HEADER,
            "freightamount=freight(order),",
            "freightamount=freight(order) * 0,",
            "body field freightamount",
        ),
    ],
    ids=["name", "phone left out", "tax not allocated", "freight lost"],
)
def test_a_changed_rule_fails_at_the_cassettes_with_its_field_named(
    work: Path, file: str, old: str, new: str, tells: str
) -> None:
    edit(work / file, old, new)
    failed = step(check(work, NAME, only=("cassettes",)), "cassettes")
    assert failed.verdict is Verdict.FAILED
    assert tells in told(failed)
    assert failed.findings[0].where == f"fixtures/{NAME}/cassettes/orders.yaml"
    assert failed.reproduce == f"tagline check {NAME} --only cassettes"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (LINE, "tax=row_tax(item, order),", ""),
        (HEADER, "discountamount=discount(order),", ""),
    ],
    ids=["tax not allocated", "discount lost"],
)
def test_lost_money_fails_at_the_rehearsal_though_someone_recorded_it_anew(
    work: Path, file: str, old: str, new: str
) -> None:
    """A new recording makes the cassettes agree with a mistake; the totals still do not."""
    edit(work / file, old, new)
    failed = step(check(work, NAME, only=("rehearsal",)), "rehearsal")
    assert failed.verdict is Verdict.FAILED
    assert "total-differs" in told(failed)


@pytest.mark.parametrize(
    ("old", "new", "place", "tells"),
    [
        ("    ship = first_shipment(order)", "    ship = first_shipment(order", "sales_order.py", ""),
        (
            "    ship = first_shipment(order)",
            "    for ship in order.ShipmentList:\n        pass",
            "sales_order.py:26",
            "comprehension",
        ),
        ("name=order_title(order),", "nmae=order_title(order),", "sales_order.py", "name"),
        ("first_shipment,\n", "first_shipmnt,\n", "sales_order.py", "first_shipmnt"),
    ],
    ids=["syntax", "a loop", "unknown field", "unknown import"],
)
def test_what_cannot_be_loaded_fails_at_the_shape_with_its_place_and_ends_the_gate(
    work: Path, old: str, new: str, place: str, tells: str
) -> None:
    edit(work / HEADER, old, new)
    result = check(work, NAME)
    assert [(s.name, s.verdict) for s in result.steps] == [("shape", Verdict.FAILED)]
    assert place in told(result.steps[0])
    assert tells in told(result.steps[0])
    assert result.closure == ""


@pytest.mark.parametrize(
    ("file", "old", "new", "tells"),
    [
        ("qa.toml", "[agent]", "[agent]\nlisten_on = 1", "agent.listen_on: unknown key"),
        ("base.toml", 'price_level = "Web"', "", "price_level"),
        ("prod.toml", "[connections.crm]", "[connections.crm", "prod.toml is no TOML"),
        ("base.toml", 'person_as = "contact"', 'person_as = "friend"', "person_as"),
    ],
    ids=["unknown key", "missing setting", "no TOML", "wrong setting"],
)
def test_configuration_that_does_not_fit_fails_at_the_environments_and_ends_the_gate(
    work: Path, file: str, old: str, new: str, tells: str
) -> None:
    edit(work / "environments" / file, old, new)
    commit(work)
    result = check(work, NAME)
    assert [(s.name, s.verdict) for s in result.steps] == [
        ("shape", Verdict.PASSED),
        ("environments", Verdict.FAILED),
    ]
    assert tells in told(result.steps[1])
    wrong = {f.where for f in result.steps[1].findings}
    everyones = {f"environments/{name}.toml" for name in ("dev", "qa", "prod")}
    assert wrong >= (everyones if file == "base.toml" else {f"environments/{file}"})


def test_without_a_cassette_the_gate_cannot_tell(work: Path) -> None:
    shutil.rmtree(work / "fixtures")
    result = check(work, NAME, only=("cassettes",))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert step(result, "cassettes").summary == "cassettes-missing"
    assert f"tagline record {NAME} --env dev" in told(step(result, "cassettes"))


@pytest.mark.parametrize(
    ("planted", "tells"),
    [
        ("# jane.roe@private-mail.test\n", "holds what must not be kept: e-mail address"),
        ("# 4111 1111 1111 1111\n", "holds what must not be kept: card number"),
        ("]\n", "cassette-unreadable"),
    ],
    ids=["e-mail", "card", "broken"],
)
def test_a_cassette_that_was_tampered_with_fails(work: Path, planted: str, tells: str) -> None:
    path = work / "fixtures" / NAME / "cassettes" / "orders.yaml"
    path.write_text(path.read_text() + planted)
    failed = step(check(work, NAME, only=("cassettes",)), "cassettes")
    assert failed.verdict is Verdict.FAILED
    assert tells in f"{failed.summary} {told(failed)}"


# -- the author's own tests ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "verdict", "tells"),
    [
        ("def test_sound():\n    assert True\n", Verdict.PASSED, ""),
        ("def test_wrong():\n    assert 1 == 2\n", Verdict.FAILED, "test_own.py::test_wrong: assert 1 == 2"),
        ("import nothing_of_that_name\n", Verdict.ERRORED, "test_own.py"),
    ],
    ids=["pass", "fail", "cannot be collected"],
)
def test_the_authors_tests_decide_and_a_broken_run_is_no_failure(
    work: Path, text: str, verdict: Verdict, tells: str
) -> None:
    folder = work / "tests" / "integrations" / NAME
    folder.mkdir(parents=True)
    (folder / "test_own.py").write_text(text)
    result = check(work, NAME, only=("tests",))
    assert (result.verdict, step(result, "tests").verdict) == (verdict, verdict)
    assert tells in told(step(result, "tests"))


# -- wrong use -------------------------------------------------------------------------------------


def test_an_unknown_step_is_refused_with_the_names_of_all(work: Path) -> None:
    with pytest.raises(UsageError) as caught:
        check(work, NAME, only=("laws", "proofs"))
    assert caught.value.code == "step-unknown"
    assert caught.value.message == "the gate has no step proofs"
    assert caught.value.hint == f"use one of {', '.join(STEPS)}"


def test_an_unknown_integration_is_refused_with_the_names_there_are(work: Path) -> None:
    with pytest.raises(UsageError) as caught:
        check(work, "order_to_cahs")
    assert caught.value.code == "integration-unknown"
    assert caught.value.hint == f"there are: {NAME}"


def test_outside_a_repository_there_is_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        check(tmp_path, NAME)
    assert caught.value.code == "repository-missing"
