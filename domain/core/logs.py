"""The names of logs and of their tables, which follow one convention."""

IDENTITY = "identity"
"""The log of users, organizations and rights, which is kept for ever; other logs may drop their oldest events."""


def events_table(log: str) -> str:
    """Return the name of the table that holds the log's events."""
    return "events" if log == IDENTITY else f"{log}_events"


def snapshots_table(log: str) -> str:
    """Return the name of the table that holds snapshots of the log's aggregates."""
    return "snapshots" if log == IDENTITY else f"{log}_snapshots"
