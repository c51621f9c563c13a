"""The bottom layer over a real socket: what a passed transport cannot show."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import trustme

from tagline.clock import SystemClock
from tagline.connectors.governor import Governor, LeakyBucket, Pace
from tagline.connectors.http import Http, Policy, network
from tagline.connectors.messages import Call, Limits
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
def make_http():
    made = []

    def make(url, ca_file="", transport=None):
        clock = SystemClock()
        governor = Governor(clock, Pace(LeakyBucket(100, 100.0)), 10)
        http = Http(Policy((url,), governor, ca_file=ca_file, limits=Limits(attempts=1)), clock, transport)
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
