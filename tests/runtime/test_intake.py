"""The webhook intake over real sockets: what it refuses, what it keeps, and that it never promises what is not durable."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.housing import ROUTES, TOKEN, URL, House

from tagline.domain.exchange import Change, Request
from tagline.errors import TaglineError, TryAgainError
from tagline.runtime.bodies import BodyLimits, json_depth
from tagline.runtime.intake import Door, Hook, Limits
from tagline.runtime.serve import serve


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def test_a_delivery_becomes_one_durable_hint_a_flow_and_wakes_the_worker(house: House) -> None:
    answer = house.client.post(URL, json=[{"OrderID": 7}])
    assert answer.status_code == 202
    assert house.stored() == [("audit", "7"), ("orders", "7")]
    assert house.woken == ["order_to_cash"]


def test_the_connector_never_sees_the_token(house: House) -> None:
    house.client.post(URL, json=[{"OrderID": 7}])
    [request] = house.shop.requests
    assert request.path == "/hooks/order_to_cash/shop/order-placed"
    assert TOKEN not in repr(request)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_probe_with_the_right_token_is_answered(house: House, method: str) -> None:
    assert house.client.request(method, URL).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_a_wrong_token_and_an_unknown_hook_learn_the_same_nothing(house: House, method: str) -> None:
    paths = [
        URL[:-1] + "5",
        URL + "5",
        URL.replace("shop", "other"),
        URL.replace("order_to_cash", "other"),
        "/hooks/order_to_cash/shop/order-placed/",
        "/hooks/order_to_cash/shop/order-placed/t%C3%B6ken",
        "/else",
    ]
    answers = [house.client.request(method, path, content=b"[]") for path in paths]
    assert {(404, answers[0].content)} == {(a.status_code, a.content) for a in answers}
    assert house.shop.requests == []


def test_other_methods_are_refused(house: House) -> None:
    assert house.client.delete(URL).status_code == 405


def test_an_event_no_flow_listens_to_is_unknown(house: House) -> None:
    assert house.client.post(URL.replace("placed", "lost"), json=[{"OrderID": 7}]).status_code == 404


def test_both_tokens_open_the_door_during_a_hand_over(house: House) -> None:
    hooks = (Hook.opened_by(("another-token-5678",), house.shop), Hook.opened_by((TOKEN,), house.shop))
    house.intake.open("order_to_cash", Door({"shop": hooks}, ROUTES))
    for token in ("another-token-5678", TOKEN):
        assert house.client.post(URL.replace(TOKEN, token), json=[{"OrderID": 7}]).status_code == 202


def test_without_an_active_deployment_probes_pass_and_deliveries_come_back(house: House) -> None:
    """The shop looks at a hook while it is registered, which is before anything is active."""
    house.intake.open("order_to_cash", Door({"shop": (Hook.opened_by((TOKEN,), house.shop),)}))
    assert house.client.get(URL).status_code == 200
    answer = house.client.post(URL, json=[{"OrderID": 7}])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert house.stored() == []


def test_a_body_that_says_it_is_too_large_is_refused_unread(house: House) -> None:
    assert house.client.post(URL, content=b"[" * (1 << 20) + b"[").status_code == 413


def test_a_body_that_turns_out_too_large_is_refused(house: House) -> None:
    """Chunked bodies name no length."""
    answer = house.client.post(URL, content=(b" " * 65_536 for _ in range(17)))
    assert answer.status_code == 413


def test_a_body_that_does_not_arrive_in_time_is_refused(tmp_path: Path) -> None:
    house = House(tmp_path, Limits(BodyLimits(read_s=0.05)))
    with socket.create_connection(("127.0.0.1", house.server.port), timeout=5) as sender:
        sender.sendall(f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[".encode())
        answer = sender.recv(100)
    house.close()
    assert answer[:12] == b"HTTP/1.1 408"


def test_a_deep_body_is_refused(house: House) -> None:
    assert house.client.post(URL, content=b"[" * 40 + b"]" * 40).status_code == 400
    assert house.shop.requests == []


def test_an_unreadable_body_is_set_aside_and_accepted(house: House) -> None:
    """Or the shop would deliver it for ever."""
    for _ in range(2):
        assert house.client.post(URL, content=b'{"CardNumber": "4111').status_code == 202
    letters = house.store.dead_letters.list()
    assert sorted((letter.flow, letter.cause) for letter in letters) == [
        ("audit", "hook-malformed"),
        ("orders", "hook-malformed"),
    ]
    assert "4111" not in repr((letters, house.lines))


@pytest.mark.parametrize("key", ["", "x" * 201, "\ud800", "a\nb"])
def test_a_key_the_database_cannot_hold_fails_nobody_else(house: House, key: str) -> None:
    assert house.client.post(URL, content=json.dumps([{"OrderID": key}])).status_code == 202
    assert house.stored() == []
    assert {"hook-key-unusable"} == {letter.cause for letter in house.store.dead_letters.list()}


def test_no_answer_leaves_before_the_commit(house: House) -> None:
    house.held.gate.clear()
    answers: list[int] = []
    sender = threading.Thread(
        target=lambda: answers.append(house.client.post(URL, json=[{"OrderID": 1}]).status_code)
    )
    sender.start()
    assert house.held.entered.acquire(timeout=5)
    assert (answers, house.woken) == ([], [])
    house.held.gate.set()
    sender.join()
    assert answers == [202]


def test_a_store_that_fails_is_never_a_success(house: House) -> None:
    house.held.fails = True
    answer = house.client.post(URL, json=[{"OrderID": 1}])
    assert (answer.status_code, answer.headers["retry-after"], house.woken) == (503, "30", [])


def test_readiness_is_red_until_the_store_takes_a_write_again(house: House) -> None:
    def ready() -> int:
        return house.client.get("/readyz").status_code

    seen = [ready()]
    house.held.fails = True
    house.client.post(URL, json=[{"OrderID": 1}])
    seen += [ready(), ready()]
    house.held.fails = False
    seen += [ready()]
    assert seen == [200, 503, 503, 200]
    assert len(house.lines) == 2, "one line a change of state"


def test_liveness_does_not_depend_on_the_store(house: House) -> None:
    house.held.fails = True
    house.client.post(URL, json=[{"OrderID": 1}])
    assert house.client.get("/livez").status_code == 200


def test_what_waits_is_committed_together(house: House) -> None:
    """One fsync for all that arrived during the last one."""
    house.held.gate.clear()
    answers: list[int] = []

    def send(number: int) -> None:
        answers.append(house.client.post(URL, json=[{"OrderID": number}]).status_code)

    senders = [threading.Thread(target=send, args=(number,)) for number in range(20)]
    for sender in senders:
        sender.start()
    for _ in senders:
        assert house.shop.heard.acquire(timeout=5)
    house.held.gate.set()
    for sender in senders:
        sender.join()
    assert answers == [202] * 20
    assert sum(house.held.commits) == 40
    assert len(house.held.commits) < 20
    assert len(house.stored()) == 40


def test_a_broken_connector_is_an_error_without_its_text(house: House) -> None:
    def explode(request: Request) -> Sequence[Change]:
        raise ZeroDivisionError(f"secret in {request.body!r}")

    house.shop.hint = explode  # type: ignore[method-assign]
    assert house.client.post(URL, content=b"[]").status_code == 500
    assert house.lines == ["intake: order_to_cash/shop/order-placed failed on a ZeroDivisionError"]


def test_it_serves_over_tls(tmp_path: Path) -> None:
    ca = trustme.CA()
    pem = tmp_path / "intake.pem"
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    house = House(tmp_path)
    server = serve(house.intake, "127.0.0.1:0", str(pem))
    context = ssl.create_default_context()
    ca.configure_trust(context)
    with httpx.Client(verify=context, trust_env=False) as client:
        answer = client.post(f"https://127.0.0.1:{server.port}{URL}", json=[{"OrderID": 3}])
    server.stop()
    house.close()
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("listen", "code"),
    [("nowhere", "listen-address"), ("127.0.0.1:99999", "listen-address"), ("192.0.2.1:80", "listen-taken")],
)
def test_an_address_that_cannot_be_had_is_named(house: House, listen: str, code: str) -> None:
    with pytest.raises(TaglineError) as raised:
        serve(house.intake, listen)
    assert code == raised.value.code


def test_a_taken_port_is_named(house: House) -> None:
    with pytest.raises(TryAgainError) as raised:
        serve(house.intake, f"127.0.0.1:{house.server.port}")
    assert raised.value.code == "listen-taken"
    assert "`--listen`" in raised.value.hint


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_an_unusable_certificate_is_named(house: House, tmp_path: Path, text: str | None) -> None:
    pem = tmp_path / "intake.pem"
    if text:
        pem.write_text(text)
    with pytest.raises(TaglineError) as raised:
        serve(house.intake, "127.0.0.1:0", str(pem))
    assert raised.value.code == "certificate-unusable"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max((_depth(item) for item in value), default=0) if isinstance(value, list) else 0


@given(JSON)
def test_depth_is_the_depth_of_the_parsed_value(value: Any) -> None:
    assert _depth(value) == json_depth(json.dumps(value).encode())


@given(st.binary())
def test_any_bytes_have_a_depth(body: bytes) -> None:
    assert 0 <= json_depth(body) <= len(body)


def test_depth_is_told_in_linear_time() -> None:
    """An unclosed string full of escaped quotes made a naive pattern look at the rest once a quote."""
    start = time.monotonic()
    json_depth(b'"' + b'\\"' * 500_000)
    assert time.monotonic() - start < 2
