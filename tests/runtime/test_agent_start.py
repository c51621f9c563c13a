"""An agent that worked here and cannot open its state database: it answers, says why, and goes on by itself when it can."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.runtime.test_agent import KEY, ONE, SECRETS, TOKEN, House

from tagline.errors import UsageError

HOOK = f"/hooks/orders/shop/order-placed/{TOKEN}"


@pytest.fixture
def house(tmp_path: Path) -> House:
    """One deployment works, and its agent was stopped."""
    house = House(tmp_path)
    house.agent.start()
    house.deploy(ONE)
    house.agent.stop()
    house.listen = "127.0.0.1:0"
    house.agent = house.make_agent()
    return house


def no_secret(reference: str) -> str:
    raise UsageError(f"there is no secret at {reference}", code="secret-missing", hint="mount it")


@contextmanager
def running(house: House) -> Iterator[httpx.Client]:
    stop = threading.Event()
    thread = threading.Thread(target=house.agent.run, args=(stop,))
    thread.start()
    wait_for(lambda: house.agent.server is not None)
    assert house.agent.server is not None
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{house.agent.server.port}", trust_env=False) as client:
            yield client
    finally:
        stop.set()
        thread.join()


def wait_for(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not ready():
        assert time.monotonic() < until
        threading.Event().wait(0.01)


def test_a_key_ring_that_is_missing_at_the_start_is_waited_for(house: House) -> None:
    house.poll_seconds = 0.05
    house.agent = house.make_agent()
    house.secret = no_secret
    with running(house) as client:
        answer = client.post(HOOK, content=b"[]")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["reason"]) == (503, "secret-missing")
        assert client.get("/livez").status_code == 200
        house.secret = SECRETS.__getitem__
        wait_for(lambda: client.get("/readyz").status_code == 200)
        assert client.post(HOOK, content=b"[]").status_code == 202
    told = [line for line in house.lines if line.startswith("state database: ")]
    assert len(told) == 2, "one line a change of state"
    assert KEY not in "".join(house.lines)


def test_a_first_start_without_its_key_ring_is_refused_at_once(tmp_path: Path) -> None:
    """Nobody sends anything yet, and somebody sits before the screen."""
    house = House(tmp_path)
    house.listen = "127.0.0.1:0"
    house.agent = house.make_agent()
    house.secret = no_secret
    with pytest.raises(UsageError) as raised:
        house.agent.run(threading.Event())
    assert raised.value.code == "secret-missing"


def test_an_agent_told_to_stop_while_it_waits_lets_go_of_the_address(house: House) -> None:
    house.secret = no_secret
    with running(house):
        assert house.agent.server is not None
        address = ("127.0.0.1", house.agent.server.port)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_deliveries_for_a_worker_that_cannot_be_started_come_back(house: House) -> None:
    """Not found would let a sender give up."""
    house.fails["hello"] = [UsageError("no", code="settings-invalid", hint="h")] * 3
    house.agent.start()
    assert house.agent.server is not None
    url = f"http://127.0.0.1:{house.agent.server.port}{HOOK}"
    answer = httpx.post(url, content=b"[]", trust_env=False)
    house.agent.stop()
    assert (answer.status_code, answer.json()["error"]) == (503, "starting")
