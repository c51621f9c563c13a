"""The page at the front: what it holds and did, nothing secret, nothing from elsewhere."""

import re
from html.parser import HTMLParser

from tagline.sandbox.faults import Fault
from tagline.sandbox.values import Request

FRONT = "https://login.sandbox.test/"


class Reader(HTMLParser):
    """Balanced tags, links and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)


def read(client):
    answer = client.get(FRONT)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    page = Reader(answer.text)
    assert page.open == []
    return page


def test_it_shows_what_every_site_holds_and_every_link_leads_to_it(sandbox, client):
    sandbox.shops["dev"].place_orders(3, seed=1)
    page = read(client)
    assert re.search(r"\b3\s+orders", page.text)
    assert re.search(r"\b80\s+ReleasedProductsV2", page.text)
    assert re.search(r"\b30\s+account\b", page.text)
    assert len(page.links) > 20
    for link in page.links:
        assert client.get(link).status_code == 200, link


def test_it_shows_the_last_calls_and_what_is_armed(sandbox, client, store):
    faults = sandbox.shops["dev"].door.faults
    store.call("GET", "/Orders/<script>")
    faults.next_calls(None, Fault.SLOW)
    faults.seeded(1, 0.25, (Fault.TORN_BODY,))
    page = read(client)
    assert "404 GET /3dCartWebAPI/v2/Orders/%3Cscript%3E" in re.sub(r"\s+", " ", page.text)
    assert "Faults to come: slow" in page.text
    assert "25% of calls, torn-body" in page.text
    assert "script" not in page.open


def test_what_a_stranger_sends_is_text_on_it_and_nothing_else(sandbox, client):
    sandbox.login.handle(Request("GET", 'https://login.sandbox.test/"><img src=x onerror=alert(1)>', {}))
    page = read(client)
    assert "<img src=x" in page.text
    assert "x" not in page.links


def test_it_counts_deliveries_that_are_on_their_way(sandbox, client, store):
    hook = {
        "Name": "new",
        "Url": "https://hooks.example.com/a-secret-token",
        "Format": "JSON",
        "EventType": 1,
        "Enabled": True,
    }
    assert store.call("POST", "/Webhooks", [hook]).status_code in (200, 201)
    sandbox.shops["dev"].place_orders(2, seed=1)
    page = read(client)
    assert "1 webhooks, 2 deliveries on their way, 0 given up" in page.text
    assert "a-secret-token" not in page.text


def test_no_credential_stands_on_it(sandbox, client, crm, finance, store):
    crm.call("GET", "WhoAmI"), finance.call("GET", "Currencies"), store.call("GET", "/Orders")
    text = client.get(FRONT).text
    configs = sandbox.connection_configs("dev")
    tokens = [crm.headers["Authorization"], finance.headers["Authorization"]]
    secrets = [*configs["secrets"].values(), *(token.removeprefix("Bearer ") for token in tokens)]
    assert len(secrets) == 9
    assert [secret for secret in secrets if secret in text] == []


def test_head_finds_it_too(client):
    assert client.head(FRONT).status_code == 200


def test_the_login_answers_behind_it(client):
    assert client.post(FRONT).status_code == 400
    assert client.get(f"{FRONT}nobody/v2.0/.well-known/openid-configuration").status_code == 400
