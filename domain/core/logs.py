"""Names of logs, and by one convention the names of the tables that a log is kept in."""

IDENTITY = "identity"
"""The log of the service's own facts, kept for ever; the others may forget their beginnings."""


def events_table(log: str) -> str:
    """Return the table of the log's events."""
    return "events" if log == IDENTITY else f"{log}_events"


def snapshots_table(log: str) -> str:
    """Return the table of snapshots of the log's aggregates."""
    return "snapshots" if log == IDENTITY else f"{log}_snapshots"
