"""Whatever a mapping may give is stored as given: read back equal, so that writing it again writes nothing."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.dataverse import Account, Product, SalesOrder
from tagline.connectors.dataverse.wire import fields_of
from tagline.domain.environment import DataverseConnection
from tagline.domain.model import columns
from tagline.errors import Disposition
from tagline.flow.decide import Wish, compared, decide
from tagline.flow.effects import Verb
from tagline.sandbox.sandbox import Sandbox

FIRST = datetime(1753, 1, 1, tzinfo=UTC)
"""The organisation knows no time before it."""
NUMBERS = count()
CLOCK = VirtualClock(datetime(2026, 3, 10, 12, 0, tzinfo=UTC))


@pytest.fixture(scope="module")
def crm():
    sandbox = Sandbox(CLOCK, environments=("dev",))
    given = sandbox.connection_configs("dev")
    client = connect(
        "crm",
        DataverseConnection.model_validate(given["crm"]),
        clock=CLOCK,
        secrets=lambda reference: given["secrets"][reference.removeprefix("env:")],
        transport=sandbox.transport(),
    )
    yield client
    client.close()


NASTY = st.sampled_from(list("'\"/\\%+&?#:;*<>(),=$@ \t\r\n\0é€漢😀\u200b\u202e\ufeff-")) | st.characters(
    exclude_categories=("Cs",)
)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=45))])


def values_of(model):
    """Fields of a row that the remote takes, at and around the edges of their columns; what is computed or a key is not."""
    facts, keyed = columns(model), {name for key in model.remote.keys for name in key}
    found = {
        name: value
        for name, field in fields_of(model).items()
        if (facts[name].create and facts[name].update and name not in (*keyed, model.remote.primary_id))
        and name != "statuscode"
        and (value := value_of(field.kinds, facts[name])) is not None
    }
    needed = {name: value for name, value in found.items() if facts[name].required}
    others = {name: st.none() | value for name, value in found.items() if name not in needed}
    return st.fixed_dictionaries(needed, optional=others)


def value_of(kinds, facts):
    if facts.options:
        return st.sampled_from(facts.options)
    if facts.max_length:
        return st.text(NASTY, max_size=facts.max_length) | st.just("𝄞" * (facts.max_length // 2))
    if Decimal in kinds:
        most = 100 if "percentage" in facts.name else 10**9
        return st.decimals(min_value=0, max_value=most, places=2)
    if datetime in kinds:
        since_then = st.timedeltas(timedelta(0), timedelta(days=3_000_000))
        return st.builds(lambda more, zone: (FIRST + more).astimezone(zone), since_then, ZONES)
    if date in kinds:
        return st.dates(date(1753, 1, 1))
    return st.booleans() if bool in kinds else None


def stored(crm, model, key, fields):
    names = sorted(compared(model, Wish(Verb.UPSERT, fields), key))
    [row] = crm.read(model, [key], names).values()
    return row


@pytest.mark.parametrize("model", [Account, SalesOrder, Product], ids=lambda model: model.remote.entity)
@settings(max_examples=12)
@given(data=st.data())
def test_a_row_reads_back_as_it_was_written_and_is_not_written_again(crm, model, data):
    [name] = model.remote.keys[0]
    text = data.draw(st.text(NASTY, min_size=1, max_size=40))
    key = ((name, f"{next(NUMBERS)}{text}"),)
    first, second = data.draw(values_of(model)), data.draw(values_of(model))
    for fields in (first, second):
        row = next(iter(crm.read(model, [key], sorted(fields)).values()), None)
        write = decide(model, key, fields, row)
        if write is None:
            continue
        [outcome] = crm.perform([write])
        assert (outcome.disposition, outcome.message) == (Disposition.DONE, "")
        row = stored(crm, model, key, fields)
        assert (row.id, row.etag) == (outcome.id, outcome.etag)
        assert decide(model, key, fields, row) is None
