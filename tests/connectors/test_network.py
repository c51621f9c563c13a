"""The bottom layer over a real socket: what a passed transport cannot show."""

import itertools
import ssl
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest
import trustme

from tagline.clock import SystemClock
from tagline.connectors.budget_limits import LeakyBucket
from tagline.connectors.governor import Governor
from tagline.connectors.http import Http, Policy
from tagline.connectors.messages import Call, Limits
from tagline.connectors.network import network
from tagline.connectors.pace import Pace
from tagline.errors import RefusedError, TryAgainError


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        """Quiet."""


@pytest.fixture
def authority(tmp_path):
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return made, str(tmp_path / "ca.pem")


@pytest.fixture
def server(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert("localhost").configure_cert(context)
    served = HTTPServer(("localhost", 0), Hello)
    served.socket = context.wrap_socket(served.socket, server_side=True)
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://localhost:{served.server_address[1]}"
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.fixture
def make_raw(authority):
    """A server that sends the given pieces to whoever asks, one after the other, and then hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert("localhost").configure_cert(context)
    made = []

    def make(pieces, pause_s=0.0):
        over = threading.Event()

        class Raw(StreamRequestHandler):
            def handle(self):
                while self.rfile.readline().strip():
                    """The rest of the head."""
                with suppress(OSError):
                    for piece in pieces:
                        self.wfile.write(piece)
                        if over.wait(pause_s):
                            return

        class Server(ThreadingTCPServer):
            daemon_threads = True

            def get_request(self):
                plain, address = super().get_request()
                return context.wrap_socket(plain, server_side=True), address

        served = Server(("localhost", 0), Raw)
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        made.append((served, thread, over))
        return f"https://localhost:{served.server_address[1]}"

    yield make
    for served, thread, over in made:
        over.set()
        served.shutdown()
        thread.join()
        served.server_close()


@pytest.fixture
def make_http():
    made = []

    def make(url, ca_file="", transport=None, limits=None):
        clock = SystemClock()
        governor = Governor(clock, Pace((LeakyBucket(100, 100.0),)), 10)
        policy = Policy((url,), governor, ca_file=ca_file, limits=limits or Limits(attempts=1))
        http = Http(policy, clock, transport)
        made.append(http)
        return http

    yield make
    for http in made:
        http.close()


def test_a_private_authority_is_trusted_where_it_is_named(server, authority, make_http):
    answer = make_http(server, authority[1]).send(Call("GET", f"{server}/a"))
    assert (answer.status, answer.json()) == (200, {})


def test_the_network_can_be_wrapped_and_passed_in(server, authority, make_http):
    http = make_http(server, transport=network(authority[1]))
    assert http.send(Call("GET", f"{server}/a")).status == 200


def test_an_unnamed_authority_is_refused_with_what_to_do(server, make_http):
    with pytest.raises(RefusedError) as caught:
        make_http(server).send(Call("GET", f"{server}/a"))
    assert (caught.value.code, "ca_file" in caught.value.hint) == ("certificate-refused", True)


def test_proxies_of_the_process_are_not_used(server, authority, make_http, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert make_http(server, authority[1]).send(Call("GET", f"{server}/a")).status == 200


def test_a_closed_port_is_unreachable(authority, make_http):
    with pytest.raises(TryAgainError) as caught:
        # Port 9 discards; nobody listens on it here.
        make_http("https://localhost:9", authority[1]).send(Call("GET", "https://localhost:9/"))
    assert caught.value.code == "remote-unreachable"


def test_a_server_without_a_safe_tls_is_refused_with_its_cause(make_http):
    """It answers every greeting with the alert of a server that speaks TLS 1.1 at most."""

    class Old(StreamRequestHandler):
        def handle(self):
            self.connection.recv(5)
            self.wfile.write(b"\x15\x03\x02\x00\x02\x02\x46")

    with ThreadingTCPServer(("localhost", 0), Old) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"https://localhost:{served.server_address[1]}"
        with pytest.raises(RefusedError) as caught:
            make_http(url).send(Call("GET", url))
        served.shutdown()
        thread.join()
    assert (caught.value.code, "1.2" in caught.value.message) == ("tls-too-old", True)


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("method", "code"), [("GET", "remote-unreachable"), ("PUT", "remote-outcome-unknown")]
)
@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([], id="nothing"),
        pytest.param([HEAD + b"content-length: 100\r\n\r\n{}"], id="torn-body"),
        pytest.param([HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n{}"], id="torn-chunk"),
        pytest.param([b"SSH-2.0-OpenSSH_9.6\r\n"], id="another-protocol"),
        pytest.param([HEAD, *[b"a: " + b"b" * 1000 + b"\r\n"] * 200], id="endless-head"),
        pytest.param([HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}"], id="two-lengths"),
    ],
)
def test_an_answer_that_is_none_is_lost(make_raw, authority, make_http, pieces, method, code):
    url = make_raw(pieces)
    with pytest.raises(TryAgainError) as caught:
        make_http(url, authority[1]).send(Call(method, f"{url}/a"))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("pieces", "limits"),
    [
        pytest.param([b""] * 100, Limits(attempts=1, read_s=0.1), id="silence"),
        pytest.param(
            itertools.chain([HEAD + b"content-length: 100000\r\n\r\n"], itertools.repeat(b"x")),
            Limits(attempts=1, answer_s=0.1),
            id="drops",
        ),
        pytest.param(
            itertools.chain([HEAD], itertools.repeat(b"a")),
            Limits(attempts=1, read_s=0.1, answer_s=0.1),
            id="head-in-drops",
        ),
        pytest.param(
            itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
            Limits(attempts=1, read_s=0.1, answer_s=0.1),
            id="interim-answers",
        ),
    ],
)
def test_an_answer_that_does_not_end_is_given_up(make_raw, authority, make_http, pieces, limits):
    url = make_raw(pieces, pause_s=0.02)
    with pytest.raises(TryAgainError) as caught:
        make_http(url, authority[1], limits=limits).send(Call("GET", f"{url}/a"))
    assert caught.value.code == "remote-unreachable"
