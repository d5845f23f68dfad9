"""Prometheus metrics of processes. `api.health` reads projection lag and queue on each request."""

import os

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the library's name; it decides when it is imported
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

REQUESTS = Histogram(
    "rollbook_request_seconds", "Time to answer a request.", ["method", "route", "status"], buckets=SECONDS
)
DECISIONS = Histogram("rollbook_decision_seconds", "Time of an authorization decision.", buckets=SECONDS)
APPENDS = Histogram("rollbook_append_seconds", "Time until an append is committed.", buckets=SECONDS)
FAILURES = Counter("rollbook_unhandled_total", "Requests that ended with an unexpected error.")
SECURITY_EVENTS = Counter("rollbook_security_events_total", "Lines of the security log.", ["event"])
REFUSED_CONNECTIONS = Counter(
    "rollbook_refused_connections_total", "Connections refused by the total limit or by that of an address.", ["reason"]
)
DAMAGED_VALUES = Counter("rollbook_damaged_values_total", "Encrypted values that could not be decrypted: alarms.")
SNAPSHOT_FAILURES = Counter("rollbook_snapshot_failures_total", "Snapshots of aggregates that were not written.")
INDEXED = Gauge(
    "rollbook_indexed_individuals", "Individuals in the base sets that answer long lists.", multiprocess_mode="max"
)


def counted() -> Collector:
    """Return the metrics of all processes that share a folder, even ended ones, or those of this process."""
    if SHARED_FOLDER not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types
    return registry
