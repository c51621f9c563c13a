"""New rows in bulk: what a back-fill makes where the connection says so, and nobody else."""

import json
from datetime import UTC, datetime
from itertools import count

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.budgets import governor_for
from tagline.connectors.dataverse import Account, Contact
from tagline.connectors.dataverse.bulk import MAX_ROWS
from tagline.connectors.pace import Lane
from tagline.domain.environment import DataverseConnection
from tagline.domain.exchange import ROW_EXISTS, Write, WriteKind
from tagline.errors import Disposition, TryAgainError
from tagline.sandbox.sandbox import Sandbox

ROOT = "/api/data/v9.2"
MESSAGE = f"{ROOT}/accounts/Microsoft.Dynamics.CRM.CreateMultiple"
DONE, RETRY, DEAD = Disposition.DONE, Disposition.RETRY, Disposition.DEAD_LETTER
RUNS = count()
CLOCK = VirtualClock(datetime(2026, 3, 10, 12, 0, tzinfo=UTC))


def guid(number):
    return f"00000000-0000-0000-0000-{number:012}"


def create(key, **fields):
    return Write(WriteKind.CREATE, Account, (("tl_customerkey", key),), fields)


def refusal(status=400, code="0x80044331"):
    return httpx.Response(status, json={"error": {"code": code, "message": "canary"}})


@pytest.fixture
def bulk(sign_in, clock):
    """A client whose organisation answers bulk messages as given and batches by making all of their rows; and what it was sent."""
    made = []

    def make(answer, *, lane=Lane.BACK_FILL, first_load="bulk"):
        sent = []

        def organisation(request):
            if request.url.host == "login.test":
                return sign_in(request)
            sent.append(request)
            return answer(request) if request.url.path.endswith("CreateMultiple") else batch(request)

        config = DataverseConnection(
            system="dataverse",
            url="https://org.test",
            tenant="tenant",
            client_id="client",
            client_secret="env:SECRET",
            authority="https://login.test",
            first_load=first_load,
        )
        client = connect(
            "crm",
            config,
            clock=clock,
            secrets=lambda reference: "secret",
            transport=httpx.MockTransport(organisation),
            governor=governor_for(config, clock, lane=lane),
        )
        made.append(client)
        return client, sent

    yield make
    for client in made:
        client.close()


def batch(request):
    parts = request.content.count(b" HTTP/1.1\r\n")
    head = "--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 201 Created\r\n\r\n"
    rows = [json.dumps({"accountid": guid(n), "@odata.etag": 'W/"1"'}) for n in range(parts)]
    content = "".join(f"{head}{row}\r\n" for row in rows) + "--b--\r\n"
    return httpx.Response(200, headers={"content-type": "multipart/mixed; boundary=b"}, text=content)


def told(request):
    targets = json.loads(request.content)["Targets"]
    return httpx.Response(200, json={"Ids": [guid(n) for n in range(len(targets))]})


def paths(sent):
    return [request.url.path.removeprefix(f"{ROOT}/") for request in sent]


def test_new_rows_of_a_table_are_one_message_with_their_keys_in_it(bulk):
    client, sent = bulk(told)
    outcomes = client.perform([create("a", name="A"), create("b/1", name="B")])
    assert [(o.disposition, o.id, o.etag) for o in outcomes] == [(DONE, guid(0), None), (DONE, guid(1), None)]
    assert paths(sent) == ["accounts/Microsoft.Dynamics.CRM.CreateMultiple"]
    kind = "Microsoft.Dynamics.CRM.account"
    assert json.loads(sent[0].content) == {
        "Targets": [
            {"@odata.type": kind, "tl_customerkey": "a", "name": "A"},
            {"@odata.type": kind, "tl_customerkey": "b/1", "name": "B"},
        ]
    }


@pytest.mark.parametrize(
    "changes", [{"lane": Lane.LIVE}, {"first_load": "each"}], ids=["live-work", "not-asked-for"]
)
def test_nothing_else_goes_out_in_bulk(bulk, changes):
    client, sent = bulk(told, **changes)
    client.perform([create("a"), create("b")])
    assert paths(sent) == ["$batch"]


def test_each_table_has_its_message_and_other_writes_go_as_ever(bulk):
    client, sent = bulk(told)
    key = (("tl_customerkey", "p"),)
    person = Write(WriteKind.CREATE, Contact, key, {"lastname": "P"})
    update = Write(WriteKind.UPDATE, Account, (), {"name": "U"}, id=guid(7), etag='W/"1"')
    outcomes = client.perform([create("a"), update, person, create("b"), person])
    assert [o.id for o in outcomes] == [guid(0), guid(0), guid(0), guid(1), guid(1)]
    assert sorted(path.split("/")[0] for path in paths(sent)) == ["$batch", "accounts", "contacts"]


def test_many_rows_are_several_messages(bulk):
    client, sent = bulk(told)
    outcomes = client.perform([create(str(n)) for n in range(MAX_ROWS + 2)])
    assert {o.disposition for o in outcomes} == {DONE}
    assert sum(len(json.loads(r.content)["Targets"]) for r in sent) == MAX_ROWS + 2
    assert len(sent) > 1


@pytest.mark.parametrize("key", ["", None, "x" * 101], ids=["blank", "none", "long"])
def test_a_row_whose_key_is_none_is_its_own_dead_letter(bulk, key):
    client, _ = bulk(told)
    outcomes = client.perform([create(key), create("a"), create("b")])
    assert [(o.disposition, o.code) for o in outcomes] == [
        (DEAD, "key-not-addressable"),
        (DONE, ""),
        (DONE, ""),
    ]


def test_a_table_without_the_message_is_asked_once(bulk):
    client, sent = bulk(lambda request: refusal(404, "0x8006088a"))
    for _ in range(2):
        assert {o.disposition for o in client.perform([create("a"), create("b")])} == {DONE}
    assert [path.split(".")[-1] for path in paths(sent)] == ["CreateMultiple", "$batch", "$batch"]


@pytest.mark.parametrize(
    ("answer", "disposition", "code"),
    [
        (refusal(429, "0x80072321"), RETRY, "remote-throttled"),
        (httpx.Response(500), RETRY, "remote-failed"),
        (refusal(403, "0x80072560"), Disposition.STOP, "application-user-unusable"),
    ],
    ids=["throttled", "failed", "stopped"],
)
def test_what_no_row_causes_is_told_of_each_and_not_sent_again(bulk, answer, disposition, code):
    client, sent = bulk(lambda request: answer)
    outcomes = client.perform([create("a"), create("b")])
    assert {(o.disposition, o.code) for o in outcomes} == {(disposition, code)}
    assert set(paths(sent)) == {"accounts/Microsoft.Dynamics.CRM.CreateMultiple"}
    assert "canary" not in str(outcomes)


def test_a_lost_answer_is_raised_and_the_message_sent_once(bulk):
    def lose(request):
        raise httpx.ReadTimeout("", request=request)

    client, sent = bulk(lose)
    with pytest.raises(TryAgainError) as caught:
        client.perform([create("a"), create("b")])
    assert (caught.value.code, len(sent)) == ("remote-outcome-unknown", 1)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"Ids":7}', b'{"Ids":["x"]}', b'{"Ids":["x","y"]}'], ids=repr
)
def test_ids_that_are_not_told_are_unknown(bulk, body):
    client, _ = bulk(lambda request: httpx.Response(200, content=body))
    outcomes = client.perform([create("a"), create("b")])
    assert [(o.disposition, o.id) for o in outcomes] == [(DONE, None)] * 2


# --- in the sandbox


@pytest.fixture(scope="module")
def crm():
    sandbox = Sandbox(CLOCK, environments=("dev",))
    given_ = sandbox.connection_configs("dev")
    config = DataverseConnection.model_validate({**given_["crm"], "first_load": "bulk"})
    client = connect(
        "crm",
        config,
        clock=CLOCK,
        secrets=lambda reference: given_["secrets"][reference.removeprefix("env:")],
        transport=sandbox.transport(),
        governor=governor_for(config, CLOCK, lane=Lane.BACK_FILL),
    )
    yield client
    client.close()


@settings(max_examples=15)
@given(
    total=st.integers(2, 12),
    bad=st.sets(st.integers(0, 11), max_size=3),
    standing=st.sets(st.integers(0, 11), max_size=3),
)
def test_every_good_row_is_made_once_and_every_other_one_told(crm, total, bad, standing):
    """Whatever spoils a message spoils its own row alone, and a row that somebody made meanwhile is not made twice."""
    run = next(RUNS)
    keys = [f"{run}-{n}" for n in range(total)]
    bad, standing = ({n for n in some if n < total} for some in (bad, standing - bad))
    for n in standing:
        crm.perform([create(keys[n], name="first")])
    outcomes = crm.perform([create(k, name="x" * 161 if n in bad else "new") for n, k in enumerate(keys)])
    expected = {n: ROW_EXISTS if n in standing else "text-too-long" if n in bad else "" for n in range(total)}
    assert {n: o.code for n, o in enumerate(outcomes)} == expected
    rows = crm.read(Account, [create(key).key for key in keys], ["name"])
    names = [rows[key].values["name"] if (key := create(k).key) in rows else None for k in keys]
    assert names == ["first" if n in standing else None if n in bad else "new" for n in range(total)]
