from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar

import pytest
import sqlalchemy as sa
from tests.runtime.making import make_deployment, make_store

from tagline.domain.exchange import WriteKind
from tagline.domain.model import Model, Remote, ref
from tagline.errors import Disposition, RefusedError
from tagline.flow.effects import Reversibility, Verb
from tagline.runtime.journal import Intent, Settled
from tagline.runtime.sql_journal import SqlJournal
from tagline.runtime.tables import cross_references, effects


class City(Model):
    remote: ClassVar[Remote] = Remote("atlas", "city", "cities", "cityid", (("code",),))


@pytest.fixture
def store(place):
    with closing(make_store(place)) as opened:
        yield opened


@pytest.fixture
def journal(store):
    return SqlJournal(store, "orders-000001", store.activate(make_deployment(1), {}))


def make_intent(record: str = "7", **changed) -> Intent:
    facts = {
        "deployment": "orders-000001",
        "integration": "orders",
        "flow": "sync",
        "record": record,
        "system": "atlas",
        "entity": "salesorder",
        "verb": Verb.UPSERT,
        "kind": WriteKind.UPDATE,
        "key": (("at", datetime(2026, 1, 1, tzinfo=UTC)), ("tl_orderkey", "7")),
        "target_id": "id-7",
        "etag": 'W/"1"',
        "before": {"name": "old", "freightamount": Decimal("1.50"), "city": ref(City, code="a")},
        "after": {"name": "Jane Doe", "freightamount": None},
        "action": "",
        "reversibility": Reversibility.R1,
    }
    return Intent(**{**facts, **changed})


def settled(
    entry: int, disposition: Disposition = Disposition.DONE, *, target: str | None = "id-7", code: str = ""
) -> Settled:
    return Settled(entry, disposition, target, 'W/"2"', code)


def rows(store, table=effects):
    with store.database.read() as conn:
        return conn.execute(sa.select(table)).mappings().all()


def test_an_intent_comes_back_whole_while_it_is_in_doubt(journal):
    intents = [make_intent(), make_intent("8", before=None, kind=WriteKind.CREATE, target_id=None)]
    entries = journal.intend(intents)
    doubts = journal.in_doubt(["7", "8", "9"])
    assert [doubt.entry for doubt in doubts] == list(entries)
    assert [doubt.intent for doubt in doubts] == intents


def test_entries_are_in_the_order_of_the_intents(journal):
    entries = journal.intend([make_intent(str(n)) for n in range(300)])
    by_record = {doubt.intent.record: doubt.entry for doubt in journal.in_doubt([str(n) for n in range(300)])}
    assert [by_record[str(n)] for n in range(300)] == list(entries)


def test_a_settled_entry_is_in_doubt_no_more(journal, store):
    one, two = journal.intend([make_intent("7"), make_intent("8")])
    journal.settle([settled(one), settled(two, Disposition.RETRY, target=None, code="row-changed")])
    assert journal.in_doubt(["7", "8"]) == []
    assert [(r["state"], r["code"], r["etag_before"], r["etag_after"]) for r in rows(store)] == [
        ("done", "", 'W/"1"', 'W/"2"'),
        ("failed", "row-changed", 'W/"1"', 'W/"2"'),
    ]


@pytest.mark.parametrize(("happened", "state"), [(True, "happened"), (False, "not-happened")])
def test_a_doubt_is_resolved_once_the_row_was_looked_at(journal, store, happened, state):
    (entry,) = journal.intend([make_intent()])
    journal.resolve(entry, happened)
    assert journal.in_doubt(["7"]) == []
    assert [r["state"] for r in rows(store)] == [state]
    assert len(rows(store, cross_references)) == int(happened)


def test_doubts_of_an_earlier_deployment_are_seen_by_the_next(journal, store):
    journal.intend([make_intent()])
    later = SqlJournal(store, "orders-000002", store.activate(make_deployment(2), {}))
    assert [doubt.intent.deployment for doubt in later.in_doubt(["7"])] == ["orders-000001"]


def test_a_deployment_that_was_replaced_writes_nothing_more(journal, store):
    store.activate(make_deployment(2), {})
    with pytest.raises(RefusedError) as refused:
        journal.intend([make_intent()])
    assert (refused.value.code, rows(store)) == ("fenced", [])


def test_an_old_life_of_the_same_deployment_is_fenced_too(journal, store):
    """Rolled back and rolled forward again: the first worker must not go on beside the second."""
    store.activate(make_deployment(2), {})
    store.activate(make_deployment(1), {})
    with pytest.raises(RefusedError):
        journal.intend([make_intent()])


def test_what_a_replaced_deployment_had_sent_can_still_be_settled(journal, store):
    (entry,) = journal.intend([make_intent()])
    store.activate(make_deployment(2), {})
    journal.settle([settled(entry)])
    assert [r["state"] for r in rows(store)] == ["done"]


def test_every_entry_names_its_deployment_and_key_and_hides_its_values(journal, store):
    journal.intend([make_intent()])
    (row,) = rows(store)
    assert (row["deployment"], row["reversibility"], row["key_id"]) == (
        "orders-000001",
        "R1",
        store.images.ring.newest.id,
    )
    assert "Jane" not in repr(dict(row))


def test_no_file_of_the_database_holds_a_value_of_a_record(tmp_path):
    with closing(make_store(tmp_path)) as store:
        journal = SqlJournal(store, "orders-000001", store.activate(make_deployment(1), {}))
        journal.intend([make_intent()])
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert files
    assert not any(b"Jane" in path.read_bytes() for path in files)


def test_a_record_is_found_by_the_row_it_was_written_to_and_a_deleted_row_forgotten(journal, store):
    created, other = journal.intend(
        [make_intent(kind=WriteKind.CREATE, target_id=None, before=None), make_intent("8")]
    )
    journal.settle([settled(created, target="id-1"), settled(other, Disposition.DEAD_LETTER, target="id-2")])
    assert [(r["record"], r["entity"], r["target_id"]) for r in rows(store, cross_references)] == [
        ("7", "salesorder", "id-1")
    ]
    (gone,) = journal.intend([make_intent(kind=WriteKind.DELETE, target_id="id-1", after={})])
    journal.settle([settled(gone, target=None)])
    assert rows(store, cross_references) == []


def test_nothing_is_nothing(journal, store):
    assert list(journal.intend([])) == []
    journal.settle([])
    assert (journal.in_doubt([]), rows(store)) == ([], [])
