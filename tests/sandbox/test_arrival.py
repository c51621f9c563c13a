"""Requests off the wire: what is broken off, too large or sent to no host never reaches a site."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.sandbox import arrival
from tagline.sandbox.arrival import GoneError, RefusedError, arrived


def read(*messages, headers=((b"host", b"127.0.0.1:8711"),), path=b"/a%2Fb", query=b"c=d"):
    scope = {
        "method": "POST",
        "headers": list(headers),
        "raw_path": path,
        "query_string": query,
        "server": ("127.0.0.1", 8711),
    }
    coming = iter(messages)

    async def receive():
        return next(coming)

    return asyncio.run(arrived(scope, receive))


def part(body, *, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=6))
def test_a_body_in_parts_is_one_body(parts):
    request = read(*(part(each, more=True) for each in parts), part(b""))
    assert request.body == b"".join(parts)
    assert request.url == "https://127.0.0.1:8711/a%2Fb?c=d"


def test_what_was_broken_off_is_no_request():
    """Half an order that happens to be JSON must not be placed."""
    with pytest.raises(GoneError):
        read(part(b'{"count": 3, "seed": 1}', more=True), {"type": "http.disconnect"})


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "found out"])
def test_a_body_that_is_too_large_is_refused(announced):
    length = [(b"content-length", str(arrival.MAX_BODY + 1).encode())] if announced else []
    piece = b"x" * (arrival.MAX_BODY // 4 + 1)
    with pytest.raises(RefusedError) as refused:
        read(*[part(piece, more=True)] * 4, headers=[(b"host", b"shop"), *length])
    assert refused.value.response.status == 413


@pytest.mark.parametrize("host", [b"[", b"\xff\xfe[", b"a b", b"evil/@", b"shop:70000000"])
def test_a_host_that_is_none_is_refused(host):
    with pytest.raises(RefusedError) as refused:
        read(part(b""), headers=[(b"host", host)])
    assert refused.value.response.status == 400


@pytest.mark.parametrize("host", [b"localhost", b"shop-dev.sandbox.test:8711", b"[::1]:8711"])
def test_a_host_is_taken_as_it_was_named(host):
    assert read(part(b""), headers=[(b"host", host)]).origin == f"https://{host.decode()}"


def test_without_a_host_it_is_the_one_that_was_reached():
    """HTTP/1.0 has no such header."""
    assert read(part(b""), headers=[]).origin == "https://127.0.0.1:8711"
