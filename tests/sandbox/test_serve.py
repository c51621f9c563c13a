"""The sandbox over TLS: same behaviour, real sockets, webhooks sent by itself, control pages beside it."""

import http.server
import json
import queue
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tagline.clock import SystemClock
from tagline.errors import UsageError
from tagline.sandbox.faults import Fault
from tagline.sandbox.main import describe
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.serve import serve
from tagline.sandbox.shoppers import awkward
from tagline.sandbox.trade import LEAST


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    with serve(Sandbox(SystemClock(), environments=("dev",)), ca_file) as served:
        yield served


@pytest.fixture
def web(served):
    context = ssl.create_default_context(cafile=served.endpoints.ca_file)
    with httpx.Client(verify=context, trust_env=False, timeout=10) as client:
        yield client


@pytest.fixture
def shop_api(served, web):
    configs = served.connection_configs("dev")
    config, secrets = configs["shop"], configs["secrets"]
    headers = {
        "SecureUrl": config["store_url"],
        "PrivateKey": secrets[config["private_key"].removeprefix("env:")],
        "Token": secrets[config["token"].removeprefix("env:")],
    }

    def call(method, path, body=None):
        return web.request(method, config["url"] + path, json=body, headers=headers)

    return call


@pytest.fixture
def crm_api(served, web):
    configs = served.connection_configs("dev")
    crm = configs["crm"]
    token = web.post(
        f"{crm['authority']}/{crm['tenant']}/oauth2/v2.0/token",
        data={
            "client_id": crm["client_id"],
            "client_secret": configs["secrets"][crm["client_secret"].removeprefix("env:")],
            "grant_type": "client_credentials",
            "scope": f"{crm['url']}/.default",
        },
    ).json()["access_token"]

    def call(method, path, body=None):
        headers = {"Authorization": f"Bearer {token}"}
        return web.request(method, f"{crm['url']}/api/data/v9.2/{path}", json=body, headers=headers)

    return call


def control(served, web, site, *, page, method="GET", body=None):
    at = served.endpoints
    origin = {"shop": at.shops, "crm": at.organisations, "finance": at.finance}[site]["dev"]
    answer = web.request(method, f"{origin}/_sandbox/{page}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_client_without_the_authority_does_not_connect(served):
    with httpx.Client(trust_env=False) as stranger, pytest.raises(httpx.ConnectError):
        stranger.get(served.endpoints.login)


def test_the_front_is_a_page_and_finance_answers_behind_it(served, web):
    front = web.get(served.endpoints.login)
    assert (front.status_code, front.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert served.endpoints.finance["dev"] in front.text
    assert web.get(f"{served.endpoints.finance['dev']}/data/Currencies").status_code == 401
    assert control(served, web, "finance", page="rows?table=Currencies")


def test_both_remotes_answer_at_their_own_paths(served, web, shop_api, crm_api):
    (order_id,) = control(served, web, "shop", page="place", method="POST", body={"count": 1, "seed": 1})[
        "orders"
    ]
    assert shop_api("GET", f"/Orders/{order_id}").json()[0]["OrderID"] == order_id
    created = crm_api("POST", "accounts", {"name": "Über"})
    assert created.headers["OData-EntityId"].startswith(served.endpoints.organisations["dev"])
    found = crm_api("GET", "accounts?$select=name&$filter=name eq 'Über'").json()["value"]
    assert [row["name"] for row in found] == ["Über"]


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (Fault.RESET_BEFORE, (httpx.ReadError, httpx.RemoteProtocolError)),
        (Fault.TORN_BODY, httpx.RemoteProtocolError),
    ],
)
def test_broken_connections_are_broken_on_the_wire(served, web, shop_api, fault, raised):
    control(served, web, "shop", page="faults", method="POST", body={"next": [fault]})
    with pytest.raises(raised):
        shop_api("GET", "/OrderStatus")
    assert shop_api("GET", "/OrderStatus").status_code == 200


def test_no_answer_comes_before_the_client_gives_up(served, web, shop_api):
    control(served, web, "shop", page="faults", method="POST", body={"next": [Fault.TIMEOUT_BEFORE]})
    with pytest.raises(httpx.ReadTimeout):
        web.get(served.endpoints.shops["dev"] + "/3dCartWebAPI/v2/OrderStatus", timeout=0.3)


def test_the_shop_sends_its_webhooks_by_itself(served, web, shop_api):
    seen: queue.Queue[tuple[str, bytes]] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            length = int(self.headers.get("content-length", 0))
            seen.put((self.command, self.rfile.read(length)))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        do_GET = do_POST = answer  # noqa: N815 - the base class looks for these names

        def log_message(self, *_args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{receiver.server_port}/hook"
            hook = {"Name": "t", "Url": url, "EventType": 1, "Enabled": True}
            webhook_id = shop_api("POST", "/Webhooks", hook).json()[0]["Value"]
            placed = control(served, web, "shop", page="place", method="POST", body={"count": 2, "seed": 2})[
                "orders"
            ]
            got = [seen.get(timeout=10) for _ in range(3)]
            shop_api("DELETE", f"/Webhooks/{webhook_id}")
        finally:
            receiver.shutdown()
            thread.join()
    assert [method for method, _ in got] == ["GET", "POST", "POST"]
    assert [json.loads(body)[0]["OrderID"] for _, body in got[1:]] == placed


def test_the_organisation_posts_a_synchronous_step_while_the_write_waits(served, web, crm_api):
    seen: queue.Queue[dict[str, str]] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            seen.put(dict(self.headers))
            self.send_response(500)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{receiver.server_port}/hook"
            hook = {"name": "t", "url": url, "contract": 8}
            endpoint = crm_api("POST", "serviceendpoints", hook).headers["OData-EntityId"]
            query = "?$filter=primaryobjecttypecode eq 'territory' and sdkmessageid/name eq 'Create'"
            (found,) = crm_api("GET", f"sdkmessagefilters{query}").json()["value"]
            step = {
                "name": "t",
                "eventhandler_serviceendpoint@odata.bind": endpoint,
                "sdkmessageid@odata.bind": f"/sdkmessages({found['_sdkmessageid_value']})",
                "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({found['sdkmessagefilterid']})",
                "stage": 40,
                "mode": 0,
                "rank": 1,
                "supporteddeployment": 0,
            }
            crm_api("POST", "sdkmessageprocessingsteps", step)
            refused = crm_api("POST", "territories", {"name": "North"})
            headers = {name.lower(): value for name, value in seen.get(timeout=10).items()}
        finally:
            receiver.shutdown()
            thread.join()
    assert refused.status_code == 400
    assert headers["x-ms-dynamics-entity-name"] == "territory"


def test_more_at_once_than_allowed_are_turned_away_where_answers_take_time(served, web, crm_api):
    organisation = served.sandbox.organisations["dev"]
    limits, was_enforced = organisation.protection.limits, organisation.protection.enforced
    organisation.protection.limits, organisation.protection.enforced = replace(limits, concurrent=2), True
    control(served, web, "crm", page="latency", method="POST", body={"on": True})
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: crm_api("GET", "accounts?$select=name"), range(16)))
    finally:
        organisation.protection.limits, organisation.protection.enforced = limits, was_enforced
        control(served, web, "crm", page="latency", method="POST", body={"on": False})
    refused = [a for a in answers if a.status_code == 429]
    assert refused
    assert {a.json()["error"]["code"] for a in refused} == {"0x80072326"}
    assert {a.status_code for a in answers} == {200, 429}


def test_control_pages_play_shopper_merchant_and_clerk(served, web, shop_api, crm_api):
    cases = control(served, web, "shop", page="awkward", method="POST")
    order_id = cases["line_removed_later"]
    control(served, web, "shop", page="remove-line", method="POST", body={"order": order_id, "item": 1})
    control(served, web, "shop", page="status", method="POST", body={"order": order_id, "status": 6})
    (order,) = [o for o in control(served, web, "shop", page="orders") if o["OrderID"] == order_id]
    assert (len(order["OrderItemList"]), order["OrderStatusID"]) == (1, 6)
    control(served, web, "crm", page="add-product", method="POST", body={"sku": "MUG-LTD-07"})
    assert crm_api("GET", "products(productnumber='MUG-LTD-07')").json()["statecode"] == 0
    rows = control(served, web, "crm", page="rows?table=pricelevel")
    assert {row["name"] for row in rows} == {"Web", "Wholesale"}
    log = control(served, web, "crm", page="log")
    assert not any("_sandbox" in entry["path"] for entry in log["entries"])
    assert log["calls"] > 0


def test_a_taken_port_is_refused_by_name_and_changes_nothing(tmp_path):
    """A second sandbox that cannot start must not take the trust from the one that runs."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with (
            pytest.raises(UsageError, match=str(port)) as caught,
            serve(Sandbox(SystemClock()), tmp_path / "ca.pem", port),
        ):
            pass
    assert caught.value.code == "sandbox-port-taken"
    assert "--port 0" in caught.value.hint
    assert "environments/*.toml" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_none_is_refused_by_name(tmp_path):
    with (
        pytest.raises(UsageError, match="65536") as caught,
        serve(Sandbox(SystemClock()), tmp_path / "ca.pem", 65536),
    ):
        pass
    assert caught.value.code == "sandbox-port-taken"


def test_a_second_sandbox_beside_it_leaves_the_first_one_trusted(served, web):
    """Both write the certificate to the same file; a client of either trusts both."""
    with serve(Sandbox(SystemClock()), Path(served.endpoints.ca_file)) as second:
        assert control(second, web, "shop", page="orders") == []
        context = ssl.create_default_context(cafile=served.endpoints.ca_file)
        with httpx.Client(verify=context, trust_env=False) as newcomer:
            assert control(served, newcomer, "crm", page="rows?table=pricelevel")


def test_what_is_printed_is_enough_for_an_app_to_get_a_bearer_token(served, web):
    """Nothing but addresses and printed credentials; `state` comes back as it went."""
    facts = describe(served)["environments"]["dev"]
    origin, back = facts["shop"]["url"].removesuffix("/3dCartWebAPI/v2"), "https://app.test/back"
    asked = {
        "client_id": facts["app"]["client_id"],
        "redirect_uri": back,
        "response_type": "code",
        "state": "7",
    }
    sent = httpx.URL(web.get(f"{origin}/oauth/authorize", params=asked).headers["Location"])
    assert sent.params["state"] == "7"
    form = {**facts["app"], "code": sent.params["code"], "grant_type": "authorization_code"}
    token = web.post(f"{origin}/oauth/token", data=form).json()["access_token"]
    answer = web.get(
        f"{facts['shop']['url']}/Orders?countonly=1", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200


def test_the_command_prints_how_to_connect_and_ends_on_sigterm(tmp_path):
    code = (
        "import sys; from pathlib import Path; from tagline.sandbox.main import run;"
        "sys.exit(run(Path(sys.argv[1]), True, ('dev',), None, 5, 3))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "ca.pem")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert facts["seed"] == 5
    dev = facts["environments"]["dev"]
    assert dev["crm"]["client_secret"].removeprefix("env:") in dev["secrets"]
    assert dev["shop"]["ca_file"] == str(tmp_path / "ca.pem")
    assert dev["orders"] == 3 + len(awkward())
    assert dev["finance"]["client_secret"].removeprefix("env:") == "TAGLINE_DEV_FINANCE_CLIENT_SECRET"
    assert dev["control"]["finance"].startswith(dev["finance"]["url"])
    assert dev["app"]["client_secret"] in dev["secrets"].values()


def test_what_the_command_prints_for_people_places_more_orders(tmp_path):
    command = [
        "sandbox",
        "--ca",
        str(tmp_path / "a folder" / "ca.pem"),
        "--port",
        "0",
        "--env",
        "dev",
        "--orders",
        "2",
        "--no-history",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "tagline", *command], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            printed.append(line)
            if "Ctrl-C" in line:
                break
        try:
            (curl,) = (shlex.split(line) for line in printed if line.strip().startswith("curl"))
            context = ssl.create_default_context(cafile=curl[curl.index("--cacert") + 1])
            with httpx.Client(verify=context, trust_env=False) as client:
                answer = client.post(curl[-1], content=curl[curl.index("-d") + 1])
                crm = next(line.split()[1] for line in printed if line.strip().startswith("crm "))
                sold = client.get(f"{crm}/_sandbox/rows?table=salesorder").json()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    assert len(answer.json()["orders"]) == 5
    assert sold == []
    assert any(line.endswith(f", {2 + len(awkward())} orders\n") for line in printed)


@contextmanager
def command(*arguments, expect=0):
    """Runs `tagline sandbox --json --env dev`; its facts, and the process."""
    with subprocess.Popen(
        [sys.executable, "-m", "tagline", "sandbox", "--json", "--env", "dev", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield json.loads(process.stdout.readline() or "null"), process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def control_url(facts, site, page):
    return facts["environments"]["dev"]["control"][site] + page


def test_a_killed_sandbox_goes_on_from_its_state_file(tmp_path):
    given = ("--ca", tmp_path / "ca.pem", "--port", 0, "--orders", 2, "--state", tmp_path / "state.sqlite")
    with command(*given) as (facts, process):
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        with httpx.Client(verify=context, trust_env=False) as web:
            web.post(control_url(facts, "shop", "place"), json={"count": 3, "seed": 2})
            web.post(control_url(facts, "finance", "add-product"), json={"sku": "MUG-LTD-07"})
        process.kill()
        process.wait(20)
    with command(*given, "--no-history") as (facts, process):
        with httpx.Client(verify=context, trust_env=False) as web:
            sold = web.get(control_url(facts, "crm", "rows?table=salesorder")).json()
            orders = web.get(control_url(facts, "shop", "orders")).json()
            products = web.get(control_url(facts, "finance", "rows?table=ReleasedProductsV2")).json()
        assert len(orders) == 2 + 3 + len(awkward())
        assert len(sold) == LEAST
        assert "MUG-LTD-07" in {product["ItemNumber"] for product in products}
    assert process.returncode == 0


def test_a_taken_port_is_told_before_anything_is_announced_or_made(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        given = ("--ca", tmp_path / "ca.pem", "--port", port, "--state", tmp_path / "state.sqlite")
        with command(*given) as (facts, process):
            assert facts is None
            assert str(port) in process.stderr.read()
            assert process.wait(20) == 2
    assert list(tmp_path.iterdir()) == []
