"""
Traces by OpenTelemetry: what happened to an event, from its delivery to the requests at the remotes.

    event (inbox row) ── run (each time it was run) ── effect ╌╌links╌╌> request
                          └╌╌links╌╌> batch ── request

A request serves many records, so it stands in the trace of its batch, and effects link to it. Ids are made of our own rows:
the intake and the worker, two processes, mean the same trace without having met. Spans are made when what they tell is over,
and hold names, codes and numbers; no key, no payload. Nothing of OpenTelemetry is imported where it is switched off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Final, Protocol

from tagline.domain.environment import TelemetrySection

LINKS: Final = 32
"""Links of one span; a batch of a hundred records needs more requests only when something is wrong."""
FLUSH_MS: Final = 2_000
"""What a process that ends waits for its last spans to be taken."""


@dataclass(frozen=True)
class SpanId:
    """Which span of which trace: 16 and 8 bytes as numbers."""

    trace: int
    span: int


def _number(size: int, *parts: object) -> int:
    told = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(told[:size], "big") or 1


def event_id(environment: str, row: int, received_at: datetime) -> SpanId:
    """The event of an inbox row; rows are counted anew in a new database, so their time belongs to it."""
    trace = _number(16, "event", environment, row, received_at.isoformat())
    return SpanId(trace, _number(8, trace, "event"))


def run_id(event: SpanId, runs: int) -> SpanId:
    return SpanId(event.trace, _number(8, event.trace, "run", runs))


def delivery_id(event: SpanId) -> SpanId:
    return SpanId(event.trace, _number(8, event.trace, "delivery"))


def effect_id(run: SpanId, entry: int) -> SpanId:
    return SpanId(run.trace, _number(8, run.span, "effect", entry))


def batch_id(environment: str, batch: str) -> SpanId:
    trace = _number(16, "batch", environment, batch)
    return SpanId(trace, _number(8, trace, "batch"))


def request_id(batch: SpanId, number: int) -> SpanId:
    return SpanId(batch.trace, _number(8, batch.span, "request", number))


@dataclass(frozen=True)
class Span:
    """Something that happened, told when it was over."""

    name: str
    id: SpanId
    parent: SpanId | None
    start: datetime
    end: datetime
    attributes: Mapping[str, str | int | float]
    links: tuple[SpanId, ...] = ()
    error: str = ""
    """A code; empty where it went well."""


class Traces(Protocol):
    """Where spans go."""

    def tell(self, spans: Iterable[Span]) -> None:
        """Take spans; never blocks, and drops them rather than to hold up work."""
        ...

    def close(self) -> None:
        """Send what waits, within `FLUSH_MS`."""
        ...


class OtlpTraces:
    """
    Sends spans by OTLP over HTTP, in batches, from a thread of its own.

    Args:
        authorization: Value of the header; empty sends none.
        process: `agent` or `worker`.
    """

    def __init__(
        self, endpoint: str, *, authorization: str, environment: str, process: str, release: str
    ) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        exporter = OTLPSpanExporter(
            endpoint=endpoint,
            headers={"authorization": authorization} if authorization else None,
            timeout=10,
        )
        self._processor = BatchSpanProcessor(exporter)
        # Made by hand: what the library finds out by itself of the process holds the command line.
        self._resource = Resource(
            {
                "service.name": "tagline",
                "service.namespace": environment,
                "service.version": release,
                "tagline.process": process,
            }
        )
        self._scope = InstrumentationScope("tagline", release)

    def tell(self, spans: Iterable[Span]) -> None:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import Link
        from opentelemetry.trace.span import SpanContext, TraceFlags
        from opentelemetry.trace.status import Status, StatusCode

        def context(of: SpanId) -> SpanContext:
            return SpanContext(of.trace, of.span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

        for span in spans:
            self._processor.on_end(
                ReadableSpan(
                    span.name,
                    context=context(span.id),
                    parent=context(span.parent) if span.parent else None,
                    resource=self._resource,
                    attributes=dict(span.attributes),
                    links=[Link(context(link)) for link in span.links[:LINKS]],
                    status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
                    start_time=_nanoseconds(span.start),
                    end_time=_nanoseconds(max(span.start, span.end)),
                    instrumentation_scope=self._scope,
                )
            )

    def close(self) -> None:
        self._processor.force_flush(FLUSH_MS)
        self._processor.shutdown()  # type: ignore[no-untyped-call]


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1000


def traces_of(
    config: TelemetrySection, environment: str, process: str, secret: Callable[[str], str]
) -> Traces | None:
    """
    Where this environment's traces go; None where they are switched off, which imports and costs nothing.

    Args:
        process: `agent` or `worker`.
        secret: Resolves a reference.
    """
    if not config.otlp_endpoint:
        return None
    return OtlpTraces(
        config.otlp_endpoint,
        authorization=secret(config.otlp_authorization) if config.otlp_authorization else "",
        environment=environment,
        process=process,
        release=version("tagline"),
    )
