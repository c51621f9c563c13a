"""The state file: what a store held is what the next one holds, whatever happened in between."""

import pickle
import sqlite3
import stat
from contextlib import closing
from datetime import UTC
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.errors import UsageError
from tagline.sandbox.state_file import StateFile, _key, _key_text, _packed, _value

BASE = {"seed": 1, "environments": ["dev"]}


class Shelf:
    """A store of one table."""

    def __init__(self, **rows):
        self.rows = dict(rows)
        self.next = 1
        self.on_change = lambda _name, _key: None

    def put(self, key, row):
        if row is None:
            del self.rows[key]
        else:
            self.rows[key] = row
        self.next += 1
        self.on_change("things", key)

    def kept(self):
        return (("things", key, row) for key, row in self.rows.items())

    def kept_row(self, name, key):
        return self.rows.get(key)

    def facts(self):
        return {"next": self.next}

    def restore(self, rows, facts):
        self.rows = {key: row for _, key, row in rows}
        self.next = facts["next"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "sandbox.sqlite"


def reopened(path, site="shop", **rows):
    file = StateFile(path, BASE)
    shelf = Shelf(**rows)
    file.keep({site: shelf})
    return file, shelf


def test_a_new_file_takes_what_is_there_and_the_next_start_goes_on_from_it(path):
    file, shelf = reopened(path, a={"n": 1})
    shelf.put("b", {"n": Decimal("2.50")})
    shelf.put("a", None)
    file.commit("shop")
    file.close()
    file, shelf = reopened(path, other={"n": 9})
    assert (file.is_new, shelf.rows, shelf.next) == (False, {"b": {"n": Decimal("2.50")}}, 3)
    file.close()


@pytest.mark.parametrize("before", [None, 0o644], ids=["new", "of an earlier sandbox"])
def test_nobody_else_may_read_it(path, before):
    """Tokens that were given to apps are in it."""
    file, shelf = reopened(path, a={"n": 1})
    if before is not None:
        file.close()
        path.chmod(before)
        path.with_name("sandbox.sqlite-wal").touch(before)
        file, shelf = reopened(path)
    shelf.put("b", {"n": 2})
    file.commit("shop")
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
    file.close()


def test_a_place_where_no_file_can_be_is_told_by_name(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"file/state\.sqlite cannot be written") as refused:
        StateFile(tmp_path / "file" / "state.sqlite", BASE)
    assert refused.value.code == "sandbox-file-unusable"
    assert "--state" in refused.value.hint


def test_what_was_not_committed_is_not_there_after_a_kill(path):
    file, shelf = reopened(path)
    shelf.put("a", {"n": 1})
    file.commit("shop")
    shelf.put("b", {"n": 2})
    file._database.close()  # as a killed process leaves it
    file, shelf = reopened(path)
    assert (list(shelf.rows), shelf.next) == (["a"], 2)
    file.close()


def test_a_commit_that_fails_leaves_all_of_the_last_one_and_is_made_up_for(path):
    file, shelf = reopened(path)
    shelf.put("a", {"n": 1})
    shelf.put("b", {"n": lambda: 0})
    with pytest.raises((AttributeError, pickle.PicklingError)):
        file.commit("shop")
    shelf.put("b", {"n": 2})
    file.commit("shop")
    file.close()
    file, shelf = reopened(path)
    assert shelf.rows == {"a": {"n": 1}, "b": {"n": 2}}
    file.close()


def test_a_request_that_changed_nothing_writes_nothing(path):
    file, shelf = reopened(path)
    shelf.next = 7
    file.commit("shop")
    before = file._database.total_changes
    file.commit("shop")
    assert file._database.total_changes == before
    file.commit("shop", facts=True)
    file.close()
    assert reopened(path)[1].next == 7


def test_another_sandbox_does_not_fit(path):
    reopened(path)[0].close()
    with pytest.raises(UsageError, match="seed 1, this one seed 2") as caught:
        StateFile(path, {**BASE, "seed": 2})
    assert caught.value.code == "sandbox-state-other"
    reopened(path)[0].close()


def test_a_file_in_use_is_refused(path):
    file, _ = reopened(path)
    with pytest.raises(UsageError) as caught:
        StateFile(path, BASE)
    assert caught.value.code == "sandbox-state-in-use"
    file.close()


def test_a_file_of_something_else_is_refused_and_left_alone(path):
    path.parent.mkdir()
    path.write_text("my shopping list " * 100)
    with pytest.raises(UsageError) as caught:
        StateFile(path, BASE)
    assert caught.value.code == "sandbox-state-unreadable"
    assert path.read_text().startswith("my shopping list")


class Runs:
    """Would run code when it is read back."""

    def __reduce__(self):
        return (print, ("read back",))


def test_a_file_that_would_run_code_is_refused(path, capsys):
    file, shelf = reopened(path)
    shelf.put("a", {"n": Runs()})
    file.commit("shop")
    file.close()
    file = StateFile(path, BASE)
    with pytest.raises(UsageError, match="print is no plain value") as caught:
        file.keep({"shop": Shelf()})
    file.close()
    assert caught.value.code == "sandbox-state-unreadable"
    assert capsys.readouterr().out == ""


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.datetimes(timezones=st.just(UTC)).map(lambda t: t.replace(fold=0)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sets(st.integers()))
def test_sets_come_back_too(value):
    assert _value(_packed({"seen": value})) == {"seen": value}


@given(PLAIN)
def test_every_plain_value_comes_back_as_it_was(value):
    assert repr(_value(_packed(value))) == repr(value)


@given(
    st.recursive(
        st.text() | st.integers() | st.decimals(allow_nan=False), lambda i: st.tuples(i, i), max_leaves=4
    )
)
def test_every_key_comes_back_as_it_was_and_equal_ones_are_one(key):
    assert repr(_key(_key_text(key))) == repr(key)
    assert _key_text(_key(_key_text(key))) == _key_text(key)


def test_a_database_of_another_program_is_left_as_it_is(tmp_path):
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE ledger (entry TEXT)")
        theirs.commit()
    with pytest.raises(UsageError) as caught:
        StateFile(path, {"seed": 1})
    assert caught.value.code == "sandbox-state-unreadable"
    with closing(sqlite3.connect(path)) as theirs:
        assert theirs.execute("SELECT name FROM sqlite_master").fetchall() == [("ledger",)]
