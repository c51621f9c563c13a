"""Word between agents: a row that one of them stored wakes the other."""

from __future__ import annotations

import threading
from contextlib import closing

import psycopg
import pytest
from tests.runtime.making import make_hint, make_store

from tagline.runtime.notices import Listener


def store_until(store, rang: threading.Event) -> None:
    """Store hints until they are heard of: a listener may not be there yet."""
    for _ in range(100):
        store.receive([make_hint("1")])
        if rang.wait(0.2):
            return
    pytest.fail("nothing was heard")


@pytest.fixture
def store(postgres_schema):
    with closing(make_store(postgres_schema)) as opened:
        yield opened


def test_another_agent_hears_of_what_was_stored(store, postgres_schema):
    heard: list[str] = []
    rang = threading.Event()

    def hear(integration: str) -> None:
        heard.append(integration)
        rang.set()

    listener = Listener(postgres_schema, hear)
    try:
        store_until(store, rang)
        assert set(heard) == {"orders"}
    finally:
        listener.stop()


def test_it_listens_again_after_the_server_dropped_it(store, postgres_schema):
    rang = threading.Event()
    listener = Listener(postgres_schema, lambda _: rang.set(), again_s=0.05)
    try:
        store_until(store, rang)
        with psycopg.connect(postgres_schema.url) as administrator:
            administrator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
            )
        rang.clear()
        store_until(store, rang)
    finally:
        listener.stop()
