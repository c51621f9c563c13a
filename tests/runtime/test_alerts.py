"""Alarms in the state database: held over restarts, told by one of several agents."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.runtime.making import START

from tagline.domain.alerting import Finding, Judged, Kind
from tagline.runtime.alerts import AlertBook, all_alerts
from tagline.runtime.database import Database
from tagline.runtime.places import Place

FINDING = Finding(Kind.OLDEST, "orders", "a record waits", "tagline status")
LOCAL = Finding(Kind.REMOTE, "orders", "a remote is away", "tagline doctor")
FIRES = Judged((FINDING,), frozenset({Kind.OLDEST}))
CALM = Judged((), frozenset({Kind.OLDEST, Kind.REMOTE}))
LATER = START + timedelta(minutes=5)


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    database = Database.open(place)
    yield database
    database.close()


def test_an_alarm_outlives_the_agent_that_raised_it(database: Database):
    (raised,) = AlertBook(database, "a").look(FIRES, START)
    AlertBook(database, "a").tell(raised, "firing", START)
    after = AlertBook(database, "a")
    assert after.standing() == ((Kind.OLDEST, "orders"),)
    assert after.look(FIRES, LATER) == ()
    assert [alert.told for alert in after.to_tell()] == ["firing"]
    (ended,) = after.look(CALM, LATER)
    assert (ended.state, ended.since, ended.ended) == ("resolved", START, LATER)


def test_two_agents_that_see_the_same_tell_it_once(database: Database):
    one, other = AlertBook(database, "a"), AlertBook(database, "b")
    assert len(one.look(FIRES, START)) == 1
    assert other.look(FIRES, START) == ()
    assert len(one.to_tell()) == 1
    assert other.to_tell() == ()


def test_what_an_agent_alone_knows_is_nobody_elses_to_end(database: Database):
    one, other = AlertBook(database, "a"), AlertBook(database, "b")
    one.look(Judged((LOCAL,), frozenset({Kind.REMOTE})), START)
    other.look(CALM, LATER)
    assert one.standing() == ((Kind.REMOTE, "orders"),)
    assert other.standing() == ()
    with database.read() as conn:
        assert [(alert.subject, observer) for alert, observer in all_alerts(conn)] == [("orders", "a")]


def test_what_a_dead_agent_did_not_tell_is_told_by_another(database: Database):
    AlertBook(database, "a").look(FIRES, START)
    other = AlertBook(database, "b")
    other.adopt(["a"])
    assert [alert.subject for alert in other.to_tell()] == ["orders"]


def test_an_alarm_that_is_over_and_told_is_forgotten(database: Database):
    book = AlertBook(database, "a")
    book.look(FIRES, START)
    (ended,) = book.look(CALM, LATER)
    book.tell(ended, "resolved", LATER)
    book.look(CALM, LATER)
    with database.read() as conn:
        assert all_alerts(conn) == ()
