"""The dead man's switch: beats while all is well, and at no other time."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from tests.runtime.making import START

from tagline.clock import VirtualClock
from tagline.errors import UsageError
from tagline.runtime.heartbeat import EVERY, IN_CLEAR, Heartbeat, ask_once

WAIT_S = 10.0
URL = "https://beats.example/ping/0123456789abcdef"


class Service(httpx.BaseTransport):
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        return httpx.Response(self.status)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def heart(service: Service) -> Iterator[Heartbeat]:
    heart = Heartbeat(URL, VirtualClock(START), service)
    yield heart
    heart.close()


def test_it_beats_once_a_minute_while_all_is_well(service: Service, heart: Heartbeat):
    for seconds in range(0, 121, 15):
        heart.look(START + timedelta(seconds=seconds), is_well=True, timeout_s=WAIT_S)
    heart.look(START + 2 * EVERY, is_well=True, timeout_s=WAIT_S)
    assert service.asked == [URL] * 3


def test_it_stands_still_while_something_is_wrong(service: Service, heart: Heartbeat):
    for minute in range(5):
        heart.look(START + minute * EVERY, is_well=False)
    assert service.asked == []


def test_a_service_that_refuses_is_told_without_its_address(service: Service, heart: Heartbeat):
    service.status = 404
    heart.look(START, is_well=True)
    _, wrong = heart.look(START, is_well=True, timeout_s=WAIT_S)
    assert wrong is not None
    assert wrong.code == "heartbeat-refused"
    assert "0123456789abcdef" not in f"{wrong.message} {wrong.where}"


def test_an_address_without_tls_will_do_since_nothing_secret_travels(service: Service):
    url = "http://127.0.0.1:8123/ping"
    clock = VirtualClock(START)
    assert ask_once("env:BEAT", lambda _: url, clock, service) == IN_CLEAR
    assert ask_once("env:BEAT", lambda _: URL, clock, service) == ""
    assert service.asked == [url, URL]


@pytest.mark.parametrize("url", ["beats.example/x", "ftp://beats.example/x", "http://", ""], ids=str)
def test_what_is_no_address_is_told_by_the_setting_and_never_shown(url: str):
    with pytest.raises(UsageError) as told:
        Heartbeat(url, VirtualClock(START), Service())
    assert (told.value.code, told.value.where) == ("heartbeat-invalid", {"setting": "alerts.heartbeat_url"})
    assert "beats" not in told.value.message
