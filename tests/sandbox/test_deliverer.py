"""Sending what sites queue: whatever the address is, the next one is sent too."""

import pytest

from tagline.clock import SystemClock
from tagline.sandbox.ca import Authority
from tagline.sandbox.deliverer import Deliverer
from tagline.sandbox.values import Request


class Empty:
    """A site that has nothing to post."""

    def next_due(self):
        return None

    def deliver(self, _send):
        return 0


@pytest.fixture
def deliverer(tmp_path):
    Authority(tmp_path / "ca.pem")
    made = Deliverer(Empty(), SystemClock(), tmp_path / "ca.pem", lambda: None, 5.0)
    yield made
    made.stop()


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "http://[::1",
        "http://a b/",
        "ftp://x/",
        f"http://{'a' * 300}.test/",
        "http://x.test:99999/",
        "https://127.0.0.1:1/",
    ],
)
def test_an_address_that_leads_nowhere_is_no_answer(deliverer, url):
    assert deliverer.send(Request("POST", url, {}, b"[]")) is None
