"""The security log, in which operators look for attacks: structured lines and a counter (ruling O23)."""

from typing import Literal

import structlog

from adapters.metrics import SECURITY_EVENTS

SecurityEvent = Literal[
    "impersonation-used",
    "known-address-named",
    "login-failed",
    "login-locked",
    "permission-refused",
    "service-account-refused",
    "session-revoked",
    "token-refused",
]

log = structlog.get_logger()


def report(event: SecurityEvent, **facts: str) -> None:
    """Log the event with its facts, and count it. Facts name people only by id or keyed hash."""
    SECURITY_EVENTS.labels(event).inc()
    log.warning(event, log="security", **facts)
