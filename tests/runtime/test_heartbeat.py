"""The dead man's switch: beats while all is well, and at no other time."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from tests.runtime.making import START

from tagline.clock import VirtualClock
from tagline.errors import UsageError
from tagline.runtime.heartbeat import EVERY, Heartbeat

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


def test_an_address_without_tls_is_refused():
    with pytest.raises(UsageError):
        Heartbeat("http://beats.example/x", VirtualClock(START), Service())
