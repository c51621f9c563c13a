"""Requests that the sandbox answers with one core: `python tests/bench/sandbox.py`, part of `make bench`.

Beside what its documented limits let through, so that it is never what a benchmark measures. In this process as tests use
it, and served over TLS as `tagline sandbox` does; of the latter the client's share of the processor is left out.
"""

import json
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tagline.clock import SystemClock, VirtualClock
from tagline.connectors.budgets import DATAVERSE_REQUESTS, SHOP_LEAK_PER_S, WINDOW_S
from tagline.sandbox.sandbox import Sandbox
from tagline.sandbox.serve import serve

Given = dict[str, dict[str, Any]]
"""Connections and secrets of an environment."""
Kind = tuple[str, Callable[[], httpx.Response]]
"""A kind of request: what it is, and how it is made."""
ORDERS = 2000
SECONDS = 1.0
"""Of processor time, for each kind of request."""
BATCH = 100


def per_core(ask: Callable[[], httpx.Response], cpu: Callable[[], float] = time.process_time) -> float:
    """Requests in a second of CPU, by default of this whole process."""
    assert ask().is_success
    began, count = cpu(), 0
    while cpu() - began < SECONDS:
        ask()
        count += 1
    return count / (cpu() - began)


def others() -> float:
    """CPU of all threads but this one, in which the client runs."""
    return time.process_time() - time.thread_time()


def show(what: str, per_s: float, allowed: float) -> None:
    print(f"{what:<64} {per_s:10.0f} {allowed:10.0f} requests/s x {per_s / allowed:.0f}")


def dataverse(given: Given, http: httpx.Client) -> Iterator[Kind]:
    """Kinds of requests to the organisation."""
    crm = given["crm"]
    secret = given["secrets"][crm["client_secret"].removeprefix("env:")]
    form = {"grant_type": "client_credentials", "client_id": crm["client_id"], "client_secret": secret}
    form["scope"] = f"{crm['url']}/.default"
    token = http.post(f"{crm['authority']}/{crm['tenant']}/oauth2/v2.0/token", data=form).json()
    headers = {"authorization": f"Bearer {token['access_token']}", "accept": "application/json"}
    root = f"{crm['url']}/api/data/v9.2"
    account = http.get(f"{root}/accounts?$top=1&$select=accountid", headers=headers).json()["value"][0]
    row = f"{root}/accounts({account['accountid']})"
    parts = "".join(
        f"--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"GET /api/data/v9.2/accounts({account['accountid']})?$select=name HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n"
        for _ in range(BATCH)
    )
    mixed = {**headers, "content-type": "multipart/mixed; boundary=b"}
    yield "Dataverse, read a row", lambda: http.get(f"{row}?$select=name,revenue", headers=headers)
    yield (
        "Dataverse, change a row",
        lambda: http.patch(row, headers=headers, json={"telephone1": str(time.monotonic())}),
    )
    yield (
        f"Dataverse, a batch of {BATCH} reads",
        lambda: http.post(f"{root}/$batch", headers=mixed, content=f"{parts}--b--\r\n".encode()),
    )


def shop(sandbox: Sandbox, given: Given, http: httpx.Client) -> Iterator[Kind]:
    """Kinds of requests to the shop."""
    config = given["shop"]
    headers = {
        "secureurl": config["store_url"],
        "privatekey": given["secrets"][config["private_key"].removeprefix("env:")],
        "token": given["secrets"][config["token"].removeprefix("env:")],
        "accept": "application/json",
    }
    orders = f"{config['url']}/Orders"
    keys = sandbox.shops["dev"].place_orders(ORDERS, seed=2)
    body = json.dumps([{"OrderID": key, "ExternalComments": "bench"} for key in keys[:BATCH]])
    yield "3dcart, read an order", lambda: http.get(f"{orders}/{keys[0]}", headers=headers)
    yield "3dcart, a page of 300 orders", lambda: http.get(f"{orders}?limit=300&offset=1501", headers=headers)
    yield (
        f"3dcart, a bulk PUT of {BATCH} orders",
        lambda: http.put(orders, headers={**headers, "content-type": "application/json"}, content=body),
    )


def main() -> None:
    """Print what one core of the sandbox answers, beside what the remote's own limits allow."""
    print(f"\n{'sandbox, in this process | what the limits let through':<64} {'a core':>10} {'limit':>10}")
    sandbox = Sandbox(VirtualClock(datetime(2026, 11, 2, tzinfo=UTC)))
    with closing(httpx.Client(transport=sandbox.transport())) as http:
        given = sandbox.connection_configs("dev")
        for what, ask in dataverse(given, http):
            show(what, per_core(ask), DATAVERSE_REQUESTS / WINDOW_S)
        for what, ask in shop(sandbox, given, http):
            show(what, per_core(ask), SHOP_LEAK_PER_S)
    print(f"{'sandbox, served over TLS | what the limits let through':<64} {'a core':>10} {'limit':>10}")
    sandbox = Sandbox(SystemClock(), environments=("dev",))
    with tempfile.TemporaryDirectory() as folder, serve(sandbox, Path(folder) / "ca.pem") as served:
        trusted = ssl.create_default_context(cafile=served.endpoints.ca_file)
        given = served.connection_configs("dev")
        with closing(httpx.Client(verify=trusted, trust_env=False)) as http:
            for what, ask in dataverse(given, http):
                show(what, per_core(ask, others), DATAVERSE_REQUESTS / WINDOW_S)
            for what, ask in shop(sandbox, given, http):
                show(what, per_core(ask, others), SHOP_LEAK_PER_S)


if __name__ == "__main__":
    main()
