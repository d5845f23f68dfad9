"""The library's own Postgres recorder on our log: reads and subscribes as it is, writes with our statement."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore  # noqa: TID251 - proves it can read
from psycopg import Cursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow

from adapters.append_sql import APPEND
from adapters.settings import application_dsn


class LogRecorder(PostgresApplicationRecorder):
    """Appends as the store does, without what only the store knows: projections, circumstances."""

    def __init__(self, database_url: str) -> None:
        super().__init__(_datastore(database_url), events_table_name="events")

    def _insert_stored_events(self, curs: Cursor[DictRow], stored_events: Sequence[StoredEvent], **_: Any) -> None:
        self._notify_channel(curs)
        curs.execute(
            APPEND.format(events="events").encode(),
            {
                "log": "identity",
                "count": len(stored_events),
                "ids": [event.originator_id for event in stored_events],
                "versions": [event.originator_version for event in stored_events],
                "topics": [event.topic for event in stored_events],
                "states": [event.state for event in stored_events],
                "times": [datetime.now(UTC)] * len(stored_events),
                **dict.fromkeys(("actors", "organizations", "correlations", "appends"), [None] * len(stored_events)),
            },
        )

    def _fetch_ids_after_insert_events(
        self, curs: Cursor[DictRow], stored_events: Sequence[StoredEvent], **_: Any
    ) -> list[int]:
        row = curs.fetchone()
        assert row is not None
        (base,) = row.values()
        return list(range(base + 1, base + 1 + len(stored_events)))


def _datastore(database_url: str) -> PostgresDatastore:
    known = conninfo_to_dict(application_dsn(database_url))
    datastore = PostgresDatastore(
        dbname=str(known["dbname"]),
        host=str(known["host"]),
        port=str(known.get("port", 5432)),
        user=str(known.get("user", "")),
        password=str(known.get("password", "")),
        pool_size=5,
        max_overflow=15,
    )
    assert isinstance(datastore.pool.kwargs, dict)
    datastore.pool.kwargs["options"] = known["options"]
    return datastore
