import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.connectors.dataverse import Account, Contact, UnitGroup
from tagline.connectors.dataverse.bulk import MAX_REFUSED, MAX_ROWS, load
from tagline.errors import Disposition, TryAgainError

ROOT = "/api/data/v9.2"
DONE, RETRY, DEAD = Disposition.DONE, Disposition.RETRY, Disposition.DEAD_LETTER


def guid(number):
    return f"00000000-0000-0000-0000-{number:012}"


def refusal(status=400, code="0x80044331"):
    return httpx.Response(status, json={"error": {"code": code, "message": "canary"}})


class Store:
    """Takes a message whole or refuses it for one of its names, as standard tables do."""

    def __init__(self, bad=()):
        self.bad = bad
        self.sizes = []
        self.paths = []
        self.stored = []

    def __call__(self, request):
        targets = json.loads(request.content)["Targets"]
        self.sizes.append(len(targets))
        self.paths.append(request.url.path)
        if any(target["name"] in self.bad for target in targets):
            return refusal()
        self.stored += [target["name"] for target in targets]
        if request.url.path.endswith("CreateMultiple"):
            ids = [guid(int(target["name"])) for target in targets]
            return httpx.Response(200, json={"Ids": ids})
        return httpx.Response(204)


def accounts(*names):
    return [Account(tl_customerkey=f"k{name}", name=str(name)) for name in names]


def test_rows_with_their_key_are_upserted_by_it(make_dataverse):
    seen = []

    def organisation(request):
        seen.append((request.url.path, json.loads(request.content)))
        return httpx.Response(204)

    outcomes = make_dataverse(organisation).load(accounts(1))
    assert [(o.disposition, o.id) for o in outcomes] == [(DONE, None)]
    assert seen == [
        (
            f"{ROOT}/accounts/Microsoft.Dynamics.CRM.UpsertMultiple",
            {
                "Targets": [
                    {
                        "@odata.type": "Microsoft.Dynamics.CRM.account",
                        "@odata.id": "accounts(tl_customerkey='k1')",
                        "tl_customerkey": "k1",
                        "name": "1",
                    }
                ]
            },
        )
    ]


def test_rows_without_a_key_are_created_and_told_their_ids_in_order(make_dataverse):
    store = Store()
    outcomes = make_dataverse(store).load([Account(name="1"), *accounts(2), Account(name="3")])
    assert [o.id for o in outcomes] == [guid(1), None, guid(3)]
    assert [path.rsplit(".", 1)[1] for path in store.paths] == ["UpsertMultiple", "CreateMultiple"]


def test_many_rows_are_several_messages(make_dataverse):
    store = Store()
    make_dataverse(store).load(accounts(*range(MAX_ROWS + 1)))
    assert store.sizes == [MAX_ROWS, 1]


def test_one_bad_row_ends_alone(make_dataverse):
    store = Store(bad=("77",))
    outcomes = make_dataverse(store).load(accounts(*range(MAX_ROWS)))
    assert [n for n, o in enumerate(outcomes) if o.disposition is not DONE] == [77]
    assert (outcomes[77].code, len(store.stored)) == ("text-too-long", MAX_ROWS - 1)
    assert len(store.sizes) < 20
    assert "canary" not in str(outcomes[77])


def test_a_row_without_a_form_on_the_wire_is_its_own_dead_letter(make_dataverse):
    store = Store()
    outcomes = make_dataverse(store).load([Account(tl_customerkey="", name="1"), *accounts(2)])
    assert [(o.disposition, o.code) for o in outcomes] == [(DEAD, "key-not-addressable"), (DONE, "")]


def test_rows_that_are_all_refused_do_not_cost_a_request_each(make_dataverse):
    store = Store(bad=[str(n) for n in range(MAX_ROWS)])
    outcomes = make_dataverse(store).load(accounts(*range(MAX_ROWS)))
    assert {o.disposition for o in outcomes} == {DEAD}
    assert [o.code for o in outcomes].count("load-stopped") == MAX_ROWS - MAX_REFUSED
    assert len(store.sizes) < 4 * MAX_REFUSED


@pytest.mark.parametrize(
    ("answer", "disposition", "code"),
    [
        (refusal(400, "0x80060888"), DEAD, "query-refused"),
        (refusal(403, "0x80048306"), Disposition.STOP, "not-permitted"),
        (refusal(500, "0x80040216"), RETRY, "remote-failed"),
    ],
)
def test_what_no_row_causes_is_asked_once(make_dataverse, answer, disposition, code):
    seen = []

    def organisation(request):
        seen.append(request)
        return answer

    outcomes = make_dataverse(organisation).load(accounts(1, 2))
    assert [(o.disposition, o.code) for o in outcomes] == [(disposition, code)] * 2
    assert len(seen) == 1


def test_a_row_that_somebody_else_made_ends_alone(make_dataverse):
    def organisation(request):
        names = [target["name"] for target in json.loads(request.content)["Targets"]]
        return refusal(412, "0x80040237") if "2" in names else httpx.Response(204)

    outcomes = make_dataverse(organisation).load(accounts(1, 2, 3))
    assert [(o.disposition, o.code) for o in outcomes] == [(DONE, ""), (RETRY, "row-exists"), (DONE, "")]


def test_a_lost_answer_is_raised_and_the_message_sent_once(make_dataverse):
    seen = []

    def organisation(request):
        seen.append(request)
        raise httpx.ReadTimeout("x")

    with pytest.raises(TryAgainError) as caught:
        make_dataverse(organisation).load(accounts(1, 2))
    assert (caught.value.code, len(seen)) == ("remote-outcome-unknown", 1)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"Ids":["x"]}', b'{"Ids":[]}'])
def test_ids_that_are_not_told_are_unknown(make_dataverse, body):
    client = make_dataverse(lambda r: httpx.Response(200, content=body))
    assert [(o.disposition, o.id) for o in client.load([Account(name="1")])] == [(DONE, None)]


def test_a_model_without_keys_is_created(make_dataverse):
    seen = []

    def organisation(request):
        seen.append(request.url.path)
        return httpx.Response(200, json={"Ids": [guid(1)]})

    make_dataverse(organisation).load([Contact(lastname="A")])
    make_dataverse(organisation).load([UnitGroup(name="Pieces")])
    assert [path.rsplit(".", 1)[1] for path in seen] == ["CreateMultiple", "UpsertMultiple"]


class Plain:
    """A session's `send` over a store, without signing in."""

    def __init__(self, store):
        self._store = store

    def send(self, method, target, body):
        answer = self._store(httpx.Request(method, f"https://org.test{target}", content=json.dumps(body)))
        return Answered(answer.status_code, dict(answer.headers), answer.content)

    def retry_after(self, answer):
        return None


class Answered:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


@given(total=st.integers(0, 40), bad=st.sets(st.integers(0, 39), max_size=MAX_REFUSED - 1))
def test_every_good_row_is_stored_once_and_every_bad_one_told(total, bad):
    store = Store(bad=[str(n) for n in bad])
    outcomes = load(Plain(store), accounts(*range(total)))
    assert [n for n, o in enumerate(outcomes) if o.disposition is DEAD] == sorted(n for n in bad if n < total)
    assert sorted(map(int, store.stored)) == [n for n in range(total) if n not in bad]
