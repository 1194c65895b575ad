"""Traces, metrics and logs: one request can be followed from the edge to the last listener.

Logs are one JSON object a line: a constant event, values as fields, ids and never names.
"""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from random import getrandbits
from typing import TextIO

import structlog
from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider, sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge, Histogram

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("trellis")
_kept: bool | None = None
"""Whether spans are kept in this process; None while nobody has said."""
_carried: ContextVar[str | None] = ContextVar("traceparent", default=None)
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

HTTP_SECONDS = Histogram("trellis_http_seconds", "Time to answer a request.", ["service", "method", "route", "status"])
FACTS_SENT = Counter("trellis_facts_sent_total", "Facts handed to the bus.", ["service", "type"])
FACTS_HEARD = Counter("trellis_facts_heard_total", "Facts that took effect.", ["listener", "type"])
FACTS_PARKED = Counter("trellis_facts_parked_total", "Facts that could not be processed.", ["listener", "type"])
OUTBOX_WAITING = Gauge("trellis_outbox_unsent", "Envelopes the relay saw unsent in its last look.", ["service"])


class _Logged(SpanExporter):
    """Spans as log lines, for those who keep no trace store."""

    def export(self, spans: "list[ReadableSpan] | tuple[ReadableSpan, ...]") -> SpanExportResult:  # type: ignore[override]  # lists come too
        log = structlog.get_logger("trace")
        for span in spans:
            spoken = span.get_span_context()
            if spoken is not None and span.start_time is not None and span.end_time is not None:
                log.info(
                    "span",
                    name=span.name,
                    trace_id=f"{spoken.trace_id:032x}",
                    span_id=f"{spoken.span_id:016x}",
                    milliseconds=(span.end_time - span.start_time) / 1e6,
                )
        return SpanExportResult.SUCCESS


def configure(service: str, *, level: str = "INFO", traces: bool = False, stream: TextIO | None = None) -> None:
    """Set up logs (JSON lines, on stderr if nothing else is said) and, if asked, spans among them. Once per process."""
    written = stream if stream is not None else sys.stderr
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(written),
    )
    logging.basicConfig(level=logging.WARNING, stream=written)
    if traces:
        provider(service).add_span_processor(SimpleSpanProcessor(_Logged()))
    else:
        provider(service, recording=False)


def provider(service: str, *, recording: bool = True) -> TracerProvider:
    """The process's tracer provider, made at first use; without it no trace is begun or carried on.

    Without `recording` a trace is carried on for others, and nothing is kept of it here.
    """
    global _kept
    made = trace.get_tracer_provider()
    if not isinstance(made, TracerProvider):
        _kept = recording
        sampler = sampling.DEFAULT_ON if recording else sampling.ALWAYS_OFF
        made = TracerProvider(sampler=sampler, resource=Resource.create({"service.name": service}))
        trace.set_tracer_provider(made)
    return made


def silence(stream: TextIO) -> None:
    """Write no more logs to a stream that is about to close."""
    structlog.reset_defaults()
    for handler in list(logging.root.handlers):
        if isinstance(handler, logging.StreamHandler) and handler.stream is stream:
            logging.root.removeHandler(handler)


def span(name: str, *, parent: str | None = None) -> AbstractContextManager[trace.Span]:
    """A span; its parent is the one around it, or the given `traceparent`."""
    if _kept is not False:
        return _span(name, parent)
    return _CARRIED_ALREADY if not parent and _carried.get() is not None else _Carried(parent)


@contextmanager
def _span(name: str, given: str | None) -> Iterator[trace.Span]:
    around = _propagator.extract({"traceparent": given}) if given else context.get_current()
    with _tracer.start_as_current_span(name, context=around) as made:
        yield made


class _Carried:
    """Carries a trace on where no span is kept: the id that came goes on, or a new one, and nothing else is done.

    There are three for each request, and spans that nobody keeps would take a quarter of its time.
    """

    __slots__ = ("_before", "_given")

    def __init__(self, given: str | None) -> None:
        self._given = given if given is not None and _TRACEPARENT.fullmatch(given) else None

    def __enter__(self) -> trace.Span:
        self._before = _carried.get()
        if self._given is not None or self._before is None:
            _carried.set(self._given or f"00-{getrandbits(128) or 1:032x}-{getrandbits(64) or 1:016x}-00")
        return trace.INVALID_SPAN

    def __exit__(self, *_: object) -> None:
        _carried.set(self._before)


class _CarriedAlready:
    """Within a trace that is carried on already, where no span is kept: nothing is to be done."""

    __slots__ = ()

    def __enter__(self) -> trace.Span:
        return trace.INVALID_SPAN

    def __exit__(self, *_: object) -> None:
        pass


_CARRIED_ALREADY = _CarriedAlready()


def traceparent() -> str | None:
    """The current trace as a W3C `traceparent`, or None outside of one."""
    if _kept is False:
        return _carried.get()
    carried: dict[str, str] = {}
    _propagator.inject(carried)
    return carried.get("traceparent")
