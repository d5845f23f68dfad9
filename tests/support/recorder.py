"""The library's own Postgres recorder on our log: reads and subscribes as it is, writes with our statement."""

from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import ApplicationRecorder, IntegrityError, StoredEvent, Subscription
from eventsourcing.postgres import (  # noqa: TID251 - proves that the library can read our log
    PostgresApplicationRecorder,
    PostgresDatastore,
    PostgresSubscription,
)
from psycopg import Cursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow
from psycopg.sql import SQL, Identifier

from adapters.log.append_sql import APPEND
from tests.support.logins import application_dsn


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
                "inline": None,
                **dict.fromkeys(("actors", "organizations", "correlations", "appends"), [None] * len(stored_events)),
            },
        )

    def _fetch_ids_after_insert_events(
        self, curs: Cursor[DictRow], stored_events: Sequence[StoredEvent], **_: Any
    ) -> list[int]:
        row = curs.fetchone()
        assert row is not None
        if row["appended"] < len(stored_events):
            raise IntegrityError
        base = row["base"]
        return list(range(base + 1, base + 1 + len(stored_events)))

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        return LookingAgainSubscription(self, gt, topics)


class LookingAgainSubscription(PostgresSubscription):
    """The library's begins to listen while the first events are read, and then misses what comes in between."""

    def _listen(self) -> None:
        with self._recorder.datastore.get_connection() as connection:
            connection.execute(SQL("LISTEN {0}").format(Identifier(self._recorder.channel_name)))
            self._has_been_notified.set()
            while not self._has_been_stopped and not self._thread_error:
                for _ in connection.notifies(timeout=0.1, stop_after=1):
                    self._has_been_notified.set()


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
