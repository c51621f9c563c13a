"""What the intake does with senders that are too many, too fast, too slow, or speak no HTTP: always an answer, never a success."""

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests.runtime.housing import TOKEN, URL, House

from tagline.connectors.hooks import TOKEN_HEADER
from tagline.runtime.bodies import BodyLimits
from tagline.runtime.intake import Limits
from tagline.runtime.rate import Rate
from tagline.runtime.serve import ConnectionLimits

BODY = b'[{"OrderID": 7}]'
HEAD = f"POST {URL} HTTP/1.1\r\nHost: x\r\n".encode()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, Limits(BodyLimits(read_s=0.2)), ConnectionLimits(head_s=0.3))
    yield house
    house.close()


def test_deliveries_beyond_the_rate_are_told_when_to_come_back(tmp_path: Path) -> None:
    house = House(tmp_path, Limits(rate=Rate(per_s=0.5, burst=3)))
    assert [house.post(n).status_code for n in range(4)] == [202, 202, 202, 429]
    answer = house.post(9)
    assert (answer.json()["error"], answer.headers["retry-after"]) == ("too-many-deliveries", "2")
    assert house.client.get(URL).status_code == 200, "a probe is no delivery"
    house.clock.advance(2)
    assert [house.post(n).status_code for n in (9, 10)] == [202, 429]
    assert len(house.stored()) == 8
    house.close()


def test_who_does_not_know_the_token_spends_nobody_s_rate(tmp_path: Path) -> None:
    house = House(tmp_path, Limits(rate=Rate(per_s=1, burst=1)))
    for _ in range(5):
        assert house.client.post(URL + "x", content=BODY).status_code == 404
    assert house.post().status_code == 202
    house.close()


def test_a_token_in_the_header_stands_for_one_in_the_path_and_goes_no_further(house: House) -> None:
    bare = URL.removesuffix(f"/{TOKEN}")
    right, wrong = {TOKEN_HEADER: TOKEN}, {TOKEN_HEADER: TOKEN[:-1]}
    answers = [
        house.client.post(path, content=BODY, headers=headers).status_code
        for path, headers in [(bare, right), (f"{bare}/name", right), (bare, wrong), (URL, wrong), (bare, {})]
    ]
    assert answers == [202, 202, 404, 404, 404]
    assert TOKEN not in repr(house.shop.requests)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        pytest.param(b"\r\n\r\n\r\n", (400, 408), id="nothing"),
        pytest.param(b"hello\r\n\r\n", (400,), id="no request line"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40, (400, 408), id="tls"),
        pytest.param(HEAD + b"Content-Length: -1\r\n\r\n" + BODY, (400,), id="length negative"),
        pytest.param(HEAD + b"Content-Length: 1e3\r\n\r\n" + BODY, (400,), id="length no number"),
        pytest.param(HEAD + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n", (400, 413), id="length absurd"),
        pytest.param(HEAD + b"Content-Length: 99999999\r\n\r\n", (413,), id="length large"),
        pytest.param(
            HEAD + b"Content-Length: 3\r\nContent-Length: 16\r\n\r\n" + BODY, (400,), id="two lengths"
        ),
        pytest.param(
            HEAD + b"Content-Length: 16\r\nTransfer-Encoding: chunked\r\n\r\n" + BODY,
            (400, 408),
            id="length and chunks",
        ),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", (400,), id="no chunk"),
        pytest.param(HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\n[{"Or', (408,), id="half a chunk"),
        pytest.param(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
            (400, 408),
            id="chunk too long",
        ),
        pytest.param(HEAD + b"Transfer-Encoding: gzip\r\n\r\n" + BODY, (400, 408, 501), id="other encoding"),
        pytest.param(HEAD + b"Content-Length: 200\r\n\r\n" + BODY, (408,), id="body short"),
        pytest.param(HEAD + b"X: " + b"a" * 300_000 + b"\r\n\r\n", (400, 431), id="huge header"),
        pytest.param(b"GET /" + b"a" * 300_000, (400, 431), id="huge address"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nX: a", (408,), id="half a head"),
        pytest.param(b"POST /\xff HTTP/1.1\r\nHost: x\r\n\r\n", (400, 404), id="address no ascii"),
        pytest.param(b"POST http://[ HTTP/1.1\r\nHost: x\r\n\r\n", (400, 404), id="address torn"),
        pytest.param(b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n", (200, 400, 505), id="version"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 404, 505), id="http 2"),
        pytest.param(HEAD + b"X\0Y: 1\r\n\r\n", (400,), id="header no name"),
        pytest.param(HEAD + b"Content-Length: 16\r\nExpect: 100-continue\r\n\r\n", (100, 408), id="expects"),
    ],
)
def test_nonsense_is_answered_and_never_taken(
    house: House, said: bytes, status: tuple[int, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    told = re.match(rb"HTTP/1\.[01] (\d{3})", house.say(said, until=b"\r\n\r\n"))
    assert told is not None
    assert int(told[1]) in status
    assert (house.stored(), house.lines, capfd.readouterr().err) == ([], [], "")
    assert house.post().status_code == 202, "others are served"


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 5_000, "", "0x10", "\u0661"])
def test_a_length_that_a_server_let_pass_is_refused(house: House, length: str) -> None:
    """Not every server looks, and the intake may stand behind another one."""
    answers = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": BODY}

    async def send(message: dict[str, object]) -> None:
        answers.append(message)

    scope = {"type": "http", "method": "POST", "path": URL}
    scope |= {"headers": [(b"content-length", length.encode())]}
    asyncio.run(house.intake(scope, receive, send))  # type: ignore[arg-type]
    assert answers[0]["status"] == 400
    assert house.stored() == []


def test_a_body_sent_in_chunks_is_taken(house: House) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (1, BODY[n : n + 1]) for n in range(len(BODY)))
    answer = house.say(
        HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 202")


def test_two_requests_in_one_breath_are_both_answered(house: House) -> None:
    one = HEAD + b"Content-Length: 16\r\n"
    answer = house.say(one + b"\r\n" + BODY + one + b"Connection: close\r\n\r\n" + BODY)
    assert answer.count(b"HTTP/1.1 202") == 2


@pytest.mark.parametrize("start", [b"GET /livez HTTP/1.1\r\nX-Drip: ", HEAD + b"Content-Length: 900\r\n\r\n"])
def test_a_sender_that_drips_is_let_go(tmp_path: Path, start: bytes) -> None:
    """Every byte starts the server's own time-outs anew; ours go on."""
    house = House(tmp_path, Limits(BodyLimits(read_s=0.2)), ConnectionLimits(head_s=0.2))
    heard = b""
    with socket.create_connection(("127.0.0.1", house.server.port), timeout=0.01) as sender:
        sender.sendall(start)
        for _ in range(500):
            try:
                got = sender.recv(1_000)
            except TimeoutError:
                sender.sendall(b"a")
                continue
            except ConnectionError:
                break
            heard += got
            if not got:
                break
        else:
            pytest.fail("it was never let go")
    house.close()
    assert heard.startswith(b"HTTP/1.1 408")


def test_connections_too_many_are_told_to_come_back_and_then_not_heard(tmp_path: Path) -> None:
    house = House(tmp_path, connections=ConnectionLimits(connections=4))
    address = ("127.0.0.1", house.server.port)
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(address, timeout=5)) for _ in range(4)]
        assert house.say(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 503")
        told = house.say(HEAD + b"Content-Length: 16\r\n\r\n" + BODY)
        assert told.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 30" in told
        idle += [stack.enter_context(socket.create_connection(address, timeout=5)) for _ in range(3)]
        with suppress(ConnectionResetError):
            assert idle[-1].recv(100) == b""
        for each in idle:
            each.close()
    assert house.post().status_code == 202
    assert json.loads(house.client.get("/readyz").content)["ready"]
    house.close()
