"""Tending to dead letters from the command line."""

import shutil
from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa
from tests.cli.telling import NAME, Story, call
from tests.runtime.making import make_deployment

from tagline.clock import SystemClock
from tagline.errors import RecordError
from tagline.runtime.key_ring import KeyRing
from tagline.runtime.store import Store
from tagline.runtime.tables import dead_letters, deployments


@pytest.fixture
def letters(story: Story) -> Iterator[Story]:
    """A state database with two open letters, where the environment has it."""
    folder = story.made.state("dev")
    folder.mkdir(parents=True)
    key = story.made.environ["TAGLINE_DEV_STATE_KEY"]
    store = Store.open(folder / "state.sqlite", ring=KeyRing.of(key), clock=SystemClock())
    store.activate(make_deployment(1, integration=NAME), {})
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
    assert head.split() == ["no", "state", "record", "cause", "tries", "last", "assigned", "message"]
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
    done = letters.tagline(
        "dead-letters", "redrive", "--cause", "unknown-sku", "--env", "dev", "--json", "--yes"
    )
    assert (done.code, done.json) == (0, {"redriven": 1})
    left = letters.tagline("dead-letters", "list", "--env", "dev", "--json").json
    assert [x["cause"] for x in left] == ["status-unmapped"]


def test_redriving_all_leaves_none_open(letters: Story) -> None:
    done = letters.tagline("dead-letters", "redrive", "--all", "--env", "dev", "--yes")
    assert done.out == "2 dead letters sent again\n"
    assert letters.tagline("dead-letters", "list", "--env", "dev").out == "no dead letters\n"
    every = letters.tagline("dead-letters", "list", "--env", "dev", "--all", "--json").json
    assert [x["state"] for x in every] == ["redriven", "redriven"]


@pytest.mark.parametrize("verb", [("redrive",), ("discard", "--reason", "x")], ids=["redrive", "discard"])
def test_a_filter_is_counted_first_and_never_acts_unasked(letters: Story, verb: tuple[str, ...]) -> None:
    """A script that meant one cause must not send a thousand letters."""
    counted = letters.tagline("dead-letters", *verb, "--cause", "unknown-sku", "--env", "dev", "--dry-run")
    assert counted.code == 0
    assert counted.out.splitlines()[0] == f"would {verb[0]} 1 dead letter"
    done = letters.tagline("dead-letters", *verb, "--cause", "unknown-sku", "--env", "dev")
    assert (done.code, done.out) == (3, "")
    assert "(confirmation-missing)" in done.err
    assert len(letters.tagline("dead-letters", "list", "--env", "dev", "--json").json) == 2


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["really", "dry"])
def test_redriving_a_cause_that_none_has_fails_and_names_those_there_are(
    letters: Story, dry: tuple[str, ...]
) -> None:
    done = letters.tagline("dead-letters", "redrive", "--cause", "nope", "--env", "dev", *dry)
    assert done.code == 1
    assert "no open dead letter has cause nope (dead-letter-not-open)" in done.err
    assert "hint: open ones have the causes: status-unmapped, unknown-sku" in done.err


def test_a_letter_that_is_not_open_is_answered_by_its_number_and_state(letters: Story) -> None:
    letters.tagline("dead-letters", "discard", "1", "--reason", "a test", "--env", "dev")
    done = letters.tagline("dead-letters", "redrive", "1", "--env", "dev")
    again = f"tagline backfill {NAME} --keys 1011 --env dev"
    assert (done.code, done.out) == (1, "")
    assert "dead letter 1 is discarded (dead-letter-not-open)" in done.err
    assert f"to run the record after all: {again}\n" in done.err
    shown = letters.tagline("dead-letters", "show", "1", "--env", "dev").out
    assert shown.splitlines()[-1] == f"next: nothing; to run the record after all: {again}"
    both = letters.tagline("dead-letters", "redrive", "1", "2", "--env", "dev")
    assert (both.code, both.out) == (0, "1 dead letter sent again\n")
    assert "left as they are: dead letter 1 is discarded" in both.err
    assert "waits to be run" in letters.tagline("dead-letters", "show", "2", "--env", "dev").out


def test_a_list_of_a_cause_that_none_has_names_those_there_are(letters: Story) -> None:
    done = letters.tagline("dead-letters", "list", "--cause", "typo", "--env", "dev")
    assert done.out == (
        "no open dead letter has cause typo; open ones have the causes: status-unmapped, unknown-sku\n"
    )


@pytest.mark.parametrize("given", [("2",), ("1", "2")], ids=["one", "two"])
def test_letters_are_assigned_to_somebody(letters: Story, given: tuple[str, ...]) -> None:
    done = letters.tagline("dead-letters", "assign", *given, "--env", "dev")
    assert done.code == 2
    assert f"tagline dead-letters assign {' '.join(given)} PERSON" in done.err


def test_a_number_that_is_none_is_wrong_use_and_nothing_is_redriven(letters: Story) -> None:
    done = letters.tagline("dead-letters", "redrive", "1", "77", "--env", "dev")
    assert done.code == 2
    assert "(dead-letter-unknown)" in done.err
    assert len(letters.tagline("dead-letters", "list", "--env", "dev", "--json").json) == 2


def test_a_field_is_overridden_with_its_value_masked_until_it_is_withdrawn(letters: Story) -> None:
    path = "OrderItemList.0.ItemID"
    done = letters.tagline("dead-letters", "redrive", "1", "--set", f"{path}=TEA-002", "--env", "dev")
    assert (done.out, done.err) == (
        "1 dead letter sent again\n",
        f"overridden until withdrawn: {path}\n",
    )
    (masked,) = letters.tagline("dead-letters", "overrides", "list", "--env", "dev", "--json").json
    assert (masked["path"], masked["key"], "value" in masked) == (path, "1011", False)
    shown = letters.tagline("dead-letters", "overrides", "list", "--env", "dev", "--values").out
    assert "TEA-002" in shown
    assert letters.tagline("dead-letters", "overrides", "withdraw", "1", "--env", "dev", "--json").json == {
        "withdrawn": 1
    }
    assert letters.tagline("dead-letters", "overrides", "list", "--env", "dev").out == "no overrides\n"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("OrderItemList.0.ItmID=X", "override-path-unknown"),
        ("OrderAmount=abc", "override-value-invalid"),
        ("OrderAmount", ""),
        ("OrderItemList.99.ItemID=X", "override-not-fitting"),
    ],
    ids=["path", "value", "no value", "no such row"],
)
def test_a_field_that_cannot_be_overridden_is_refused_and_nothing_is_redriven(
    letters: Story, typed: str, code: str
) -> None:
    done = letters.tagline("dead-letters", "redrive", "1", "--set", typed, "--env", "dev")
    assert (done.code, done.out) == (2, "")
    assert code in done.err
    assert len(letters.tagline("dead-letters", "list", "--env", "dev", "--json").json) == 2


def test_the_original_release_is_refused_where_it_does_not_run_any_more(letters: Story) -> None:
    ring = KeyRing.of(letters.made.environ["TAGLINE_DEV_STATE_KEY"])
    path = letters.made.state("dev") / "state.sqlite"
    with closing(Store.open(path, ring=ring, clock=SystemClock())) as store, store.database.write() as conn:
        conn.execute(sa.update(deployments).values(closure="another"))
        conn.execute(sa.update(dead_letters).values(deployment="gone"))
    done = letters.tagline("dead-letters", "redrive", "1", "--with", "original", "--env", "dev")
    assert (done.code, done.out) == (3, "")
    assert "(release-not-running)" in done.err


def test_what_people_did_is_shown_with_the_letter(letters: Story) -> None:
    assert letters.tagline("dead-letters", "assign", "1", "2", "Ann", "--env", "dev").out == (
        "2 dead letters assigned to Ann\n"
    )
    letters.tagline("dead-letters", "assign", "2", "nobody", "--env", "dev")
    letters.tagline("dead-letters", "note", "1", "asked the shop", "--env", "dev")
    letters.tagline("dead-letters", "discard", "1", "--reason", "a test order", "--env", "dev")
    shown = letters.tagline("dead-letters", "show", "1", "--env", "dev").out
    for told in ("(discarded)", "Demo Engineer", "note: asked the shop", "discarded: a test order"):
        assert told in shown
    listed = letters.tagline("dead-letters", "list", "--env", "dev", "--json", "--assigned", "nobody").json
    assert [letter["id"] for letter in listed] == [2]


def test_letters_of_one_cause_are_one_line(letters: Story) -> None:
    done = letters.tagline("dead-letters", "list", "--group", "--env", "dev")
    head, _, *rows = done.out.splitlines()
    assert head.split() == ["letters", "cause", "flow", "first", "last", "release", "fingerprint", "message"]
    assert [row.split()[:3] for row in rows] == [
        ["1", "unknown-sku", NAME],
        ["1", "status-unmapped", NAME],
    ]
    assert rows[0].endswith("order *")


@pytest.mark.parametrize(
    ("since", "code"), [("2000-01-01", 0), ("2099-01-01T10:00+02:00", 0), ("soon", 2)], ids=str
)
def test_letters_since_a_time(letters: Story, since: str, code: int) -> None:
    done = letters.tagline("dead-letters", "list", "--since", since, "--env", "dev")
    assert done.code == code
    assert (NAME in done.out) == since.startswith("2000")


def test_where_no_agent_ever_ran_there_are_no_letters_to_tend(story: Story) -> None:
    done = story.tagline("dead-letters", "list", "--env", "qa")
    assert (done.code, done.out) == (2, "")
    assert "(state-missing)" in done.err


# -- trace -----------------------------------------------------------------------------------------


def test_a_record_is_traced_by_plain_words(letters: Story) -> None:
    for words in (("3dcart", "order"), ("shop", "Orders"), ("shift4shop", "order")):
        done = letters.tagline("trace", *words, "1011", "--env", "dev", "--json")
        assert done.code == 0, done.err
        assert [step["kind"] for step in done.json["steps"]] == ["deployment", "letter"]
    text = letters.tagline("trace", "3dcart", "order", "1011", "--env", "dev")
    assert "letter 1: unknown-sku: order 1011: now open" in text.out
    assert text.err == "values are not shown; --values shows them\n"


@pytest.mark.parametrize(
    ("words", "ended", "code", "told"),
    [
        (("3dcart", "order", "99"), 1, "trace-nothing-found", "no record of order_to_cash has that key"),
        (("dataverse", "sales", "order", "x"), 1, "trace-nothing-found", "no effect reached a row"),
        (("3dcart", "ordr", "1"), 2, "trace-entity-unknown", "did you mean Order"),
        (("datavers", "order", "1"), 2, "trace-system-unknown", "did you mean dataverse?"),
    ],
    ids=["source", "target", "entity", "system"],
)
def test_what_cannot_be_traced_says_what_was_looked_for(
    letters: Story, words: tuple[str, ...], ended: int, code: str, told: str
) -> None:
    done = letters.tagline("trace", *words, "--env", "dev")
    assert (done.code, done.out) == (ended, "")
    assert f"({code})" in done.err
    assert told in done.err
