"""Ratios, each measured side by side in this one run: `make bench`. Absolute numbers say nothing on a shared machine."""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import vcr

from tagline.clock import VirtualClock
from tagline.connectors import connect
from tagline.domain.environment import DataverseConnection, Shift4ShopConnection
from tagline.flow.drive import drive
from tagline.harness import cassettes
from tagline.harness.cassettes import Cassette, Interaction, ReplayTransport
from tagline.integration import load
from tagline.runtime.engine import MemoryEngine
from tagline.runtime.engine_dbos import DbosEngine
from tagline.runtime.journal import MemoryJournal
from tagline.runtime.live import LiveDriver
from tagline.sandbox.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
ORDERS = 100


def cpu(work: Callable[[], object], rounds: int = 1) -> float:
    """Seconds of this process's CPU a round, the best of three."""
    times = []
    for _ in range(3):
        began = time.process_time()
        for _ in range(rounds):
            work()
        times.append((time.process_time() - began) / rounds)
    return min(times)


def show(what: str, ours: float, other: float, unit: str) -> None:
    print(f"{what:<64} {ours:10.3f} {other:10.3f} {unit:<9} x {other / ours:.1f}")


def flow_together_and_alone() -> None:
    """100 orders driven as one batch, and as a hundred batches of one: requests at the remotes, CPU of our side and theirs."""

    def run(together: bool) -> tuple[int, float]:
        sandbox = Sandbox(VirtualClock(datetime(2026, 11, 2, tzinfo=UTC)))
        shop = sandbox.shops["dev"]
        keys = [str(i) for i in shop.place_orders(ORDERS, seed=2)]
        config = sandbox.connection_configs("dev")
        integration = load(ROOT / "integrations" / "order_to_cash")
        connectors = {
            kind: connect(
                kind,
                model.model_validate(config[name]),
                clock=sandbox.clock,
                secrets=lambda reference: config["secrets"][reference.removeprefix("env:")],
                transport=sandbox.transport(),
            )
            for kind, name, model in (
                ("shift4shop", "shop", Shift4ShopConnection),
                ("dataverse", "crm", DataverseConnection),
            )
        }
        flow = integration.flows["order_to_cash"]
        settings = integration.settings.model_validate({"price_level": "Web"})
        began = time.process_time()
        for batch in [keys] if together else [[k] for k in keys]:
            records = connectors["shift4shop"].fetch(flow.source, batch).records
            journal = MemoryJournal()
            driver = LiveDriver(
                connectors, journal, deployment="bench", integration=integration.name, flow=flow.name
            )
            ended = drive(flow, records, settings, driver)
            assert all(e.error is None for e in ended.values())
        took = time.process_time() - began
        for connector in connectors.values():
            connector.close()
        sites = (shop, sandbox.organisations["dev"])
        return sum(not c.inner for site in sites for c in site.door.log), took

    (grouped, grouped_s), (single, single_s) = run(True), run(False)
    show("order_to_cash, 100 orders in one batch | one by one", grouped, single, "requests")
    show("", grouped_s * 1000 / ORDERS, single_s * 1000 / ORDERS, "ms/order")


def replay_strict_and_plain() -> None:
    """CPU per replayed call at 300 interactions: our strict transport, and plain vcrpy with its lenient default match."""
    tape = tuple(
        Interaction("POST", f"https://crm.example/x/{n}", {"content-type": "application/json"}, b'{"a": 1.10}', 200,
                    "OK", {"content-type": "application/json"}, b"{}" * 700)
        for n in range(300)
    )  # fmt: skip
    headers = {"content-type": "application/json"}

    def play(client: httpx.Client) -> None:
        for n in range(300):
            client.post(f"https://crm.example/x/{n}", content=b'{"a": 1.10}', headers=headers)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tape.yaml"
        path.write_text(cassettes.dump(Cassette(tape)))

        def ours() -> None:
            with httpx.Client(transport=ReplayTransport(cassettes.load(path))) as client:
                play(client)

        def plain() -> None:
            with vcr.use_cassette(str(path), record_mode="none"), httpx.Client() as client:
                play(client)

        show(
            "replay of 300 calls, strict | plain vcrpy",
            cpu(ours) * 1000 / 300,
            cpu(plain) * 1000 / 300,
            "ms/call",
        )


def engine_batched_and_single() -> None:
    """What durability costs a record: DBOS with batches of 100, DBOS with a workflow a record, and no durability at all."""

    def nothing(_batch: str, _rows: object) -> None:
        return

    with tempfile.TemporaryDirectory() as folder:
        engine = DbosEngine(Path(folder) / "engine.sqlite", "bench")
        engine.start(nothing)
        try:
            batches = iter(range(1_000_000))
            batched = cpu(lambda: engine.submit(f"b-{next(batches):08d}", range(100)), 20) * 1000 / 100
            single = cpu(lambda: engine.submit(f"s-{next(batches):08d}", [1]), 20) * 1000
        finally:
            engine.stop()
    memory = MemoryEngine()
    memory.start(nothing)
    numbers = iter(range(1_000_000))
    free = cpu(lambda: memory.submit(f"m-{next(numbers)}", range(100)), 20) * 1000 / 100
    show("DBOS, 100 records a workflow | one record a workflow", batched, single, "ms/record")
    print(f"{'  (the same without durability)':<64} {free:10.3f}")


def mapping_and_function() -> None:
    """A mapping beside the bare function that it wraps."""
    from tagline.connectors.dataverse import Account
    from tagline.connectors.shift4shop import Order
    from tagline.domain.model import ref

    integration = load(ROOT / "integrations" / "order_to_cash")
    mapping = integration.mappings["to_sales_order"]
    settings = integration.settings.model_validate({"price_level": "Web"})
    order = Order.model_validate(
        {"OrderID": 1, "OrderAmount": "5", "ShipmentList": [{"ShipmentCost": "5"}], "store_currency": "USD"}
    )
    customer = ref(Account, accountid="1")
    wrapped = cpu(lambda: mapping(order, customer, settings), 2000) * 1e6
    bare = cpu(lambda: mapping.function(order, customer, settings), 2000) * 1e6
    show("to_sales_order as a mapping | its bare function", wrapped, bare, "us/call")


if __name__ == "__main__":
    print(f"{'ours | the other':<64} {'ours':>10} {'other':>10} {'':<9} ratio")
    flow_together_and_alone()
    mapping_and_function()
    replay_strict_and_plain()
    engine_batched_and_single()
