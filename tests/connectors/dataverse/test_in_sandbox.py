"""The connector against the sandbox, where the two have to agree on more than one request."""

from datetime import UTC, datetime
from itertools import count

import pytest

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.dataverse import Account, Product, SalesOrder, TransactionCurrency, models
from tagline.domain.environment import DataverseConnection
from tagline.domain.exchange import ROW_EXISTS, Write, WriteKind
from tagline.domain.model import columns
from tagline.domain.schema import KeySchema
from tagline.errors import Disposition
from tagline.sandbox.dataverse_schema import tables
from tagline.sandbox.sandbox import Sandbox

MODELS = [model for name in models.__all__ if (model := getattr(models, name)).remote.entity in tables()]


@pytest.fixture(scope="module")
def clock():
    return VirtualClock(datetime(2026, 3, 10, 12, 0, tzinfo=UTC))


@pytest.fixture(scope="module")
def crm(clock):
    sandbox = Sandbox(clock, environments=("dev",))
    given = sandbox.connection_configs("dev")
    config = DataverseConnection.model_validate({**given["crm"], "webhook_token": "env:HOOK"})
    secrets = {**given["secrets"], "HOOK": "a" * 24}
    client = connect(
        "crm",
        config,
        clock=clock,
        secrets=lambda reference: secrets[reference.removeprefix("env:")],
        transport=sandbox.transport(),
    )
    yield client
    client.close()


@pytest.fixture(scope="module")
def made(crm):
    """Create another account and tell the outcome."""
    numbers = count()

    def make(name="A"):
        key = (("tl_customerkey", f"made-{next(numbers)}"),)
        [outcome] = crm.perform([Write(WriteKind.CREATE, Account, key, {"name": name})])
        assert outcome.disposition is Disposition.DONE
        return outcome

    return make


def sweep(crm, cursor):
    items, more = [], True
    while more:
        page = crm.changes(Account, cursor)
        items += page.items
        cursor, more = page.cursor, page.more
    return items, cursor


@pytest.mark.parametrize("model", MODELS)
def test_the_schema_tells_of_every_column_and_key_of_a_model(crm, model):
    schema = crm.describe(model)
    assert columns(model).keys() - schema.columns.keys() == set()
    assert [key for key in model.remote.keys if key not in {k.columns for k in schema.keys}] == []


def test_the_schema_knows_lengths_options_targets_and_the_state_of_keys(crm):
    account = crm.describe(Account)
    assert account.columns["name"].max_length == 160
    assert account.columns["statecode"].options == {"0": "Active", "1": "Inactive"}
    assert account.columns["transactioncurrencyid"].targets == ("transactioncurrency",)
    assert account.keys == (KeySchema("tl_account_customerkey", ("tl_customerkey",), is_active=True),)
    assert account.tracks_changes
    currency = crm.describe(TransactionCurrency).columns
    assert (currency["isocurrencycode"].required, currency["statuscode"].required) == (True, False)


def test_a_sweep_tells_of_changed_and_deleted_rows_since_it_began(crm, made):
    kept, gone = made(), made()
    cursor = crm.changes(Account, None).cursor
    update = Write(WriteKind.UPDATE, Account, (), {"name": "B"}, id=kept.id, etag=kept.etag)
    delete = Write(WriteKind.DELETE, Account, (), id=gone.id, etag=gone.etag)
    [changed, _] = crm.perform([update, delete])
    items, cursor = sweep(crm, cursor)
    assert [(i.key, i.version, i.is_gone) for i in items] == [
        (kept.id, changed.etag, False),
        (gone.id, "", True),
    ]
    assert sweep(crm, cursor)[0] == []


def test_a_sweep_that_was_away_for_too_long_misses_no_change(crm, made, clock):
    """Longer than the organisation remembers: the link is refused, and the rows are found by their time of change."""
    before = made()
    clock.advance(3600)
    cursor = crm.changes(Account, None).cursor
    update = Write(WriteKind.UPDATE, Account, (), {"name": "B"}, id=before.id, etag=before.etag)
    crm.perform([update])
    clock.advance(8 * 86400)
    late = made()
    items, cursor = sweep(crm, cursor)
    assert [i.key for i in items] == [before.id, late.id]
    assert sweep(crm, cursor)[0] == []


def test_the_newest_rows_end_with_the_last_one(crm, made, clock):
    ids = []
    for _ in range(3):
        clock.advance(1)
        ids.append(made().id)
    assert crm.recent(Account, 2) == ids[1:]


def test_a_fetched_row_is_a_whole_model(crm, made):
    row_id = made("Whole").id
    assert crm.fetch(Account, [row_id]).records[row_id].name == "Whole"


def test_an_active_product_can_be_revised_and_published_again(crm):
    product = crm.recent(Product, 1)[0]
    for action, state in (("ReviseProduct", 3), ("PublishProduct", 0)):
        [outcome] = crm.perform([Write(WriteKind.ACT, Product, (), id=product, action=action)])
        assert outcome.disposition is Disposition.DONE
        [row] = crm.read(Product, [(("productid", product),)], ["statecode"]).values()
        assert row.values == {"statecode": state}


def test_a_submitted_order_can_be_reopened(crm, made):
    key = (("tl_orderkey", made().id),)
    [order] = crm.perform([Write(WriteKind.CREATE, SalesOrder, key, {"name": "O"})])
    for action, state in (("SubmitSalesOrder", 1), ("ReopenSalesOrder", 0)):
        [outcome] = crm.perform([Write(WriteKind.ACT, SalesOrder, key, id=order.id, action=action)])
        assert (outcome.disposition, outcome.code) == (Disposition.DONE, "")
        [row] = crm.read(SalesOrder, [key], ["statecode"]).values()
        assert row.values == {"statecode": state}


NASTY = ["A/B", "A%B", "A+B", "A&B", "A:B", "A\\B", "<A>", "A*B?", "A'B", "A#B", "Ä€😀", "A)B", "$1", "A B"]


def test_whatever_characters_a_key_has_its_row_is_made_found_and_changed(crm):
    """Article numbers are what people made them; one that no address can carry must not spoil the reads of a hundred others."""
    keys = [(("productnumber", f"key {text}"),) for text in NASTY]
    fields = {"name": "n", "quantitydecimal": 2}
    made = crm.perform([Write(WriteKind.CREATE, Product, key, {**dict(key), **fields}) for key in keys])
    assert {o.disposition for o in made} == {Disposition.DONE}
    again = crm.perform([Write(WriteKind.CREATE, Product, key, {**dict(key), **fields}) for key in keys])
    assert {o.code for o in again} == {ROW_EXISTS}
    rows = crm.read(Product, [*keys, (("productnumber", "A/C"),)], ["productnumber"])
    assert {key: row.id for key, row in rows.items()} == {k: o.id for k, o in zip(keys, made, strict=True)}
    changes = [Write(WriteKind.UPDATE, Product, key, {"name": "m"}, r.id, r.etag) for key, r in rows.items()]
    assert {o.disposition for o in crm.perform(changes)} == {Disposition.DONE}


def test_webhooks_are_registered_with_their_steps_and_removed(crm):
    events, url = (
        ["account-created", "account-changed", "salesorder-deleted"],
        "https://in.test/hooks/o2c/crm",
    )
    assert crm.subscribe(events, url) == events
    assert crm.subscribe(events, url) == []
    assert sorted(crm.unsubscribe(url)) == sorted(events)


@pytest.mark.parametrize("year", [1, 999, 1752])
def test_a_time_that_the_organisation_does_not_know_is_its_own_dead_letter(crm, year):
    """It must not get in: a row that cannot be shown would spoil every read that meets it."""
    keys = [(("tl_orderkey", f"{name}-{year}"),) for name in ("early", "late")]
    times = [datetime(year, 1, 1, tzinfo=UTC), datetime(1753, 1, 1, tzinfo=UTC)]
    writes = [
        Write(WriteKind.CREATE, SalesOrder, key, {"name": "n", "tl_orderedon": time})
        for key, time in zip(keys, times, strict=True)
    ]
    assert [o.code for o in crm.perform(writes)] == ["argument-refused", ""]
    assert [row.values["tl_orderedon"] for row in crm.read(SalesOrder, keys, ["tl_orderedon"]).values()] == [
        times[1]
    ]
