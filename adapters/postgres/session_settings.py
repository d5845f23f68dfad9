"""The settings of each session, independent of those of server, database and role (ruling O20).

Start options override `ALTER DATABASE … SET` and `ALTER ROLE … SET`, and apply before the first statement.
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
"""What results rest on. Nothing overrides it."""

PLANNING: Mapping[str, str] = {"jit": "off", "random_page_cost": "1.1"}
"""Our queries are short, their indexes cached or on solid disks: by its defaults Postgres would rather scan tables.

`options` in the connection string override it.
"""

LIMITS: Mapping[Purpose, Mapping[str, str]] = {
    # `options` in the connection string override these alone
    "read": {
        "statement_timeout": "15s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "10s",
        "idle_session_timeout": "0",
    },
    # holds the head of a log: nobody may hold it for longer than 10 s (ruling O29)
    "write": {
        "statement_timeout": "10s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "5s",
        "idle_session_timeout": "0",
        "tcp_user_timeout": "10s",
    },
    # holds leases, and looks twice a second: a session that is silent belongs to a process that is frozen
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
    # tries its connection out more often than that; what is not fetched fills the server's queue
    "listen": {
        "statement_timeout": "10s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "10s",
        "idle_session_timeout": "15s",
        "tcp_user_timeout": "10s",
    },
    # session locks of requests that may last
    "lock": {
        "statement_timeout": "10s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "10s",
        "idle_session_timeout": "0",
        "tcp_user_timeout": "10s",
    },
    # its swap holds the head of a log; its statements take as long as the log is long
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
"""How long a session of each purpose may take, wait and be silent."""


KEEPALIVES: Mapping[str, str] = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
"""Seconds, and a number of probes. Otherwise Postgres would keep the locks of a client that is gone for two hours."""


def session_options(purpose: Purpose) -> dict[str, str]:
    """All settings of a session for that purpose, by name."""
    return {**PLANNING, **PINNED, **LIMITS[purpose]}


def session_dsn(dsn: str, purpose: Purpose, **more: str) -> str:
    """The same database for sessions of that purpose; `more` are further settings of Postgres, which come last.

    May be applied to its own result, to turn the sessions to another purpose.
    """
    limits = _words(LIMITS[purpose])
    early, late = (limits, list[str]()) if purpose == "read" else (list[str](), limits)
    words = [*_words(PLANNING), *early, *_given(dsn), *_words({**PINNED, **KEEPALIVES}), *late, *_words(more)]
    return make_conninfo(dsn, client_encoding="UTF8", options=" ".join(words))


def _given(dsn: str) -> list[str]:
    given = conninfo_to_dict(dsn).get("options")
    return [str(given)] if given else []


def _words(wanted: Mapping[str, str]) -> list[str]:
    return [f"-c {name}={_escaped(value)}" for name, value in wanted.items()]


def _escaped(value: str) -> str:
    """Postgres splits its start options at blanks."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
