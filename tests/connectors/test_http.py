import gzip
import logging
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagline.clock import VirtualClock
from tagline.connectors.budget_limits import ExecutionTime, LeakyBucket
from tagline.connectors.governor import Governor
from tagline.connectors.http import Http, Policy
from tagline.connectors.messages import MAX_SILENCE_S, Call, Limits, number_of, retry_after_s
from tagline.connectors.network import tls
from tagline.connectors.pace import Pace
from tagline.errors import RefusedError, TryAgainError, UsageError


@pytest.fixture
def make_http(clock):
    made = []

    def make(handler, **changes):
        governor = Governor(clock, Pace((LeakyBucket(1000, 1000.0),)), 10)
        policy = Policy(**{"urls": ("https://api.test",), "governor": governor, **changes})
        http = Http(policy, clock, httpx.MockTransport(handler))
        made.append(http)
        return http

    yield make
    for http in made:
        http.close()


def answering(*answers):
    """A handler that gives these answers one after the other, and the list of requests it saw."""
    seen = []
    waiting = list(answers)

    def handler(request):
        seen.append(request)
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler, seen


GET = Call("GET", "https://api.test/a")
PUT = Call("PUT", "https://api.test/a", body=b"{}")


def test_an_unlisted_host_is_refused_before_anything_leaves(make_http):
    handler, seen = answering()
    with pytest.raises(RefusedError) as caught:
        make_http(handler).send(Call("GET", "https://evil.test/a"))
    assert (caught.value.code, seen) == ("host-refused", [])


def test_another_port_is_another_host(make_http):
    with pytest.raises(RefusedError, match="no host of this connection"):
        make_http(answering()[0]).send(Call("GET", "https://api.test:8443/a"))


def test_plain_http_is_refused(make_http):
    with pytest.raises(UsageError) as caught:
        make_http(answering()[0], urls=("http://api.test",))
    assert caught.value.code == "url-not-https"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_not_followed(make_http, status):
    handler, seen = answering(httpx.Response(status, headers={"location": "https://api.test/b"}))
    with pytest.raises(RefusedError) as caught:
        make_http(handler).send(GET)
    assert (caught.value.code, len(seen)) == ("redirect-refused", 1)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_read_only_client_lets_no_write_out(make_http, method):
    handler, seen = answering()
    with pytest.raises(RefusedError) as caught:
        make_http(handler, read_only=True).send(Call(method, "https://api.test/a"))
    assert (caught.value.code, seen) == ("read-only", [])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_only_client_reads(make_http, method):
    http = make_http(answering(httpx.Response(200))[0], read_only=True)
    assert http.send(Call(method, "https://api.test/a")).status == 200


@pytest.mark.parametrize("call", [GET, PUT], ids=["read", "write"])
def test_what_never_left_is_sent_again(make_http, call):
    handler, seen = answering(httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.Response(200))
    assert (make_http(handler).send(call).status, len(seen)) == (200, 3)


def test_a_read_that_broke_off_is_sent_again(make_http):
    handler, seen = answering(httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x"), httpx.Response(200))
    assert (make_http(handler).send(GET).status, len(seen)) == (200, 3)


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout("x"), httpx.ReadError("x"), httpx.RemoteProtocolError("x")]
)
def test_a_write_that_may_have_been_performed_is_not_repeated(make_http, error):
    handler, seen = answering(error)
    with pytest.raises(TryAgainError) as caught:
        make_http(handler).send(PUT)
    assert (caught.value.code, len(seen)) == ("remote-outcome-unknown", 1)


def test_an_unreachable_remote_is_told_after_a_few_attempts(make_http):
    handler, seen = answering(*[httpx.ConnectError("x")] * 10)
    with pytest.raises(TryAgainError) as caught:
        make_http(handler).send(GET)
    assert (caught.value.code, len(seen)) == ("remote-unreachable", 4)


@pytest.mark.parametrize(
    ("call", "status", "headers", "sent"),
    [
        pytest.param(GET, 502, {}, 2, id="read-502"),
        pytest.param(GET, 504, {}, 2, id="read-504"),
        pytest.param(GET, 503, {}, 2, id="read-503"),
        pytest.param(GET, 500, {}, 1, id="read-500"),
        pytest.param(GET, 404, {}, 1, id="read-404"),
        pytest.param(PUT, 502, {}, 1, id="write-502"),
        pytest.param(PUT, 504, {}, 1, id="write-504"),
        pytest.param(PUT, 503, {}, 1, id="write-503-of-unknown-outcome"),
        pytest.param(PUT, 503, {"retry-after": "2"}, 2, id="write-503-turned-away"),
        pytest.param(PUT, 429, {}, 2, id="write-429"),
    ],
)
def test_only_what_was_certainly_not_performed_is_repeated(make_http, call, status, headers, sent):
    handler, seen = answering(httpx.Response(status, headers=headers), httpx.Response(200))
    make_http(handler).send(call)
    assert sent == len(seen)


def test_a_repeated_write_carries_its_body_again(make_http):
    handler, seen = answering(httpx.Response(429), httpx.Response(200))
    make_http(handler).send(PUT)
    assert [request.content for request in seen] == [b"{}", b"{}"]


def test_retry_after_in_seconds_is_waited_for(make_http, clock):
    started = clock.now()
    handler, _ = answering(httpx.Response(429, headers={"retry-after": "7"}), httpx.Response(200))
    make_http(handler).send(GET)
    assert clock.now() - started == timedelta(seconds=7)


def test_retry_after_as_a_date_is_waited_for(make_http, clock):
    started = clock.now()
    until = format_datetime(started + timedelta(seconds=9), usegmt=True)
    handler, _ = answering(httpx.Response(503, headers={"retry-after": until}), httpx.Response(200))
    make_http(handler).send(GET)
    assert clock.now() - started == timedelta(seconds=9)


def test_a_long_retry_after_is_handed_to_the_caller_and_stops_the_others(make_http, clock):
    started = clock.now()
    handler, seen = answering(httpx.Response(429, headers={"retry-after": "600"}))
    http = make_http(handler)
    answer = http.send(GET)
    assert (429, "600", started) == (answer.status, answer.headers["retry-after"], clock.now())
    with pytest.raises(TryAgainError) as caught:
        http.send(GET)
    assert (caught.value.code, len(seen)) == ("remote-throttled", 1)


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "soon", "-5", "1e9", "٣"),
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +99999999999999999999",
    ],
)
def test_a_retry_after_that_says_nothing_is_none(clock, text):
    assert retry_after_s(text, clock) is None


@pytest.mark.parametrize("text", ["999999999", "Fri, 01 Jan 9999 00:00:00 GMT"])
def test_nobody_is_silent_for_years(clock, text):
    assert retry_after_s(text, clock) == MAX_SILENCE_S


_DATES = st.tuples(*(st.integers() for _ in range(6))).map(
    lambda n: f"Mon, {n[0]} Jan {n[1]} {n[2]}:{n[3]}:{n[4]} +{n[5]}"
)


@given(st.text(max_size=40) | _DATES)
def test_no_header_breaks_a_run(text):
    silence = retry_after_s(text, VirtualClock(datetime(2026, 1, 1, tzinfo=UTC)))
    assert silence is None or 0 <= silence <= MAX_SILENCE_S
    assert (number_of(text) or 0.0) >= 0


@pytest.mark.parametrize(("text", "number"), [("1,200.00", 1200), ("5999", 5999), ("-1", None), ("", None)])
def test_a_number_of_a_header_may_have_separators_of_thousands(text, number):
    assert number_of(text) == number


def test_a_body_beyond_the_limit_is_given_up_while_it_arrives(make_http):
    pulled = 0

    def endless():
        nonlocal pulled
        for _ in range(1000):
            pulled += 1
            yield b"x" * 100

    handler, _ = answering(httpx.Response(200, content=endless()))
    with pytest.raises(TryAgainError) as caught:
        make_http(handler, limits=Limits(max_bytes=1000)).send(GET)
    assert caught.value.code == "answer-too-large"
    assert pulled < 20


def test_the_limit_counts_what_a_compressed_body_becomes(make_http):
    bomb = gzip.compress(b"\0" * 2_000_000)
    handler, _ = answering(httpx.Response(200, headers={"content-encoding": "gzip"}, content=bomb))
    with pytest.raises(TryAgainError) as caught:
        make_http(handler, limits=Limits(max_bytes=1_000_000)).send(GET)
    assert caught.value.code == "answer-too-large"


def test_a_compressed_body_is_handed_out_decoded(make_http):
    body = gzip.compress(b'{"a": 1}')
    handler, _ = answering(httpx.Response(200, headers={"content-encoding": "gzip"}, content=body))
    assert make_http(handler).send(GET).json() == {"a": 1}


def test_a_body_that_cannot_be_decoded_is_told(make_http):
    garbled = [
        httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip"))
        for _ in range(4)
    ]
    with pytest.raises(TryAgainError) as caught:
        make_http(answering(*garbled)[0]).send(GET)
    assert caught.value.code == "remote-unreachable"


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "compress"])
def test_an_encoding_nobody_asked_for_is_not_decoded(make_http, encoding):
    bomb = gzip.compress(gzip.compress(b"\0" * 2_000_000))
    answers = [
        httpx.Response(200, headers={"content-encoding": encoding}, stream=httpx.ByteStream(bomb))
        for _ in range(4)
    ]
    with pytest.raises(TryAgainError) as caught:
        make_http(answering(*answers)[0]).send(GET)
    assert caught.value.code == "remote-unreachable"


def test_a_body_that_trickles_is_given_up(make_http, clock):
    def trickle():
        while True:
            clock.advance(100)
            yield b"x"

    handler, _ = answering(httpx.Response(200, content=trickle()))
    with pytest.raises(TryAgainError):
        make_http(handler, limits=Limits(attempts=1)).send(GET)


def test_an_answer_that_is_no_json_is_told_without_its_text(make_http):
    handler, _ = answering(httpx.Response(200, content=b"<html>canary</html>"))
    with pytest.raises(TryAgainError) as caught:
        make_http(handler).send(GET).json()
    assert caught.value.code == "answer-malformed"
    assert "canary" not in str(caught.value)


def test_the_log_holds_method_host_path_status_and_nothing_secret(make_http, caplog):
    caplog.set_level(logging.DEBUG)
    handler, _ = answering(httpx.Response(200, headers={"set-cookie": "canary"}, content=b"canary"))
    make_http(handler).send(
        Call("PUT", "https://api.test/rows(key='canary')?q=canary", {"token": "canary"}, b"canary")
    )
    lines = [r.getMessage() for r in caplog.records if r.name == "tagline.http"]
    assert lines == ["PUT api.test/rows(key='*') 200 0 ms"]
    assert "canary" not in caplog.text


def test_cookies_are_not_kept(make_http):
    handler, seen = answering(
        httpx.Response(200, headers={"set-cookie": "ARRAffinity=1"}), httpx.Response(200)
    )
    http = make_http(handler)
    http.send(GET)
    http.send(GET)
    assert "cookie" not in seen[1].headers


def test_tls_is_modern_and_shared():
    assert tls("").minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls("") is tls("")


def test_a_missing_certificate_authority_is_named():
    with pytest.raises(UsageError) as caught:
        tls("/nowhere/ca.pem")
    assert caught.value.code == "ca-file-unreadable"


def test_an_untrusted_certificate_is_refused_at_once(make_http):
    error = httpx.ConnectError("x")
    error.__cause__ = ssl.SSLCertVerificationError("x")
    handler, seen = answering(error)
    with pytest.raises(RefusedError) as caught:
        make_http(handler).send(GET)
    assert (caught.value.code, len(seen)) == ("certificate-refused", 1)


def test_a_request_is_told_once_to_the_budget(clock):
    pace = Pace((ExecutionTime(100.0, 300.0),))
    governor = Governor(clock, pace, 10)

    def slow(request):
        clock.advance(10)
        return httpx.Response(200, request=request)

    http = Http(Policy(("https://api.test",), governor), clock, httpx.MockTransport(slow))
    http.send(GET)
    assert governor.used() == pytest.approx(0.1)
    http.close()


@pytest.mark.parametrize(
    "url",
    [
        "https://api.test:99999",
        "https://api.test:x",
        "https://[",
        "https://",
        "https://\xe4pi.test",
        "api.test",
    ],
)
def test_what_is_no_https_address_is_told_when_the_client_is_made(make_http, url):
    with pytest.raises(UsageError) as caught:
        make_http(answering()[0], urls=(url,))
    assert caught.value.code == "url-not-https"


@pytest.mark.parametrize(
    "url", ["https://api.test:x/", "https://api.test/\x00", "https://api.test/\ud800"], ids=ascii
)
def test_a_link_that_is_no_address_is_not_followed(make_http, url):
    with pytest.raises(TryAgainError) as caught:
        make_http(answering()[0]).send(Call("GET", url))
    assert caught.value.code == "remote-unreachable"


def test_a_header_that_cannot_be_sent_is_told_without_its_value(make_http):
    with pytest.raises(TryAgainError) as caught:
        make_http(answering()[0]).send(Call("GET", "https://api.test/", {"a": "c\xe4nary"}))
    assert "nary" not in f"{caught.value} {caught.value.where}"


def test_a_user_in_a_link_does_not_displace_the_token(make_http):
    handler, seen = answering(httpx.Response(200))
    make_http(handler).send(Call("GET", "https://:word@api.test/a", {"authorization": "Bearer t"}))
    assert seen[0].headers["authorization"] == "Bearer t"


def test_a_remote_that_says_at_once_is_asked_a_little_later_each_time(make_http, clock):
    now = httpx.Response(429, headers={"retry-after": "0"})
    handler, _ = answering(now, now, now, httpx.Response(200))
    began = clock.now()
    assert make_http(handler).send(GET).status == 200
    assert (clock.now() - began).total_seconds() >= 0.5 + 1 + 2
