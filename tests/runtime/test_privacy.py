"""What is stored about a data subject is found wherever it stands, given out whole, and erased for good."""

import json
from contextlib import closing
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.runtime.making import KEY, START, make_deployment, make_hint, make_store
from tests.runtime.test_sql_journal import City, make_intent, rows, settled

from tagline.clock import VirtualClock
from tagline.domain.environment import RetentionSection
from tagline.domain.model import ref
from tagline.errors import Disposition, RecordError
from tagline.runtime import notes, privacy, retention, rotation
from tagline.runtime.database import insert
from tagline.runtime.images import to_text
from tagline.runtime.key_ring import KeyRing, make_key
from tagline.runtime.rotation import sealing_key
from tagline.runtime.sql_journal import SqlJournal
from tagline.runtime.store import Store
from tagline.runtime.subjects import Found, Subject, find, leaves, plain
from tagline.runtime.tables import (
    cross_references,
    dead_letters,
    effects,
    letter_notes,
    metadata,
    overrides,
    record_names,
)

JANE = "jane.doe@example.com"
KEEP = RetentionSection(backup_days=35)


@pytest.fixture
def store(tmp_path):
    with closing(make_store(tmp_path)) as opened:
        yield opened


@pytest.fixture
def anywhere(place):
    with closing(make_store(place)) as opened:
        yield opened


def journal_of(store) -> SqlJournal:
    return SqlJournal(store, "orders-000001", store.activate(make_deployment(1), {}))


def write(store, record: str, *, done: bool = True, **after) -> int:
    journal = journal_of(store)
    (entry,) = journal.intend([make_intent(record, before=None, after=after)])
    if done:
        journal.settle([settled(entry, target=f"id-{record}")])
    return entry


def override(store, record: str, value: object) -> None:
    with store.database.write() as conn:
        key = sealing_key(conn, store.images.ring, START)
        blob = store.images.seal({"value": value}, key)
        where = {"integration": "orders", "flow": "sync", "key": record, "path": "BillingEmail"}
        put = {"value": blob, "key_id": key.id, "set_at": START, "set_by": "someone"}
        conn.execute(sa.insert(overrides), [{**where, **put}])


def bury(store, record: str, message: str = "refused", note: str = "") -> None:
    store.reject("orders", "sync", record, RecordError(message, code="some-cause", hint="do something"))
    with store.database.write() as conn:
        number = conn.execute(sa.select(sa.func.max(dead_letters.c.id))).scalar_one()
        notes.add(conn, store.images, [number], "note", note, "someone", START)


def keys(found: Found) -> list[str]:
    return [key for _, _, key in found.records]


@pytest.mark.parametrize(
    ("mine", "theirs", "is_in"),
    [
        (JANE, "Jane.Doe@Example.com", True),
        (JANE, " jane.doe@example.com\n", True),
        (JANE, "write to jane.doe@example.com.", True),
        (JANE, "mary-jane.doe@example.com", False),
        (JANE, "jane.doe@example.com.au", False),
        ("Jane Doe", "deliver to JANE DOE, back door", True),
        ("Jane Doe", "Jane Doering", False),
        ("Straße 12", "STRASSE 12", True),
        ("1042", "1042", True),
        ("1042", "1042 Main Street", False),
        ("104242", "order 104242", False),
        ("Jane", "Jane Doe", False),
        ("", "", False),
    ],
)
def test_a_value_is_theirs_when_it_says_so_and_not_when_it_only_looks_alike(mine, theirs, is_in):
    assert Subject(mine).is_in(theirs) is is_in


def test_every_value_of_an_image_is_looked_at_with_its_column():
    image = {
        "name": "Jane",
        "lines": ({"sku": "A", "price": Decimal("1.50")},),
        "account": ref(City, code="42"),
        "n": 7,
        "paid": True,
        "gone": None,
    }
    found = set(leaves(json.loads(to_text(image))))
    assert found == {("name", "Jane"), ("lines", "A"), ("lines", "1.50"), ("account", "42"), ("n", "7")}
    assert plain(json.loads(to_text(image)))["account"] == {
        "system": "atlas",
        "entity": "city",
        "key": [["code", "42"]],
    }


def test_all_that_belongs_to_a_record_belongs_to_whom_one_image_tells_of(anywhere):
    store = anywhere
    write(store, "1", emailaddress1=JANE.upper(), name="Jane")
    write(store, "1", name="no address here")
    write(store, "2", emailaddress1="john@example.com")
    override(store, "3", f"reach me at {JANE}")
    bury(store, "4", note=f"called {JANE} twice")
    bury(store, "5", message=f"{JANE} is no number")
    with store.database.write() as conn:
        name = {"integration": "orders", "flow": "sync", "key": "6", "name": JANE}
        conn.execute(insert(conn, record_names).values(**name))
    found = find(store, Subject(JANE))
    assert keys(found) == ["1", "3", "4", "5", "6"]
    assert found.matched == {
        "salesorder.emailaddress1": 1,
        "BillingEmail.value": 1,
        "note.text": 1,
        "dead letter": 1,
        "name of a record": 1,
    }


def test_a_number_can_be_looked_for_in_one_column_and_a_record_named_by_its_key(store):
    write(store, "1", customer=1042)
    write(store, "2", quantity=1042)
    write(store, "1042", customer=7)
    assert keys(find(store, Subject("1042"))) == ["1", "2"]
    assert keys(find(store, Subject("1042", fields=("customer",)))) == ["1"]
    assert keys(find(store, Subject(keys=("1042",)))) == ["1042"]


def test_other_records_of_a_row_that_tells_of_the_person_are_named_apart(store):
    journal = journal_of(store)
    mine = {"entity": "city", "key": (("code", "42"),), "target_id": "id-42", "before": None}
    told = make_intent("1", **mine, after={"mail": JANE})
    same_row = make_intent("2", **{**mine, "key": (("name", "x"),)}, after={"name": "x"})
    by_key = make_intent("3", before=None, after={"customer": ref(City, code="42")})
    by_id = make_intent("4", before={"lines": ({"customer": ref(City, cityid="id-42")},)}, after={})
    journal.intend(
        [told, same_row, by_key, by_id, make_intent("5", after={"customer": ref(City, code="43")})]
    )
    found = find(store, Subject(JANE))
    assert (keys(found), [key for _, _, key in found.related]) == (["1"], ["2", "3", "4"])


def test_what_is_given_out_holds_everything_and_nothing_encrypted(store):
    write(store, "1", emailaddress1=JANE, freight=Decimal("1.50"))
    override(store, "1", JANE)
    bury(store, "1", note="called")
    store.receive([make_hint("1")])
    (record,) = privacy.export(store, find(store, Subject(JANE)))
    text = json.dumps(record, default=str)
    assert (record["key"], record["effects"][0]["after"]) == ("1", {"emailaddress1": JANE, "freight": "1.50"})
    assert [record["overrides"][0]["value"], record["notes"][0]["text"]] == [
        {"value": JANE},
        {"text": "called"},
    ]
    assert {name: len(record[name]) for name in ("dead_letters", "inbox", "stands_in")} == {
        "dead_letters": 1,
        "inbox": 1,
        "stands_in": 1,
    }
    assert "key_id" not in text


def test_what_is_erased_is_gone_and_what_was_done_still_stands(anywhere):
    store = anywhere
    entry = write(store, "1", emailaddress1=JANE)
    write(store, "2", emailaddress1="john@example.com")
    override(store, "1", JANE)
    bury(store, "1", message=f"{JANE} is no number", note="called")
    subject = Subject(JANE)
    found = find(store, subject)
    expected = privacy.Erasure(records=1, images=1, overrides=1, notes=1, letters=1, in_doubt=0)
    assert privacy.count(store, found, subject) == expected
    assert privacy.erase(store, found, subject, "Eve <eve@shop.test>") == expected
    mine, other = sorted(rows(store), key=lambda row: row["id"])
    assert (mine["id"], mine["state"], mine["target_id"]) == (entry, "done", "id-1")
    assert (mine["before"], mine["after"]) == (None, None)
    assert (mine["erased_at"], mine["erased_by"]) == (START, "Eve <eve@shop.test>")
    assert (other["after"] is not None, other["erased_at"]) == (True, None)
    assert [row["text"] for row in rows(store, letter_notes)] == [None]
    (letter,) = rows(store, dead_letters)
    assert (letter["state"], letter["cause"], JANE in str(dict(letter))) == ("open", "some-cause", False)
    (put,) = rows(store, overrides)
    assert (put["value"], put["withdrawn_at"]) == (None, START), "it would clear the field otherwise"
    assert len(rows(store, cross_references)) == 2
    assert find(store, subject).records == ()
    nothing = privacy.Erasure(1, 0, 0, 0, 0, 0)
    assert privacy.erase(store, found, subject, "again") == nothing


def test_an_entry_in_doubt_keeps_the_images_that_decide_it(store):
    write(store, "1", done=False, emailaddress1=JANE)
    subject = Subject(JANE)
    done = privacy.erase(store, find(store, subject), subject, "someone")
    assert (done.images, done.in_doubt) == (0, 1)
    (doubt,) = journal_of(store).in_doubt(["1"])
    assert doubt.intent.after == {"emailaddress1": JANE}
    journal_of(store).resolve(doubt.entry, happened=True)
    assert privacy.erase(store, find(store, subject), subject, "someone").images == 1


def test_the_account_names_the_systems_that_still_hold_the_subject_and_when_backups_end(store):
    write(store, "1", emailaddress1=JANE)
    store.receive([make_hint("1")])
    account = privacy.account(store, find(store, Subject(JANE)), KEEP, START)
    assert account.standing == (privacy.Standing("atlas", "salesorder", "id-1"),)
    assert account.sources == (("shop", "1"),)
    assert account.backups_until == START + timedelta(days=35)
    unsaid = privacy.account(store, find(store, Subject(JANE)), RetentionSection(), START)
    assert unsaid.backups_until is None


def test_rows_that_cannot_be_read_are_told_and_the_others_found(store, tmp_path):
    other = make_key()
    with store.database.write() as conn:
        sealing_key(conn, store.images.ring, START)
    write(store, "1", emailaddress1=JANE)
    with store.database.write() as conn:
        conn.execute(sa.update(effects).values(key_id=other.id))
    write(store, "2", emailaddress1=JANE)
    found = find(store, Subject(JANE))
    assert (keys(found), found.unreadable) == (["2"], {other.id: 1})
    (record,) = privacy.export(store, Found((("orders", "sync", "1"),), {}, {}))
    assert record["effects"][0]["after"] == "cannot be read: state-key-wrong"


def test_an_erased_image_stands_in_no_byte_of_the_file_any_more(tmp_path):
    """Not even encrypted: with the key, free space of a file could be read."""
    with closing(make_store(tmp_path)) as store:
        for number in range(30):
            write(
                store, str(number), emailaddress1=JANE if number % 3 else "john@example.com", text="x" * 3000
            )
        before = {row["id"]: (row["after"], row["record"]) for row in rows(store)}
        subject = Subject(JANE)
        privacy.erase(store, find(store, subject), subject, "someone")
        kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    for blob, record in before.values():
        # A page boundary may lie anywhere in it, but not in each of its parts.
        parts = [blob[start : start + 40] for start in range(0, len(blob), 500)]
        assert any(part in kept for part in parts) == (int(record) % 3 == 0), record


canaries = st.text(
    st.characters(categories=("Lu", "Ll", "Nd", "Lo"), max_codepoint=0x2FFF), min_size=8, max_size=40
).map(lambda text: f"canary{text}")


def dumped(store: Store) -> bytes:
    """Every column of every table, as text and bytes."""
    parts: list[bytes] = []
    with store.database.read() as conn:
        for table in metadata.sorted_tables:
            for row in conn.execute(sa.select(table)):
                parts += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"\0".join(parts)


def live_through(store: Store, ring: dict[str, str], values: list[str]) -> None:
    """A life of a state database: writes, doubts, overrides, notes, rotation, erasure, retention, with canaries all along."""
    journal = journal_of(store)
    one, two = journal.intend(
        [
            make_intent("1", before={"name": values[0]}, after={"name": values[1], "lines": (values[2],)}),
            make_intent("2", before=None, after={values[3]: values[4], "city": ref(City, code=values[5])}),
        ]
    )
    journal.settle([settled(one), settled(two, Disposition.RETRY, target=None, code="row-changed")])
    journal.intend([make_intent("3", after={"name": values[6]})])
    override(store, "1", values[7])
    bury(store, "1", note=values[8])
    store.receive([make_hint("1")])
    new = make_key()
    ring["text"] = f"{new.text}\n{KEY.decode()}"
    rotation.rotate(store.database, store.images.ring, RuntimeError, store.clock)
    journal.intend([make_intent("4", after={"name": values[9]})])
    subject = Subject(values[1])
    found = find(store, subject)
    assert keys(found) == ["1"]
    privacy.erase(store, found, subject, "someone")
    retention.whole(retention.expire(store.database, KEEP, START))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values=st.lists(canaries, min_size=10, max_size=10, unique_by=str.casefold))
def test_no_canary_that_was_planted_in_an_image_stands_in_any_byte_on_disk(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("state")
    ring = {"text": KEY.decode()}
    store = Store.open(folder / "state.sqlite", ring=KeyRing(lambda: ring["text"]), clock=VirtualClock(START))
    with closing(store):
        live_through(store, ring, values)
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    files |= {f"closed {path.name}": path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert any(b"orders-000001" in content for content in files.values()), "what must be there is found"
    assert not [
        (name, form)
        for name, content in files.items()
        for value in values
        for form in forms(value)
        if form in content
    ]


def test_no_canary_stands_in_any_column_of_a_server(postgres_schema):
    ring = {"text": KEY.decode()}
    values = [f"canary{n}Ünüsual" for n in range(10)]
    store = Store.open(postgres_schema, ring=KeyRing(lambda: ring["text"]), clock=VirtualClock(START))
    with closing(store):
        live_through(store, ring, values)
        found = dumped(store)
    assert b"orders-000001" in found
    assert not [form for value in values for form in forms(value) if form in found]


def forms(value: str) -> set[bytes]:
    return {
        value.encode(),
        value.encode("utf-16-le"),
        json.dumps(value)[1:-1].encode(),
        value.casefold().encode(),
    }
