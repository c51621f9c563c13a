"""Channels of alarms: each message once, one that fails tried again, one that hangs in nobody's way."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from tests.runtime.making import START

from tagline.domain.alerting import Alert, Kind, Message
from tagline.errors import TryAgainError, UsageError
from tagline.runtime.channels import FIRST_WAIT, Channel, apprise_sender, ticket

MESSAGE = Message("[dev] alert: silence a/b", "no record came.", "firing")
ALERT = Alert(Kind.SILENCE, "a/b", "firing", START, "what", "command")
TICKET = ticket(ALERT, "firing", START)
WAIT_S = 10.0
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
"""Of Apprise's own imports."""


class Receiver:
    """A channel's other end: keeps what it is told, and fails as often as it is asked to."""

    def __init__(self, failures: int = 0) -> None:
        self.told: list[Message] = []
        self.failures = failures

    def __call__(self, message: Message) -> None:
        if self.failures:
            self.failures -= 1
            raise TryAgainError("the channel is away", code="channel-failed")
        self.told.append(message)


def test_a_message_is_told_once_however_often_it_is_offered():
    receiver = Receiver()
    channel = Channel("env:A", receiver)
    for _ in range(3):
        channel.offer(TICKET, MESSAGE)
        channel.look(START, WAIT_S)
    assert receiver.told == [MESSAGE]
    assert channel.has_told(TICKET)


def test_a_channel_that_fails_is_tried_again_later_and_said_to_fail():
    receiver = Receiver(failures=1)
    channel = Channel("env:A", receiver)
    channel.offer(TICKET, MESSAGE)
    channel.look(START)
    wrong = channel.look(START, WAIT_S)
    assert wrong is not None
    assert wrong.code == "channel-failed"
    assert channel.failing_since == START
    channel.look(START + FIRST_WAIT - timedelta(seconds=1))
    assert not channel.has_told(TICKET)
    channel.look(START + FIRST_WAIT)
    assert channel.look(START + FIRST_WAIT, WAIT_S) is None
    assert receiver.told == [MESSAGE]
    assert channel.failing_since is None


def test_a_channel_that_hangs_holds_up_nobody():
    hang = threading.Event()

    def send(_message: Message) -> None:
        hang.wait(WAIT_S)

    channel = Channel("env:A", send)
    channel.offer(TICKET, MESSAGE)
    for _ in range(5):
        assert channel.look(START) is None
    hang.set()
    channel.look(START, WAIT_S)
    assert channel.has_told(TICKET)


def test_news_of_an_alarm_overtake_what_was_not_told_of_it():
    receiver = Receiver(failures=1)
    channel = Channel("env:A", receiver)
    channel.offer(TICKET, MESSAGE)
    channel.look(START)
    channel.look(START, WAIT_S)
    over = Message("[dev] resolved: silence a/b", "It was.", "resolved")
    channel.offer(ticket(ALERT, "resolved", START), over)
    channel.look(START + FIRST_WAIT)
    channel.look(START + FIRST_WAIT, WAIT_S)
    assert receiver.told == [over]


@contextmanager
def webhook(status: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"json://127.0.0.1:{server.server_port}/hook", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_apprise_carries_a_message_to_a_webhook():
    with webhook(200) as (url, got):
        apprise_sender("env:A", url)(MESSAGE)
    assert [(each["title"], each["message"], each["type"]) for each in got] == [
        (MESSAGE.title, MESSAGE.body, "failure")
    ]


def test_a_webhook_that_refuses_is_an_error_without_its_address():
    with webhook(500) as (url, _), pytest.raises(TryAgainError) as failed:
        apprise_sender("env:A", url)(MESSAGE)
    assert failed.value.code == "channel-failed"
    assert url not in str(failed.value)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "json://", "s3cr3t-token"], ids=["empty", "word", "bare", "token"]
)
def test_an_address_that_is_none_is_refused_without_being_shown(url: str):
    with pytest.raises(UsageError) as refused:
        apprise_sender("env:A", url)
    assert refused.value.code == "channel-unusable"
    assert not url or url not in refused.value.message
