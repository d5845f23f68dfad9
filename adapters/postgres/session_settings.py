"""The settings of each database session, whatever those of server, database and role are (ruling O20).

They are start options, which override `ALTER DATABASE … SET` and `ALTER ROLE … SET` and apply to the first statement.
"""

from collections.abc import Mapping
from typing import Literal

from psycopg.conninfo import conninfo_to_dict, make_conninfo

Purpose = Literal["read", "write", "project", "index", "listen", "lock", "rebuild", "maintain"]

PINNED: Mapping[str, str] = {
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "standard_conforming_strings": "on",
    "search_path": "public",
    "default_transaction_isolation": "read committed",
}
"""Settings that results depend on. Nothing overrides them."""

PLANNING: Mapping[str, str] = {"jit": "off", "random_page_cost": "1.1"}
"""Settings of the planner. `options` in the connection string override them.

Our queries are short, and their indexes are cached or on solid-state disks. By its defaults Postgres would scan tables.
"""

LIMITS: Mapping[Purpose, Mapping[str, str]] = {
    # `options` in the connection string override these limits, and no others
    "read": {
        "statement_timeout": "15s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "10s",
        "idle_session_timeout": "0",
    },
    # locks the head row of a log, for 10 s at most (ruling O29)
    "write": {
        "statement_timeout": "10s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "5s",
        "idle_session_timeout": "0",
        "tcp_user_timeout": "10s",
    },
    # holds leases and polls twice per second, so an idle session belongs to a frozen process
    "project": {
        "statement_timeout": "5min",
        "lock_timeout": "1min",
        "idle_in_transaction_session_timeout": "10s",
        "idle_session_timeout": "10s",
        "tcp_user_timeout": "10s",
    },
    "index": {
        "statement_timeout": "5min",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "1min",
        "idle_session_timeout": "0",
    },
    # tests its connection more often than that; the notifications of a frozen process would fill the server's queue
    "listen": {
        "statement_timeout": "10s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "10s",
        "idle_session_timeout": "15s",
        "tcp_user_timeout": "10s",
    },
    # holds session locks during requests of any length
    "lock": {
        "statement_timeout": "10s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "10s",
        "idle_session_timeout": "0",
        "tcp_user_timeout": "10s",
    },
    # its swap locks the head row of a log; the time of its statements grows with the log
    "rebuild": {
        "statement_timeout": "0",
        "lock_timeout": "0",
        "idle_in_transaction_session_timeout": "8s",
        "idle_session_timeout": "0",
        "tcp_user_timeout": "10s",
    },
    "maintain": {
        "statement_timeout": "0",
        "lock_timeout": "0",
        "idle_in_transaction_session_timeout": "1min",
        "idle_session_timeout": "0",
    },
}
"""Limits of statements, waits for locks, and idle time for sessions of each purpose."""


KEEPALIVES: Mapping[str, str] = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
"""Seconds, and a number of probes. With the defaults Postgres keeps the locks of a vanished client for two hours."""


def session_options(purpose: Purpose) -> dict[str, str]:
    """Return all settings of a session for that purpose, by name."""
    return {**PLANNING, **PINNED, **LIMITS[purpose]}


def session_dsn(dsn: str, purpose: Purpose, **more: str) -> str:
    """Return the connection string for sessions of that purpose; `more` are further settings, which override others.

    A result may be passed in again to change its purpose.
    """
    limits = _words(LIMITS[purpose])
    early, late = (limits, list[str]()) if purpose == "read" else (list[str](), limits)
    words = [*_words(PLANNING), *early, *_given(dsn), *_words({**PINNED, **KEEPALIVES}), *late, *_words(more)]
    return make_conninfo(dsn, client_encoding="UTF8", options=" ".join(words))


def _given(dsn: str) -> list[str]:
    given = conninfo_to_dict(dsn).get("options")
    return [str(given)] if given else []


def _words(settings: Mapping[str, str]) -> list[str]:
    return [f"-c {name}={_escaped(value)}" for name, value in settings.items()]


def _escaped(value: str) -> str:
    """Escape blanks, at which Postgres splits its start options."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
