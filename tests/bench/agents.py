"""
What a record costs the state database, on SQLite and on PostgreSQL, with one worker and with several.

    python tests/bench/agents.py [records]

Real workers on the real engine, a process each; the remotes are fakes that cost next to nothing, so that what is measured is
ours: claims, journal, ends, the durable batch. PostgreSQL is started for the run with its commits on the disk (fsync on).
"""

from __future__ import annotations

import base64
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.runtime import postgres
from tests.runtime.fakes import INTEGRATION, FakeLedger, FakeShop, NoSettings
from tests.runtime.making import make_deployment, make_hint

from tagline.clock import SystemClock
from tagline.integration import routes
from tagline.runtime.engine_dbos import DbosEngine
from tagline.runtime.key_ring import KeyRing
from tagline.runtime.places import Place, PostgresSchema, SqliteFile
from tagline.runtime.store import Store
from tagline.runtime.worker import Worker

RING = KeyRing.of(base64.urlsafe_b64encode(bytes(32)).decode())
RECORDS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000


def open_store(place: Place) -> Store:
    return Store.open(place, ring=RING, clock=SystemClock())


def work(place: Place, name: str, folder: Path, ready, told) -> None:  # type: ignore[no-untyped-def]
    """One worker until nothing is left of what it may have."""
    shop = FakeShop()
    shop.begins = 0
    shop.orders = {str(n): n for n in range(RECORDS)}  # type: ignore[misc]
    with closing(open_store(place)) as store:
        engine = DbosEngine(place if isinstance(place, PostgresSchema) else folder / "engine.sqlite", name)
        worker = Worker(
            INTEGRATION,
            NoSettings(),
            {"shop": shop, "ledger": FakeLedger()},
            store,
            engine,
            SystemClock(),
            make_deployment(1),
            holder=name,
        )
        worker.recover()
        ready.wait()
        # Every worker balances once before it begins, so that the shares are dealt.
        time.sleep(0.2)
        worker.leases.balance()
        ready.wait()
        worker.leases.balance()
        ready.wait()
        before = resource.getrusage(resource.RUSAGE_SELF)
        began = time.perf_counter()
        done = 0
        while (each := worker.work().records) > 0:
            done += each
        spent = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        told.put((done, spent, cpu))
        engine.stop()


def measure(place: Place, workers: int, folder: Path) -> tuple[float, float]:
    """Records a second of all workers together, and milliseconds of their own CPU a record."""
    with closing(open_store(place)) as store:
        store.activate(make_deployment(1), routes(INTEGRATION))
        for start in range(0, RECORDS, 1000):
            store.receive([make_hint(str(n)) for n in range(start, start + 1000)])
    spawn = multiprocessing.get_context("spawn")
    ready, told = spawn.Barrier(workers), spawn.Queue()
    processes = [
        spawn.Process(target=work, args=(place, f"worker-{n}", folder, ready, told)) for n in range(workers)
    ]
    for process in processes:
        process.start()
    found = [told.get() for _ in processes]
    for process in processes:
        process.join()
    assert sum(done for done, _, _ in found) == RECORDS, found
    return RECORDS / max(spent for _, spent, _ in found), sum(cpu for _, _, cpu in found) / RECORDS * 1e3


def main() -> None:
    print(f"{RECORDS} records of one read and one write each, batches of 100; load {os.getloadavg()[0]:.1f}")
    rows: list[tuple[str, int, float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        place = SqliteFile(Path(folder) / "state.sqlite")
        rows.append(("SQLite", 1, *measure(place, 1, Path(folder))))
    found = postgres.programs()
    if found is None:
        print("no PostgreSQL here; install Debian's package postgresql")
    else:
        with postgres.server(found, durable=True) as url, tempfile.TemporaryDirectory() as folder:
            for count in (1, 2, 4):
                place = PostgresSchema(url, f"bench_{count}")
                rows.append(("PostgreSQL", count, *measure(place, count, Path(folder))))
    base = rows[0][2]
    print(f"{'state in':12} {'workers':>7} {'records/s':>10} {'ratio':>6} {'ms CPU a record':>16}")
    for name, count, rate, cpu in rows:
        print(f"{name:12} {count:>7} {rate:>10,.0f} {rate / base:>6.2f} {cpu:>16.2f}")


if __name__ == "__main__":
    main()
