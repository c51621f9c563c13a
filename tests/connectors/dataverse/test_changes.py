"""Sweeps against a table that tracks its changes as the reference says, or does not."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.connectors.dataverse import Account
from tagline.connectors.odata.cursors import Cursor
from tagline.domain.environment import DataverseConnection
from tagline.errors import RecordError, RefusedError, TryAgainError, UsageError

ROOT = "https://org.test/api/data/v9.2"
START = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def guid(number):
    return f"00000000-0000-0000-0000-{number:012}"


class Table:
    """Accounts of an organisation: versions, delta links that can expire, lists by time, all in pages of two."""

    PAGE = 2

    def __init__(self, clock, *, tracked=True, expired=400):
        self.clock = clock
        self.tracked = tracked
        self.expired = expired
        self.version = 0
        self.epoch = 0
        self.rows = {}
        self.gone = {}
        self.asked = []

    def write(self, number, lag_s=0):
        """Commit a row now that was stamped a little earlier."""
        self.version += 1
        self.gone.pop(guid(number), None)
        stamp = self.clock.now() - timedelta(seconds=lag_s)
        self.rows[guid(number)] = (self.version, stamp.replace(microsecond=0))

    def delete(self, number):
        if self.rows.pop(guid(number), None):
            self.version += 1
            self.gone[guid(number)] = self.version

    def etag(self, number):
        return f'W/"{self.rows[guid(number)][0]}"'

    def __call__(self, request):
        if request.url.host == "login.test":
            return _login(request)
        query = {k: v[0] for k, v in parse_qs(request.url.query.decode()).items()}
        self.asked.append(query)
        if request.url.path.endswith("EntityDefinitions(LogicalName='account')"):
            return httpx.Response(200, json={"ChangeTrackingEnabled": self.tracked})
        if int(query.get("epoch", self.epoch)) != self.epoch:
            return httpx.Response(
                self.expired, json={"error": {"code": "0x80044352", "message": "Version stamp expired."}}
            )
        if "since" in query:
            return self._delta(query)
        if "$filter" in query:
            return self._by_time(query)
        assert request.headers["prefer"] == "odata.track-changes"
        return self._list(query)

    def _page(self, rows, query, more, *, last):
        """`rows` are (place, json) in order; those behind the place of the link are next."""
        left = [row for row in rows if row[0] > json.loads(query.get("after", "[]"))]
        page, rest = left[: self.PAGE], left[self.PAGE :]
        body = {"value": [row for _, row in page], **({} if rest else last)}
        if rest:
            link = httpx.QueryParams({**more, "epoch": self.epoch, "after": json.dumps(page[-1][0])})
            body["@odata.nextLink"] = f"{ROOT}/accounts?{link}"
        return httpx.Response(200, json=body)

    def _token(self, version):
        return {"@odata.deltaLink": f"{ROOT}/accounts?since={version}&epoch={self.epoch}"}

    def _list(self, query):
        upto = int(query.get("upto", self.version))
        rows = [([i], {"@odata.etag": f'W/"{v}"', "accountid": i}) for i, (v, _) in sorted(self.rows.items())]
        return self._page(rows, query, {"upto": upto}, last=self._token(upto))

    def _delta(self, query):
        since, upto = int(query["since"]), int(query.get("upto", self.version))
        changed = sorted((v, i) for i, (v, _) in self.rows.items() if v > since)
        rows = [([0, v], {"@odata.etag": f'W/"{v}"', "accountid": i}) for v, i in changed]
        context = f"{ROOT}/$metadata#accounts/$deletedEntity"
        rows += [
            ([1, v], {"@odata.context": context, "id": i, "reason": "deleted"})
            for i, v in sorted(self.gone.items(), key=lambda item: item[1])
            if v > since
        ]
        return self._page(rows, query, {"since": since, "upto": upto}, last=self._token(upto))

    def _by_time(self, query):
        since = datetime.fromisoformat(query["$filter"].removeprefix("modifiedon ge "))
        found = sorted((at, i, v) for i, (v, at) in self.rows.items() if at >= since)
        rows = [
            ([at.isoformat(), i], {"@odata.etag": f'W/"{v}"', "accountid": i, "modifiedon": at.isoformat()})
            for at, i, v in found
        ]
        return self._page(rows, query, {"$filter": query["$filter"]}, last={})


def _login(request):
    if request.url.path.endswith("/openid-configuration"):
        base = "https://login.test/tenant"
        told = {
            "issuer": base,
            "token_endpoint": f"{base}/token",
            "authorization_endpoint": f"{base}/authorize",
        }
        return httpx.Response(200, json=told)
    return httpx.Response(200, json={"token_type": "Bearer", "expires_in": 10**9, "access_token": "t"})


def client_of(clock, handler):
    config = DataverseConnection(
        system="dataverse",
        url="https://org.test",
        tenant="tenant",
        client_id="client",
        client_secret="env:SECRET",
        authority="https://login.test",
    )
    return connect(
        "crm", config, clock=clock, secrets=lambda _: "secret", transport=httpx.MockTransport(handler)
    )


@pytest.fixture
def clock():
    return VirtualClock(START)


@pytest.fixture
def make(clock):
    """A table with three rows and a client that follows it."""

    def build(**traits):
        table = Table(clock, **traits)
        for number in (1, 2, 3):
            table.write(number)
        return table, client_of(clock, table)

    return build


def sweep(client, cursor):
    """All pages of a round and the cursor behind them."""
    items = []
    while True:
        page = client.changes(Account, cursor)
        items += page.items
        cursor = page.cursor
        if not page.more:
            return items, cursor


def told(items):
    return [(int(item.key[-12:]), item.version, item.is_gone) for item in items]


def test_a_sweep_starts_now_without_history_and_lists_ids_alone(make):
    table, client = make()
    page = client.changes(Account, None)
    assert (page.items, page.more) == ((), False)
    assert table.asked[1] == {"$select": "accountid"}


def test_changed_rows_come_first_then_deleted_ones_page_by_page(make):
    table, client = make()
    cursor = client.changes(Account, None).cursor
    table.write(1)
    table.delete(2)
    table.write(4)
    first = client.changes(Account, cursor)
    assert (told(first.items), first.more) == ([(1, 'W/"4"', False), (4, 'W/"6"', False)], True)
    rest, cursor = sweep(client, first.cursor)
    assert told(rest) == [(2, "", True)]
    assert sweep(client, cursor)[0] == []


@pytest.mark.parametrize("status", [400, 410])
def test_an_expired_link_is_recovered_by_a_reread_since_it_was_last_good(make, clock, status):
    table, client = make(expired=status)
    clock.advance(3600)
    cursor = client.changes(Account, None).cursor
    clock.advance(60)
    table.write(2)
    clock.advance(30 * 86400)
    table.write(4)
    table.epoch += 1
    items, cursor = sweep(client, cursor)
    assert told(items) == [(2, 'W/"4"', False), (4, 'W/"5"', False)]
    table.write(3)
    assert told(sweep(client, cursor)[0]) == [(3, 'W/"6"', False)]


def test_the_new_link_is_taken_before_the_reread_so_that_nothing_falls_between_them(make, clock):
    table, client = make()
    cursor = client.changes(Account, None).cursor
    for number in (1, 2, 3):
        table.write(number)
    table.epoch += 1
    first = client.changes(Account, cursor)
    table.delete(1)
    items, _ = sweep(client, first.cursor)
    assert (1, "", True) in told(items)


def test_a_link_that_expires_between_pages_of_a_round_is_recovered_from_the_start_of_the_round(make):
    table, client = make()
    cursor = client.changes(Account, None).cursor
    for number in (1, 2, 3):
        table.write(number)
    first = client.changes(Account, cursor)
    table.epoch += 1
    items, _ = sweep(client, first.cursor)
    assert {(3, 'W/"6"', False)} <= set(told(items))


def test_without_change_tracking_rows_are_found_by_their_time_of_change(make, clock):
    table, client = make(tracked=False)
    clock.advance(3600)
    cursor = client.changes(Account, None).cursor
    assert sweep(client, cursor)[0] == []
    clock.advance(60)
    table.write(2, lag_s=119)
    items, cursor = sweep(client, cursor)
    assert told(items) == [(2, 'W/"4"', False)]
    assert table.asked[-1]["$filter"] == "modifiedon ge 2026-03-10T12:50:00Z"
    assert table.asked[-1]["$orderby"] == "modifiedon,accountid"
    clock.advance(700)
    _, cursor = sweep(client, cursor)
    assert sweep(client, cursor)[0] == []


def test_a_table_that_stops_tracking_is_followed_by_time(make, clock):
    table, client = make()
    clock.advance(3600)
    cursor = client.changes(Account, None).cursor
    table.tracked = False
    table.epoch += 1
    table.write(2)
    assert told(sweep(client, cursor)[0]) == [(2, 'W/"4"', False)]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "1", '{"v":2}', '{"v":1,"entity":"contact","good":"2026-01-01T00:00:00+00:00"}'],
)
def test_a_foreign_cursor_is_refused(make, text):
    with pytest.raises(UsageError) as caught:
        make()[1].changes(Account, text)
    assert caught.value.code == "cursor-unreadable"


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        pytest.param([], TryAgainError, "answer-malformed", id="no-object"),
        pytest.param({}, TryAgainError, "answer-malformed", id="no-list"),
        pytest.param({"value": [1]}, TryAgainError, "answer-malformed", id="no-row"),
        pytest.param({"value": []}, TryAgainError, "answer-malformed", id="no-link"),
        pytest.param({"value": [{"accountid": 7}]}, TryAgainError, "answer-malformed", id="no-id"),
        pytest.param({"value": [{"reason": "deleted"}]}, TryAgainError, "answer-malformed", id="no-gone-id"),
        pytest.param(
            {"value": [], "@odata.nextLink": "https://login.test/x"},
            RefusedError,
            "host-refused",
            id="login-host",
        ),
        pytest.param(
            {"value": [], "@odata.nextLink": "http://org.test/x"}, RefusedError, "host-refused", id="no-tls"
        ),
    ],
)
def test_a_page_that_is_none_ends_with_a_cause(make, clock, body, kind, code):
    table, client = make()
    cursor = client.changes(Account, None).cursor
    broken = client_of(
        clock, lambda r: table(r) if r.url.host == "login.test" else httpx.Response(200, json=body)
    )
    with pytest.raises(kind) as caught:
        sweep(broken, cursor)
    assert caught.value.code == code


def test_a_page_that_leads_to_itself_is_no_list(make, clock):
    table, client = make()
    cursor = client.changes(Account, None).cursor
    link = f"{ROOT}/accounts?again"
    broken = client_of(
        clock,
        lambda r: (
            table(r)
            if r.url.host == "login.test"
            else httpx.Response(200, json={"value": [], "@odata.nextLink": link})
        ),
    )
    with pytest.raises(TryAgainError, match="do not end"):
        sweep(broken, cursor)


def test_other_trouble_than_an_expired_link_is_told_and_starts_nothing_anew(make, clock):
    table, client = make()
    cursor = client.changes(Account, None).cursor
    broken = client_of(
        clock,
        lambda r: (
            table(r)
            if r.url.host == "login.test"
            else httpx.Response(404, json={"error": {"code": "0x80060888", "message": ""}})
        ),
    )
    with pytest.raises(RecordError) as caught:
        broken.changes(Account, cursor)
    assert caught.value.code == "query-refused"


NUMBERS = st.integers(1, 6)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), NUMBERS, st.integers(0, 120)),
        st.tuples(st.just("delete"), NUMBERS),
        st.tuples(st.just("tick"), st.sampled_from([1, 60, 3600, 10**6])),
        st.tuples(st.just("expire")),
        st.tuples(st.just("sweep")),
        st.tuples(st.just("sweep")),
    ),
    max_size=25,
)


@example(
    steps=[("write", 1, 0), ("write", 2, 0), ("write", 3, 0), ("sweep",), ("write", 1, 0)],
    tracked=False,
    expired=400,
)
@given(steps=STEPS, tracked=st.booleans(), expired=st.sampled_from([400, 410]))
def test_no_change_is_lost_however_writes_expiry_and_paging_fall(steps, tracked, expired):
    clock = VirtualClock(START)
    table = Table(clock, tracked=tracked, expired=expired)
    for number in (1, 2, 3):
        table.write(number)
    clock.advance(3600)
    client = client_of(clock, table)
    cursor = client.changes(Account, None).cursor
    items, written, deleted, goods = [], set(), set(), [Cursor.of(cursor, "account").good_at]

    def look():
        nonlocal cursor
        page = client.changes(Account, cursor)
        items.extend(page.items)
        cursor = page.cursor
        goods.append(Cursor.of(cursor, "account").good_at)
        return page.more

    for kind, *rest in steps:
        match kind, rest:
            case "write", [number, lag_s]:
                table.write(number, lag_s)
                written.add(number)
                deleted.discard(number)
            case "delete", [number] if guid(number) in table.rows:
                table.delete(number)
                written.discard(number)
                deleted.add(number)
            case "tick", [seconds]:
                clock.advance(seconds)
            case "expire", []:
                table.epoch += 1
            case "sweep", []:
                look()
    # Two rounds: what is written while the pages of one are read may be left to the next.
    for _ in range(2):
        while look():
            pass
    versions = {(item.key, item.version) for item in items}
    assert [n for n in written if (guid(n), table.etag(n)) not in versions] == []
    if tracked and ("expire",) not in steps:
        gone = {item.key for item in items if item.is_gone}
        assert [n for n in deleted if guid(n) not in gone] == []
    assert goods == sorted(goods)
    client.close()


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.test/x",
        "https://org.test@evil.test/x",
        "https://u@org.test/x",
        "https://org.test:444/x",
        "http://org.test/x",
        "https://[/x",
        "x",
    ],
)
def test_a_stored_link_is_followed_to_the_organisation_alone(make, link):
    """A cursor is stored and comes back: what stands in it is not believed."""
    _, client = make()
    stored = json.loads(client.changes(Account, None).cursor)
    with pytest.raises(RefusedError) as caught:
        client.changes(Account, json.dumps({**stored, "delta": link}))
    assert caught.value.code == "host-refused"


def test_the_default_port_may_be_written_out(make):
    table, client = make()
    stored = json.loads(client.changes(Account, None).cursor)
    table.write(1)
    delta = stored["delta"].replace("org.test", "ORG.test:443")
    assert told(client.changes(Account, json.dumps({**stored, "delta": delta})).items) == [
        (1, 'W/"4"', False)
    ]


@pytest.mark.parametrize("tracked", [True, False], ids=["by-link", "by-time"])
@pytest.mark.parametrize(
    ("row", "field"),
    [
        pytest.param({"name": "canary"}, "accountid", id="missing"),
        pytest.param({"accountid": 5}, "accountid", id="number"),
        pytest.param({"accountid": "canary"}, "accountid", id="text"),
        pytest.param({"id": "canary", "reason": "deleted"}, "id", id="gone"),
        pytest.param(None, "", id="null"),
        pytest.param(5, "", id="no-record"),
    ],
)
def test_a_changed_row_that_names_no_record_is_told_of_and_the_sweep_goes_on(
    make, clock, tracked, row, field
):
    table, client = make(tracked=tracked)
    _, cursor = sweep(client, None)
    table.write(4)

    def slipping(request):
        answer = table(request)
        body = json.loads(answer.content)
        if "value" in body:
            body["value"].append(row)
        return httpx.Response(answer.status_code, json=body)

    first, again = (client_of(clock, slipping).changes(Account, cursor) for _ in range(2))
    assert guid(4) in {change.key for change in first.items} or first.more
    assert [each.field for each in first.unread] == [field]
    assert "canary" not in str(first)
    assert again.unread == first.unread
