"""
Metrics for Prometheus, of one agent and its workers, in a registry of its own.

Labels hold names of things in configuration and models, and codes: never a record, a key or a value of one.
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from tagline.runtime.counts import BATCH_S, EFFECTS, RECEIVED, RECORDS, REQUESTS, Count
from tagline.runtime.health import Health
from tagline.runtime.snapshot import Snapshot

CONTENT_TYPE: Final = b"text/plain; version=1.0.0; charset=utf-8; escaping=underscores"
BATCH_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds; a remote may take two minutes for one answer."""


class Metrics:
    """What an agent answers at `/metrics`."""

    def __init__(self, environment: str, version: str) -> None:
        # Here, since the command line must not wait for it.
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

        self._lock = threading.Lock()
        self._registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"tagline_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"tagline_{name}", text, labels, registry=registry)

        build = Info("tagline_build", "What runs here.", registry=registry)
        build.info({"version": version, "python": platform.python_version(), "environment": environment})
        self._counters: Mapping[str, Counter] = {
            RECEIVED: counter("received", "Hints taken in.", "integration", "flow", "source"),
            RECORDS: counter("records", "Runs of records that ended.", "integration", "flow", "outcome"),
            EFFECTS: counter(
                "effects", "Writes settled.", "integration", "system", "entity", "kind", "outcome"
            ),
            REQUESTS: counter("requests", "Requests to remotes.", "integration", "connection", "answer"),
        }
        self._batches = Histogram(
            "tagline_batch_seconds",
            "How long batches took.",
            ("integration", "flow"),
            buckets=BATCH_BUCKETS,
            registry=registry,
        )
        self._starts = counter("worker_deaths", "Worker processes that ended unasked.", "integration")
        self._waiting = gauge("waiting", "Records that nobody has in hand.", "integration", "lane")
        self._oldest = gauge(
            "oldest_seconds", "Age of the live record that has waited longest.", "integration"
        )
        self._letters = gauge("dead_letters", "Open dead letters.", "integration", "flow")
        self._budget = gauge("budget_used_ratio", "Share of a remote's binding limit in use.", "connection")
        self._budget_day = gauge("budget_day_used_ratio", "Share of a remote's day in use.", "connection")
        self._lag = gauge("sweep_lag_seconds", "Since a sweep last moved on.", "integration", "flow")
        self._worker = gauge("worker_up", "Whether a worker is at its post.", "integration")
        self._state = gauge("state_bytes", "Size of the state database.")
        self._alerts = gauge("alerts", "Alerts that are on.", "kind")
        self._well = gauge("well", "Whether the agent is well, as /readyz tells it.")
        self._looked = gauge("looked_timestamp_seconds", "When the gauges were last read.")

    def count(self, integration: str, counts: Iterable[Count]) -> None:
        """Add what a worker, or the intake, has counted."""
        with self._lock:
            for name, labels, number in counts:
                if name == BATCH_S:
                    self._batches.labels(integration, *labels).observe(number)
                elif name == RECEIVED:
                    self._counters[name].labels(*labels).inc(number)
                else:
                    self._counters[name].labels(integration, *labels).inc(number)

    def died(self, integration: str) -> None:
        self._starts.labels(integration).inc()

    def observe(
        self,
        snapshot: Snapshot | None,
        health: Health,
        budgets: Mapping[str, tuple[float, float]],
        now: datetime,
    ) -> None:
        """
        Set what is read rather than counted; what cannot be read now is left out, not shown as it was.

        Args:
            budgets: By connection, in use of the binding limit and of the day.
        """
        with self._lock:
            for gauge in (self._waiting, self._oldest, self._letters, self._lag, self._worker, self._alerts):
                gauge.clear()
            for post in health.posts:
                self._worker.labels(post.integration).set(post.has_worker)
            for sweep in health.sweeps:
                self._lag.labels(sweep.integration, sweep.flow).set(sweep.lag.total_seconds())
            for alert in health.alerts:
                self._alerts.labels(alert.partition(" ")[0]).inc()
            for connection, (used, used_today) in budgets.items():
                self._budget.labels(connection).set(used)
                self._budget_day.labels(connection).set(used_today)
            self._well.set(health.is_well)
            self._looked.set(now.timestamp())
            if snapshot:
                self._read(snapshot, now)

    def _read(self, snapshot: Snapshot, now: datetime) -> None:
        for (integration, lane), number in snapshot.waiting.items():
            self._waiting.labels(integration, lane).set(number)
        for integration, at in snapshot.oldest.items():
            self._oldest.labels(integration).set(max(0.0, (now - at).total_seconds()))
        for (integration, flow), number in snapshot.dead_letters.items():
            self._letters.labels(integration, flow).set(number)
        self._state.set(snapshot.state_bytes)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        from prometheus_client import generate_latest

        with self._lock:
            return generate_latest(self._registry)
