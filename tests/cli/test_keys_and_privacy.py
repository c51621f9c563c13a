"""Keys, data subjects and retention as a user types it, where no agent runs."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.cli.telling import Story
from tests.runtime.making import make_deployment, make_hint
from tests.runtime.test_sql_journal import make_intent, settled

from tagline.clock import SystemClock, VirtualClock
from tagline.runtime.key_ring import KeyRing, make_key, parse
from tagline.runtime.sql_journal import SqlJournal
from tagline.runtime.store import Store
from tagline.runtime.tables import effects

JANE = "jane.doe@example.com"
VARIABLE = "TAGLINE_DEV_STATE_KEY"


@pytest.fixture
def state(story: Story) -> Iterator[Story]:
    """A state database with two records written a hundred days ago, one of them Jane's."""
    folder = story.made.state("dev")
    folder.mkdir(parents=True)
    ring = story.made.environ[VARIABLE]
    clock = VirtualClock(SystemClock().now() - timedelta(days=100))
    with closing(Store.open(folder / "state.sqlite", ring=KeyRing.of(ring), clock=clock)) as store:
        journal = SqlJournal(store, "orders-000001", store.activate(make_deployment(1), {}))
        for record, address in (("1", JANE), ("2", "john@example.com")):
            (entry,) = journal.intend([make_intent(record, before=None, after={"emailaddress1": address})])
            journal.settle([settled(entry, target=f"id-{record}")])
        store.receive([make_hint("1")])
    yield story
    story.made.environ[VARIABLE] = ring
    shutil.rmtree(folder)


def images(state: Story) -> int:
    ring = KeyRing.of(state.made.environ[VARIABLE])
    path = state.made.state("dev") / "state.sqlite"
    with closing(Store.open(path, ring=ring, clock=SystemClock())) as store, store.database.read() as conn:
        return conn.execute(sa.select(sa.func.count(effects.c.after))).scalar_one()


def test_a_generated_key_is_a_ring_and_told_apart_from_the_talk(story: Story) -> None:
    done = story.tagline("keys", "generate")
    (key,) = parse(done.out).keys
    assert (done.code, done.err) == (0, f"key {key.id}:\n")


def test_a_ring_in_a_variable_is_rotated_by_its_owner_and_then_retired(state: Story) -> None:
    old = parse(state.made.environ[VARIABLE]).newest
    refused = state.tagline("keys", "rotate", "--env", "dev")
    assert (refused.code, "key-ring-fixed" in refused.err) == (3, True)
    new = make_key()
    state.made.environ[VARIABLE] = f"{new.text}\n{old.text}"
    done = state.tagline("keys", "rotate", "--env", "dev")
    assert (done.code, done.out) == (0, f"key {new.id} encrypts from now on\n")
    assert f"tagline keys retire {old.id} --env dev" in done.err
    status = {each["id"]: each for each in state.tagline("keys", "status", "--env", "dev", "--json").json}
    assert {key: (use["state"], use["rows"]) for key, use in status.items()} == {
        new.id: ("active", 0),
        old.id: ("former", 2),
    }
    waits = state.tagline("keys", "retire", old.id, "--env", "dev")
    assert (waits.code, "key-ring-fixed" in waits.err) == (3, True)
    state.made.environ[VARIABLE] = new.text
    shown = state.tagline("keys", "status", "--env", "dev").out
    assert [line.split()[:2] for line in shown.splitlines()[2:]] == [[new.id, "active"], [old.id, "retired"]]
    assert state.tagline("keys", "retire", old.id, "--env", "dev").code == 0


def test_the_active_key_is_not_retired(state: Story) -> None:
    key = parse(state.made.environ[VARIABLE]).newest
    done = state.tagline("keys", "retire", key.id, "--env", "dev")
    assert (done.code, "key-active" in done.err) == (3, True)


def test_what_is_stored_about_a_person_goes_into_one_file_for_the_caller_alone(
    state: Story, tmp_path: Path
) -> None:
    done = state.tagline(
        "privacy", "export", "--subject", JANE.upper(), "--env", "dev", "--to", str(tmp_path)
    )
    assert done.code == 0
    (path,) = tmp_path.iterdir()
    assert done.out == f"{path}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    told = json.loads(path.read_text())
    assert [(r["key"], r["effects"][0]["after"]) for r in told["records"]] == [("1", {"emailaddress1": JANE})]
    assert "jane" not in f"{path.name} {done.out} {done.err}".lower()


def test_an_export_into_the_repository_is_wrong_use(state: Story) -> None:
    place = str(state.made.work / "integrations")
    done = state.tagline("privacy", "export", "--subject", JANE, "--env", "dev", "--to", place)
    assert (done.code, "inside the repository" in done.err) == (2, True)


def test_an_export_without_a_place_goes_where_git_looks_away_and_a_named_place_is_made(
    state: Story, tmp_path: Path
) -> None:
    done = state.tagline("privacy", "export", "--subject", JANE, "--env", "dev")
    path = Path(done.out.strip())
    assert (done.code, path.parent) == (0, state.made.work.resolve() / ".tagline" / "exports")
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    path.unlink()
    there = tmp_path / "new" / "place"
    assert state.tagline("privacy", "export", "--subject", JANE, "--env", "dev", "--to", str(there)).code == 0
    assert len(list(there.iterdir())) == 1


def test_an_erasure_counts_first_and_says_who_still_holds_what(state: Story) -> None:
    counted = state.tagline("privacy", "erase", "--subject", JANE, "--env", "dev")
    assert counted.code == 0
    assert "would be erased:\n  1 image\n" in counted.out
    assert "retention.backup_days" in counted.out
    assert "shop record 1\n  atlas salesorder id-1\n" in counted.out
    assert "nothing was erased" in counted.err
    assert images(state) == 2
    dry = state.tagline("privacy", "erase", "--subject", JANE, "--env", "dev", "--dry-run")
    assert (dry.code, dry.out) == (0, counted.out)
    both = state.tagline("privacy", "erase", "--subject", JANE, "--env", "dev", "--dry-run", "--yes")
    assert (both.code, images(state)) == (2, 2)
    done = state.tagline("privacy", "erase", "--subject", JANE, "--env", "dev", "--yes", "--json")
    assert (done.code, done.json["images"], done.json["standing"][0]["id"]) == (0, 1, "id-1")
    assert images(state) == 1
    assert "jane" not in f"{counted.out} {counted.err} {done.out} {done.err}".lower()
    again = state.tagline("privacy", "erase", "--subject", JANE, "--env", "dev", "--yes")
    assert (again.code, "subject-unknown" in again.err, "jane" in again.err) == (1, True, False)


def test_what_is_past_its_days_is_counted_and_then_deleted(state: Story) -> None:
    dry = state.tagline("retention", "run", "--env", "dev", "--dry-run")
    assert (dry.code, dry.out.splitlines()[0]) == (0, "2 effects would go")
    assert images(state) == 2
    done = state.tagline("retention", "run", "--env", "dev", "--json")
    assert (done.code, done.json["deleted"], done.json["over_bytes"]) == (0, {"effects": 2}, 0)
    assert images(state) == 0


def test_naming_nobody_is_wrong_use(state: Story) -> None:
    assert state.tagline("privacy", "erase", "--env", "dev").code == 2
