"""What a worker's work looks like from outside: every label, attribute and span, and what none of them may hold."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from tests.runtime.fakes import INTEGRATION, NoSettings, Plant, plant
from tests.runtime.making import START, make_deployment, make_hint, make_store

from tagline.clock import VirtualClock
from tagline.connectors.budget_limits import Told
from tagline.domain.environment import TelemetrySection
from tagline.runtime.counts import Counts, from_plain
from tagline.runtime.deliveries import Deliveries
from tagline.runtime.desk import with_metrics
from tagline.runtime.health import Health, PostHealth
from tagline.runtime.metrics import Metrics
from tagline.runtime.observer import Observer
from tagline.runtime.places import Place
from tagline.runtime.snapshot import take
from tagline.runtime.telemetry import LINKS, Span, SpanId, event_id, run_id, traces_of
from tagline.runtime.worker import Worker

KEYS = ("7004242", "7004243", "7004244")
"""Of records; nothing that a metric or a trace holds may hold one of them."""


class Kept:
    """Spans in a list."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def tell(self, spans: Iterable[Span]) -> None:
        self.spans += spans

    def close(self) -> None:
        pass

    def of(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@contextmanager
def watched(folder: Path) -> Iterator[tuple[Plant, Observer, Kept]]:
    """A plant whose worker is watched, with one good record, one that is dead, and one whose source is asked for in vain."""
    kept = Kept()
    with plant(folder) as made:
        observer = Observer("dev", Counts(), kept, made.clock)
        made.engine.stop()
        made.worker = Worker(
            INTEGRATION,
            NoSettings(),
            {"shop": made.shop, "ledger": made.ledger},  # type: ignore[dict-item]
            made.store,
            made.engine,
            made.clock,
            make_deployment(),
            observer=observer,
        )
        made.worker.recover()
        listener = observer.listener("shop")
        made.shop.before_fetch = lambda _keys: listener(Told(200, 0.1, left_at=made.clock.now().timestamp()))
        made.place(KEYS[0], "12.50")
        made.place(KEYS[1], "-1.00")
        made.hint(KEYS[2])
        made.run_until(START + timedelta(minutes=1))
        yield made, observer, kept


def test_records_effects_requests_and_batches_are_counted(tmp_path: Path):
    with watched(tmp_path) as (_, observer, _kept):
        counted = {(name, labels): number for name, labels, number in observer.counts.take()}
        assert counted["records", ("sync", "done")] == 2
        assert counted["records", ("sync", "dead")] == 1
        assert counted["effects", ("ledger", "invoice", "create", "done")] == 1
        assert counted["requests", ("shop", "2xx")] == 1
        assert ("batch_s", ("sync",)) in counted
        assert observer.counts.take() == []


def test_spans_lead_from_the_event_to_the_request(tmp_path: Path):
    with watched(tmp_path) as (_, _observer, kept):
        events, runs = {s.id: s for s in kept.of("event")}, {s.id: s for s in kept.of("run")}
        (effect,), (request,), (batch,) = kept.of("effect"), kept.of("request"), kept.of("batch")
        assert len(events) == len(runs) == 3
        assert all(run.parent in events and run.links == (batch.id,) for run in runs.values())
        assert effect.parent in runs
        assert request.parent == batch.id
        assert {span.error for span in runs.values()} == {"", "total-negative"}


def test_no_span_holds_a_record(tmp_path: Path):
    with watched(tmp_path) as (_, _observer, kept):
        told = [
            str(value) for span in kept.spans for value in (*span.attributes.values(), span.name, span.error)
        ]
        assert [value for value in told for key in (*KEYS, "12.5") if key in value] == []


def test_no_label_holds_a_record(tmp_path: Path):
    with watched(tmp_path) as (made, observer, _kept):
        made.hint("7004299")
        metrics = Metrics("dev", "1.0")
        metrics.count("orders", from_plain(json.loads(json.dumps(observer.counts.take()))))
        post = PostHealth("orders", "orders-000001", "1.0.0", True, True, START)
        health = Health("dev", "host", START, posts=(post,), alerts=("silence orders/sync",))
        metrics.observe(take(made.store.database, made.clock.now()), health, {"shop": (0.5, 0.1)}, START)
        families = list(text_string_to_metric_families(metrics.render().decode()))
        labels = {
            value
            for f in families
            for sample in f.samples
            for name, value in sample.labels.items()
            if name != "le"
        }
        assert labels == {
            *(
                "dev",
                "1.0",
                "orders",
                "sync",
                "done",
                "dead",
                "ledger",
                "invoice",
                "create",
                "shop",
                "2xx",
                "live",
                "silence",
            ),
            sys.version.split()[0],
        }
        samples = {(s.name, *sorted(s.labels.items())): s.value for f in families for s in f.samples}
        assert samples["tagline_waiting", ("integration", "orders"), ("lane", "live")] == 1
        assert samples["tagline_dead_letters", ("flow", "sync"), ("integration", "orders")] == 1


def test_two_registries_of_one_process_know_nothing_of_each_other():
    one, other = Metrics("a", "1"), Metrics("b", "1")
    one.died("orders")
    assert b'tagline_worker_deaths_total{integration="orders"} 1.0' in one.render()
    assert b'integration="orders"' not in other.render()


async def _asked(app: Any, path: str) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app({"type": "http", "path": path, "method": "GET"}, None, send)
    return sent


def test_metrics_are_shown_only_where_the_environment_wants_them():
    async def intake(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404})

    def status(metrics: Metrics | None, path: str) -> int:
        coroutine = _asked(with_metrics(intake, metrics), path)
        with pytest.raises(StopIteration) as ended:
            coroutine.send(None)
        return int(ended.value.value[0]["status"])

    assert status(None, "/metrics") == 404
    assert status(Metrics("a", "1"), "/metrics") == 200
    assert status(Metrics("a", "1"), "/hooks/x") == 404


def test_the_intake_and_the_worker_mean_the_same_event_without_having_met(place: Place):
    kept, clock = Kept(), VirtualClock(START)
    store = make_store(place, clock)
    counts = Counts()
    Deliveries(store, store, "dev", counts, kept, clock).receive([make_hint("1"), make_hint("2")])
    events = {event_id("dev", row.id, row.received_at) for row in store.ready("orders", START, 9)}
    store.close()
    assert {span.parent for span in kept.of("delivery")} == events
    assert counts.take() == [("received", ("orders", "sync", "webhook"), 2.0)]


def test_the_ids_of_runs_differ_within_one_trace():
    event = event_id("dev", 1, START)
    runs = {run_id(event, number) for number in range(5)}
    assert len(runs) == 5
    assert {run.trace for run in runs} == {event.trace}
    assert event_id("dev", 1, START + timedelta(seconds=1)).trace != event.trace


def test_spans_arrive_at_a_collector():
    got: list[tuple[str | None, ExportTraceServiceRequest]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = ExportTraceServiceRequest()
            request.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
            got.append((self.headers["authorization"], request))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    config = TelemetrySection(
        otlp_endpoint=f"http://127.0.0.1:{server.server_port}/v1/traces", otlp_authorization="env:OTLP"
    )
    traces = traces_of(config, "dev", "worker", lambda reference: f"value of {reference}")
    assert traces is not None
    links = tuple(SpanId(2, number + 1) for number in range(LINKS + 5))
    traces.tell(
        [Span("run", SpanId(1, 2), SpanId(1, 1), START, START, {"tagline.flow": "sync"}, links, "broken")]
    )
    traces.close()
    server.shutdown()
    thread.join()
    server.server_close()
    ((authorization, request),) = got
    (resource,) = request.resource_spans
    (span,) = resource.scope_spans[0].spans
    assert authorization == "value of env:OTLP"
    assert (int.from_bytes(span.trace_id, "big"), int.from_bytes(span.parent_span_id, "big")) == (1, 1)
    assert (span.name, span.status.message, len(span.links)) == ("run", "broken", LINKS)
    assert {a.key for a in resource.resource.attributes} == {
        "service.name",
        "service.namespace",
        "service.version",
        "tagline.process",
    }


def test_what_is_switched_off_is_not_even_imported():
    code = (
        "import sys, tagline.runtime.worker_process, tagline.runtime.watch\n"
        "from tagline.domain.environment import TelemetrySection\n"
        "from tagline.runtime.telemetry import traces_of\n"
        "assert traces_of(TelemetrySection(), 'dev', 'worker', str) is None\n"
        "print([name for name in ('opentelemetry', 'prometheus_client', 'apprise') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
