"""What `/metrics` tells, in Prometheus' text form.

Names are vLLM's where they mean the same, `vllm:` included, so that dashboards made for it work; ours begin
with `gemma4:`. Labels are names of models and routes that the server itself knows, never a client's text.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..llm.events import Finished
from .slot import Served

_MODEL: Final = ["model_name"]
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_GAPS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5)


class Metrics:
    """Counters of one server, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._prompt = Counter(
            "vllm:prompt_tokens", "Tokens of prompts.", _MODEL, registry=registry
        )
        self._generated = Counter(
            "vllm:generation_tokens", "Tokens of answers.", _MODEL, registry=registry
        )
        self._queried = Counter(
            "vllm:prefix_cache_queries", "Tokens looked up in pages.", _MODEL, registry=registry
        )
        self._cached = Counter(
            "vllm:prefix_cache_hits", "Tokens found in pages.", _MODEL, registry=registry
        )
        self._drafted = Counter(
            "vllm:spec_decode_num_draft_tokens", "Tokens guessed.", _MODEL, registry=registry
        )
        self._accepted = Counter(
            "vllm:spec_decode_num_accepted_tokens", "Guesses right.", _MODEL, registry=registry
        )
        self._ended = Counter(
            "vllm:request_success",
            "Answers by their end.",
            [*_MODEL, "finished_reason"],
            registry=registry,
        )
        self._first = Histogram(
            "vllm:time_to_first_token_seconds",
            "From a request's head to its first token.",
            _MODEL,
            buckets=_SECONDS,
            registry=registry,
        )
        self._gap = Histogram(
            "vllm:inter_token_latency_seconds",
            "Between two pieces of an answer; a step with drafts brings several tokens in one.",
            _MODEL,
            buckets=_GAPS,
            registry=registry,
        )
        self._whole = Histogram(
            "vllm:e2e_request_latency_seconds",
            "From a request's head to the end of an answer.",
            _MODEL,
            buckets=_SECONDS,
            registry=registry,
        )
        self._http = Counter(
            "gemma4:http_requests",
            "Requests by route and status.",
            ["route", "status"],
            registry=registry,
        )

    def watch(self, models: "Iterable[Served]") -> None:
        """Read these whenever somebody asks: where their engines stand."""
        self._registry.register(Standings(models))

    def first_token(self, model: str, seconds: float) -> None:
        """The first piece of an answer came."""
        self._first.labels(model).observe(seconds)

    def next_token(self, model: str, seconds: float) -> None:
        """Another piece came so long after the one before."""
        self._gap.labels(model).observe(seconds)

    def finished(self, model: str, last: Finished, seconds: float, *, first: bool) -> None:
        """An answer ended; `first`: of its request, whose prompt counts once."""
        usage, guesses = last.usage, last.speculation
        if first:
            self._prompt.labels(model).inc(usage.prompt_tokens)
            self._queried.labels(model).inc(usage.prompt_tokens)
            self._cached.labels(model).inc(usage.cached_tokens)
        self._generated.labels(model).inc(usage.completion_tokens)
        if guesses is not None:
            self._drafted.labels(model).inc(guesses.drafted)
            self._accepted.labels(model).inc(guesses.accepted)
        self._ended.labels(model, last.finish_reason).inc()
        self._whole.labels(model).observe(seconds)

    def answered(self, route: str, status: int) -> None:
        """A request was answered with this status."""
        self._http.labels(route, str(status)).inc()

    def text(self) -> bytes:
        """All of it."""
        return generate_latest(self._registry)


class Standings(Collector):
    """Where each engine stands at this moment. Its numbers are read beside its thread: each is one of some
    moment in the step that runs."""

    def __init__(self, models: Iterable[Served]) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        running = GaugeMetricFamily(
            "vllm:num_requests_running", "Answers under way.", labels=_MODEL
        )
        waiting = GaugeMetricFamily(
            "vllm:num_requests_waiting", "Answers that wait for their turn.", labels=_MODEL
        )
        usage = GaugeMetricFamily(
            "vllm:kv_cache_usage_perc", "Share of pages in use, 1 = all.", labels=_MODEL
        )
        preempted = CounterMetricFamily(
            "vllm:num_preemptions", "Answers that had to begin again.", labels=_MODEL
        )
        faults = CounterMetricFamily("gemma4:engine_faults", "Passes that failed.", labels=_MODEL)
        for served in self._models:
            now, label = served.llm.streams.engine.counters, [served.id]
            running.add_metric(label, now.running)
            waiting.add_metric(label, now.waiting)
            full = max(
                (a / b for a, b in zip(now.pages_held, now.pages, strict=True) if b), default=0
            )
            usage.add_metric(label, full)
            preempted.add_metric(label, now.preemptions)
            faults.add_metric(label, now.faults)
        yield from (running, waiting, usage, preempted, faults)
