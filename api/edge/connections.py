"""How many connections of clients an API process has, and what each may take (ruling O15)."""

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
    """What each connection may take; times are in seconds, sizes in bytes.

    A body has `slow_seconds`, and one second more for every `min_rate` bytes that have come, `body_seconds` at most
    (as Apache's RequestReadTimeout counts). A client that takes nothing of its answer for `stall_seconds` is cut off.
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
    """Count the connections of one process, together and by address."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open = 0
        self._lingering = 0
        self._of_address: Counter[str] = Counter()
        self._refused = 0
        self._reported = float("-inf")

    def admit(self, address: str | None) -> bool:
        """Count one more connection, unless there are too many. `address` is None where only the total counts."""
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
        """Forget a connection that was admitted with this address."""
        self._open -= 1
        if address:
            counted = counted_address(address)
            self._of_address[counted] -= 1
            if not self._of_address[counted]:
                del self._of_address[counted]

    def linger(self) -> bool:
        """Count a refused connection that stays until its client has read why, unless there are too many of those."""
        self._lingering += 1
        return self._lingering <= MAX_LINGERING

    def end_lingering(self) -> None:
        """Forget a refused connection."""
        self._lingering -= 1

    def _refuse(self, reason: str) -> bool:
        """Report it, though not each: a flood of connections must not become a flood of log lines."""
        REFUSED_CONNECTIONS.labels(reason).inc()
        self._refused += 1
        now = time.monotonic()
        if now - self._reported >= REPORT_INTERVAL:
            log.warning("connections-refused", reason=reason, refused=self._refused, open=self._open)
            self._refused, self._reported = 0, now
        return False
