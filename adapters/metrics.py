"""What this process counts for Prometheus. Projection lag and the queue are looked up when asked: `api.health`."""

from prometheus_client import Counter, Histogram

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

REQUESTS = Histogram(
    "rollbook_request_seconds", "Time to answer a request.", ["method", "route", "status"], buckets=SECONDS
)
DECISIONS = Histogram("rollbook_decision_seconds", "Time of an authorization decision.", buckets=SECONDS)
APPENDS = Histogram("rollbook_append_seconds", "Time until an append is committed.", buckets=SECONDS)
FAILURES = Counter("rollbook_unhandled_total", "Requests that ended in what nobody foresaw.")
