"""Limits on the client connections of an API process, and on what each connection may take (ruling O15)."""

import time
from collections import Counter
from typing import NamedTuple

import structlog

from adapters.metrics import REFUSED_CONNECTIONS
from adapters.security.client_address import counted_address

REPORT_INTERVAL = 10.0
"""Seconds between two log lines about refused connections."""
MAX_LINGERING = 100

log = structlog.get_logger()


class ConnectionLimits(NamedTuple):
    """The limits of the process and of each connection; times are in seconds, sizes in bytes.

    A client may take `slow_seconds` for a body, and one second more for every `min_rate` bytes that have arrived, but
    at most `body_seconds` (like Apache's RequestReadTimeout). A client that reads nothing of its answer for
    `stall_seconds` is disconnected.
    """

    connections: int = 1000
    per_address: int = 100
    head_bytes: int = 64 * 1024
    headers: int = 100
    head_seconds: float = 10.0
    body_seconds: float = 60.0
    slow_seconds: float = 10.0
    min_rate: int = 1024
    pipelined: int = 100
    stall_seconds: float = 60.0
    linger_seconds: float = 1.0


class Connections:
    """Counts the connections of one process, in total and by network address."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open = 0
        self._lingering = 0
        self._of_address: Counter[str] = Counter()
        self._refused = 0
        self._reported = float("-inf")

    def admit(self, address: str | None) -> bool:
        """Count a connection and return True, unless there are too many. Without `address` only the total counts."""
        if self._open >= self.limits.connections:
            return self._refuse("all")
        counted = counted_address(address) if address else None
        if counted and self._of_address[counted] >= self.limits.per_address:
            return self._refuse("address")
        self._open += 1
        if counted:
            self._of_address[counted] += 1
        return True

    def release(self, address: str | None) -> None:
        """Stop counting a connection that was admitted with this address."""
        self._open -= 1
        if address:
            counted = counted_address(address)
            self._of_address[counted] -= 1
            if not self._of_address[counted]:
                del self._of_address[counted]

    def linger(self) -> bool:
        """Count a refused connection that stays open for its client to read why; return False if there are too many."""
        self._lingering += 1
        return self._lingering <= MAX_LINGERING

    def end_lingering(self) -> None:
        """Stop counting a refused connection."""
        self._lingering -= 1

    def _refuse(self, reason: str) -> bool:
        """Count a refusal, and log it at most every REPORT_INTERVAL. Return False."""
        REFUSED_CONNECTIONS.labels(reason).inc()
        self._refused += 1
        now = time.monotonic()
        if now - self._reported >= REPORT_INTERVAL:
            log.warning("connections-refused", reason=reason, refused=self._refused, open=self._open)
            self._refused, self._reported = 0, now
        return False
