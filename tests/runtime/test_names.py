"""A record is found by what people call it, unless that describes a person."""

from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest
from tests.runtime.making import make_hint, make_store

from tagline.domain.model import Model, Remote, column
from tagline.runtime.names import Named, names_of, remember
from tagline.runtime.trails import Sought, Source, Trails


class Bill(Model):
    remote: ClassVar[Remote] = Remote(
        "shop", "NamedBill", "NamedBills", "id", (("prefix", "number"), ("code",), ("email",), ("card",))
    )

    id: int = column(default=0)
    prefix: str = column(default="")
    number: int = column(default=0)
    code: str | None = column()
    email: str = column(default="", personal=True)
    card: str = column(default="", secret=True)


@pytest.mark.parametrize(
    ("bill", "names"),
    [
        (Bill(prefix="AB-", number=41001), ["AB-41001", "41001"]),
        (Bill(number=41001), ["41001"]),
        (Bill(code="X", number=7), ["X"]),
        (Bill(prefix="AB-"), ["AB-"]),
        (Bill(email="a@b.example", card="4111"), []),
        (Bill(), []),
    ],
    ids=["two columns", "last alone", "not the key itself", "first alone", "personal and secret", "none"],
)
def test_names_are_the_values_of_alternate_keys(bill: Bill, names: list[str]) -> None:
    assert names_of(bill, "7") == names


def test_a_trail_is_found_by_a_name(place) -> None:
    with closing(make_store(place)) as store:
        store.receive([make_hint("7")])
        named = [Named("orders", "sync", "7", name) for name in ("AB-41001", "41001")]
        for _ in range(2):
            with store.database.write() as conn:
                remember(conn, named)
        trails = Trails(store.database, store.images)
        source = Source("orders", "sync", "shop", "Order")
        found = [trails.follow(Sought("shop", "Order", name), [source]) for name in ("AB-41001", "41001")]
        assert [trail.records for trail in found] == [(("orders", "sync", "7"),)] * 2
        assert trails.follow(Sought("shop", "Order", "AB-4100"), [source]).records == ()


def test_names_are_kept_with_the_end_of_the_run(tmp_path: Path) -> None:
    with closing(make_store(tmp_path)) as store:
        named = [Named("orders", "sync", "7", "AB-41001")]
        store.receive([make_hint("7")])
        store.finish([], holder="me", deployment="d", read_at=store.clock.now(), named=named)
        trails = Trails(store.database, store.images)
        source = Source("orders", "sync", "shop", "Order")
        assert trails.follow(Sought("shop", "Order", "AB-41001"), [source]).records
