"""Looking in shadow and tending to dead letters from the command line."""

import json
import shutil
from collections.abc import Iterator

import pytest
from tests.cli.telling import NAME, Story, call

from tagline.clock import SystemClock
from tagline.errors import RecordError
from tagline.runtime.key_ring import KeyRing
from tagline.runtime.store import Store

# -- shadow ----------------------------------------------------------------------------------------


def test_shadow_tells_what_would_be_written_and_ends_with_0(story: Story) -> None:
    done = story.tagline("shadow", NAME, "--env", "dev", "--last", "30")
    assert (done.code, done.err) == (0, "")
    assert "the source says 111.53, the target will compute 111.53" in done.out
    assert "dead letter: unknown-sku" in done.out
    assert done.out.splitlines()[-1] == "nothing was written"
    assert all(not o["ExternalComments"] for o in story.made.sandbox.shops["dev"].orders.values())


def test_shadow_as_json_is_one_document_and_ends_with_4_where_that_is_asked(story: Story) -> None:
    done = story.tagline("shadow", NAME, "--env", "dev", "--last", "30", "--json", "--exit-code")
    assert done.code == 4
    refused = {r["dead_letter"]["code"] for r in done.json if r["dead_letter"]}
    assert refused == {"unknown-sku", "order-total-differs", "status-unmapped", "record-malformed"}
    assert all(r["source_total"] == r["target_total"] for r in done.json)


def test_shadow_of_named_records_looks_at_those_alone(story: Story) -> None:
    keys = [str(k) for k in list(story.made.sandbox.shops["dev"].orders)[:2]]
    done = story.tagline("shadow", NAME, "--env", "dev", "--key", keys[1], "--key", keys[0], "--json")
    assert [r["key"] for r in done.json] == [keys[1], keys[0]]


def test_shadow_of_a_record_that_is_not_there_fails_by_its_name(story: Story) -> None:
    done = story.tagline("shadow", NAME, "--env", "dev", "--key", "999999", "--exit-code")
    assert done.code == 1
    assert "record-gone" in done.out
    assert "not there: 999999 (record-gone)" in done.err


def test_shadow_of_no_record_is_wrong_use(story: Story) -> None:
    done = story.tagline("shadow", NAME, "--env", "dev", "--last", "0")
    assert (done.code, done.out) == (2, "")


# -- dead letters ----------------------------------------------------------------------------------


@pytest.fixture
def letters(story: Story) -> Iterator[Story]:
    """A state database with two open letters, where the environment has it."""
    folder = story.made.state("dev")
    folder.mkdir(parents=True)
    key = story.made.environ["TAGLINE_DEV_STATE_KEY"]
    store = Store.open(folder / "state.sqlite", ring=KeyRing.of(key), clock=SystemClock())
    details = ({"field": "OrderItemList[].ItemID", "reason": "no such product"},)
    for record, cause in (("1011", "unknown-sku"), ("1013", "status-unmapped")):
        error = RecordError(f"order {record}", code=cause, hint="correct it, then redrive", details=details)
        store.reject(NAME, NAME, record, error)
    store.close()
    yield story
    shutil.rmtree(folder)


def test_letters_are_listed_with_record_and_cause(letters: Story) -> None:
    done = letters.tagline("dead-letters", "list", "--env", "dev")
    assert (done.code, done.err) == (0, "")
    head, _, *rows = done.out.splitlines()
    assert head.split() == ["no", "state", "record", "cause", "tries", "last", "message"]
    assert [row.split()[:5] for row in rows] == [
        ["1", "open", NAME, "1011", "unknown-sku"],
        ["2", "open", NAME, "1013", "status-unmapped"],
    ]


def test_letters_as_json_are_one_document(letters: Story) -> None:
    done = letters.tagline("dead-letters", "list", "--env", "dev", "--json", "--cause", "unknown-sku")
    (letter,) = done.json
    assert (letter["key"], letter["cause"], letter["state"]) == ("1011", "unknown-sku", "open")
    assert letter["details"][0]["reason"] == "no such product"


def test_the_state_is_the_repositorys_wherever_in_it_a_command_is_typed(letters: Story) -> None:
    """An agent started in a subfolder would otherwise work beside the one that runs already."""
    below = letters.made.work / "integrations" / NAME
    done = call(below, "dead-letters", "list", "--env", "dev", "--json", environ=letters.made.environ)
    assert [letter["key"] for letter in done.json] == ["1011", "1013"]
    assert not (below / ".tagline").exists()


def test_a_letter_is_shown_with_its_fields_and_the_next_action(letters: Story) -> None:
    done = letters.tagline("dead-letters", "show", "1", "--env", "dev")
    assert done.code == 0
    assert "cause: unknown-sku: order 1011" in done.out
    assert "field: OrderItemList[].ItemID" in done.out
    assert done.out.splitlines()[-1] == "next: correct it, then redrive"


def test_redriving_a_cause_sends_its_letters_and_no_other(letters: Story) -> None:
    done = letters.tagline("dead-letters", "redrive", "--cause", "unknown-sku", "--env", "dev", "--json")
    assert (done.code, done.json) == (0, {"redriven": 1})
    left = letters.tagline("dead-letters", "list", "--env", "dev", "--json").json
    assert [x["cause"] for x in left] == ["status-unmapped"]


def test_redriving_all_leaves_none_open(letters: Story) -> None:
    assert (
        letters.tagline("dead-letters", "redrive", "--all", "--env", "dev").out
        == "2 dead letters sent again\n"
    )
    assert letters.tagline("dead-letters", "list", "--env", "dev").out == "no dead letters\n"
    every = letters.tagline("dead-letters", "list", "--env", "dev", "--all", "--json").json
    assert [x["state"] for x in every] == ["redriven", "redriven"]


@pytest.mark.parametrize("what", [("--cause", "nope"), ("1",)], ids=["cause", "number"])
def test_redriving_what_is_not_open_fails_and_names_what_is(letters: Story, what: tuple[str, ...]) -> None:
    letters.tagline("dead-letters", "redrive", "1", "--env", "dev")
    done = letters.tagline("dead-letters", "redrive", *what, "--env", "dev")
    assert (done.code, done.out) == (1, "")
    assert "(dead-letter-not-open)" in done.err
    assert "hint: open ones have the causes: status-unmapped" in done.err


def test_a_number_that_is_none_is_wrong_use_and_nothing_is_redriven(letters: Story) -> None:
    done = letters.tagline("dead-letters", "redrive", "1", "77", "--env", "dev")
    assert done.code == 2
    assert "(dead-letter-unknown)" in done.err
    assert len(letters.tagline("dead-letters", "list", "--env", "dev", "--json").json) == 2


def test_where_no_agent_ever_ran_there_are_no_letters_to_tend(story: Story) -> None:
    done = story.tagline("dead-letters", "list", "--env", "qa")
    assert (done.code, done.out) == (2, "")
    assert "(state-missing)" in done.err


# -- record ----------------------------------------------------------------------------------------


def test_recording_where_policy_forbids_it_is_refused_with_3(story: Story) -> None:
    done = story.tagline("record", NAME, "--env", "prod")
    assert (done.code, done.out) == (3, "")
    assert "(recording-not-allowed)" in done.err


def test_a_recording_in_the_sandbox_says_what_it_made(story: Story) -> None:
    done = story.tagline("record", NAME, "--env", "dev", "--sandbox", "--key", "1001", "--scenario", "one")
    made = [
        story.made.work / "fixtures" / NAME / place for place in ("cassettes/one.yaml", "corpus/one.json")
    ]
    try:
        assert done.code == 0
        assert done.out.splitlines()[0] == "  1001: done"
        assert "-> fixtures/order_to_cash/cassettes/one.yaml" in done.out
        assert "scrub proved" in done.err
        assert json.loads(made[1].read_text())["records"][0]["key"] == "1001"
    finally:
        for path in made:
            path.unlink(missing_ok=True)
