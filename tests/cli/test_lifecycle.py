"""From the gate to rollback as an operator types it: what is printed where, and how each command ends."""

import re
from datetime import datetime
from xml.etree import ElementTree as ET

from tests.cli.telling import NAME, Story, call

from tagline.alm import closure, evidence
from tagline.alm.git import Repository
from tagline.domain.lifecycle import Verdict

# -- check -----------------------------------------------------------------------------------------


def test_a_check_of_a_clean_copy_passes_step_by_step_and_says_so(story: Story) -> None:
    done = story["check"]
    assert done.code == 0
    steps = re.findall(r"^  (\w+) +passed +\d+\.\d s  (.+)$", done.out, re.MULTILINE)
    assert [name for name, _ in steps] == [
        "shape",
        "environments",
        "cassettes",
        "laws",
        "tests",
        "rehearsal",
    ]
    assert done.out.endswith(f"{NAME} 1.0.0: passed\n")
    assert done.err == "evidence recorded on branch evidence: passed\n"


def test_its_evidence_is_found_by_the_closure_on_the_remote(story: Story) -> None:
    repo = Repository.open(story.made.work)
    repo.refresh()
    commit = repo.resolve(f"{NAME}/v1.0.0")
    assert commit is not None
    found = evidence.latest(repo, closure.of(repo, commit, NAME).digest, "check")
    assert found is not None
    assert (found.verdict, found.by) == (Verdict.PASSED, "Demo Engineer <demo@example.com>")
    assert set(found.details) == {"shape", "environments", "cassettes", "laws", "tests", "rehearsal"}


def test_it_leaves_junit_and_markdown_where_it_was_told(story: Story) -> None:
    suite = ET.parse(story.made.work / "out" / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("6", "0", "0")
    assert "gate passed" in (story.made.work / "out" / "gate.md").read_text()


def test_some_steps_alone_are_no_evidence(story: Story) -> None:
    done = story.tagline("check", NAME, "--only", "shape", "--json")
    assert done.code == 0
    assert done.json["verdict"] == "passed"
    assert [s["name"] for s in done.json["steps"]] == ["shape", "environments"]
    assert done.err == "no evidence: only some steps ran\n"


def test_a_check_that_fails_ends_with_1_and_tells_how_to_see_it_again(story: Story) -> None:
    """1.0.1 stands in the working copy, and nobody recorded it."""
    done = story.tagline("check", NAME, "--only", "cassettes")
    assert done.code == 1
    assert "body field name: another value" in done.out
    assert f"again: tagline check {NAME} --only cassettes" in done.out
    assert done.out.endswith(f"{NAME} 1.0.1: failed\n")


def test_a_check_without_cassettes_ends_with_8(story: Story) -> None:
    folder = story.made.work / "fixtures" / NAME / "cassettes"
    aside = folder.rename(folder.with_name("aside"))
    try:
        done = story.tagline("check", NAME, "--only", "cassettes")
    finally:
        aside.rename(folder)
    assert done.code == 8
    assert done.out.endswith(f"{NAME} 1.0.1: inconclusive\n")


def test_what_cannot_be_loaded_is_no_evidence_and_the_talk_says_why(story: Story) -> None:
    settings = story.made.work / "integrations" / NAME / NAME / "settings.py"
    text = settings.read_text()
    settings.write_text(f"{text}\nbroken(\n")
    try:
        done = story.tagline("check", NAME)
    finally:
        settings.write_text(text)
    assert done.code == 1
    assert done.err == f"no evidence: integrations/{NAME} cannot be loaded\n"


def test_a_check_below_the_top_of_the_repository_is_the_same(story: Story) -> None:
    folder = story.made.work / "integrations" / NAME
    done = call(folder, "check", NAME, "--only", "shape", environ=story.made.environ)
    assert (done.code, done.out.splitlines()[-1]) == (0, f"{NAME} 1.0.1: passed")


# -- release ---------------------------------------------------------------------------------------


def test_a_release_is_told_as_one_document(story: Story) -> None:
    made = story["release"]
    assert (made.code, made.err) == (0, "")
    assert (made.json["integration"], made.json["version"]) == (NAME, "1.0.0")
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", made.json["closure"])
    assert re.fullmatch(r"[0-9a-f]{40}", made.json["commit"])


def test_releasing_the_same_again_is_the_same_release(story: Story) -> None:
    again = story["release again"]
    assert again.code == 0
    assert again.out.startswith(f"released {NAME}/v1.0.0: closure ")
    assert again.err.splitlines()[-1] == f"next: tagline deploy {NAME}/v1.0.0 --env dev"


def test_an_unknown_integration_is_wrong_use(story: Story) -> None:
    done = story.tagline("release", "orders")
    assert (done.code, done.out) == (2, "")
    assert "(integration-unknown)" in done.err
    assert f"there are: {NAME}" in done.err.splitlines()[-1]


# -- plan ------------------------------------------------------------------------------------------


def test_a_plan_explains_its_stages_and_changes_nothing(story: Story) -> None:
    done = story["plan"]
    assert (done.code, done.err) == (0, "")
    first, *stages = done.out.splitlines()
    assert first.startswith(f"deploy {NAME}/v1.0.0 (")
    assert [s.strip().partition(":")[0] for s in stages[:4]] == [
        "1. prepare",
        "2. activate",
        "3. verify",
        "4. settle",
    ]
    assert story["history before"].out == "nothing was ever decided about dev\n"


def test_a_plan_as_json_is_one_document_with_the_same_stages(story: Story) -> None:
    plan = story["plan json"].json
    assert (plan["environment"], plan["kind"], plan["release"]["version"]) == ("dev", "deploy", "1.0.0")
    assert [s["kind"] for s in plan["stages"]] == ["prepare", "activate", "verify", "settle"]


def test_a_plan_that_would_change_something_ends_with_4_where_that_is_asked(story: Story) -> None:
    assert story["plan exit code"].code == 4


# -- deploy ----------------------------------------------------------------------------------------


def test_a_deployment_that_no_agent_answers_stands_and_ends_with_6(story: Story) -> None:
    done = story["deploy"]
    assert done.code == 6
    assert "waiting for the agent of dev" in done.err
    assert "(agent-pending)" in done.err
    assert done.err.splitlines()[-1].startswith("hint: start it with tagline run --env dev")
    assert re.search(
        rf"^dev +{NAME} +1\.0\.0 +\w+ +pending agent$", story["status pending"].out, re.MULTILINE
    )


def test_deciding_the_same_again_changes_nothing_and_names_the_deployment(story: Story) -> None:
    done = story["deploy again"]
    assert (done.code, done.json) == (0, {"deployment": f"{NAME}-000001", "state": "unchanged"})
    assert "nothing to do" in done.err


def test_a_deployment_as_json_is_one_document(story: Story) -> None:
    done = story["deploy json"]
    assert (done.code, done.json) == (0, {"deployment": f"{NAME}-000002", "state": "decided"})


def test_what_is_not_proved_is_refused_with_3(story: Story) -> None:
    done = story["deploy unproved"]
    assert (done.code, done.out) == (3, "")
    assert "(evidence-missing)" in done.err
    assert done.err.splitlines()[-1].startswith("hint: ")


def test_what_is_not_verified_in_the_environment_before_is_refused_with_3(story: Story) -> None:
    done = story["deploy to qa"]
    assert done.code == 3
    assert "(not-verified)" in done.err


def test_an_unknown_release_is_wrong_use_and_the_nearest_is_named(story: Story) -> None:
    done = story.tagline("deploy", f"{NAME}/v9.9.9", "--env", "dev")
    assert done.code == 2
    assert "(release-unknown)" in done.err
    assert done.err.splitlines()[-1] == f"hint: did you mean {NAME}/v1.0.1?"


def test_an_unknown_environment_is_wrong_use_and_the_nearest_is_named(story: Story) -> None:
    done = story.tagline("deploy", f"{NAME}/v1.0.0", "--env", "prd")
    assert done.code == 2
    assert "hint: did you mean prod?" in done.err


def test_promoting_to_itself_is_wrong_use(story: Story) -> None:
    done = story.tagline("promote", NAME, "--from", "dev", "--to", "dev")
    assert done.code == 2
    assert "(promote-to-itself)" in done.err


def test_promoting_what_no_agent_verified_is_refused_with_3(story: Story) -> None:
    done = story.tagline("promote", NAME, "--from", "dev", "--to", "qa", "--timeout", "0")
    assert done.code == 3
    assert "(not-verified)" in done.err


# -- rollback --------------------------------------------------------------------------------------


def test_there_is_nothing_to_roll_back_to_after_the_first(story: Story) -> None:
    done = story["rollback too early"]
    assert done.code == 3
    assert "(nothing-earlier)" in done.err


def test_the_plan_of_a_rollback_tells_what_returns_and_what_will_be_held(story: Story) -> None:
    plan = story["plan back"].json
    assert (plan["kind"], plan["release"]["version"], plan["hold"]["version"]) == (
        "rollback",
        "1.0.0",
        "1.0.1",
    )


def test_a_rollback_returns_to_the_prior_release_and_holds_the_one_that_is_left(story: Story) -> None:
    done = story["rollback"]
    assert done.code == 0
    assert done.out.startswith(f"rollback {NAME}/v1.0.0 (")
    assert f"decided: {NAME}-000003" in done.out
    held = story["deploy held"]
    assert held.code == 3
    assert "(held)" in held.err
    assert "sales asked" in held.err


# -- status and history ----------------------------------------------------------------------------


def test_status_before_anything_was_decided_names_the_next_command(story: Story) -> None:
    done = story["status before"]
    assert (done.code, done.out) == (0, "nothing is deployed anywhere yet\n")
    assert done.err == "next: tagline deploy <integration>/v<version> --env dev\n"


def test_status_of_an_environment_without_a_deployment_speaks_of_that_one(story: Story) -> None:
    done = story.tagline("status", "--env", "prod")
    assert (done.code, done.out) == (0, "nothing is deployed in prod yet\n")


def test_status_as_json_tells_what_should_run_and_what_is_held(story: Story) -> None:
    (entry,) = story.tagline("status", "--json").json
    assert (entry["environment"], entry["decided"]["version"], entry["report"]) == ("dev", "1.0.0", None)
    assert [h["version"] for h in entry["holds"]] == ["1.0.1"]


def test_history_is_newest_first_and_the_same_as_json(story: Story) -> None:
    told = story.tagline("history", "--env", "dev", "--json").json
    assert [(d["kind"], d["version"]) for d in told] == [
        ("rollback", "1.0.0"),
        ("deploy", "1.0.1"),
        ("deploy", "1.0.0"),
    ]
    assert all(datetime.fromisoformat(d["at"]).tzinfo for d in told)
    lines = story.tagline("history", "--env", "dev").out.splitlines()
    assert [re.split(r"  +", line)[1] for line in lines[2:]] == ["rollback", "deploy", "deploy"]
