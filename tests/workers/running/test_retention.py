"""Logins are forgotten after their time, and nothing else: what is left is a log without gaps."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
import time_machine

from domain.core.recorded import Recorded
from domain.people.users import User
from domain.sessions.sessions import Session
from projections.core.projection import WriteCursor
from projections.sessions.sessions import SessionsProjection
from tests.support.followers import eventually
from tests.support.world.product import PASSWORD, Person, World, a_world, settings_for
from tests.workers.following.test_rebuild import rebuilt
from workers.following import leases, rebuild
from workers.running import retention
from workers.running.retention import forget_old_events

DAYS = 400
MONTH = 30 * 86400
EVENTS = "SELECT notification_id FROM sessions_events ORDER BY 1"


def recorded(world: World, position: int, days: float) -> None:
    """Let the event of a login have been recorded so many days ago."""
    with psycopg.connect(world.settings.owner_dsn()) as connection:
        connection.execute(
            "WITH dated AS (UPDATE sessions_events SET recorded_at = now() - %s WHERE notification_id = %s"
            " RETURNING originator_id, recorded_at)"
            " UPDATE sessions SET opened_at = recorded_at FROM dated WHERE session_id = originator_id"
            " AND opened_at > recorded_at",
            [timedelta(days=days), position],
        )


@contextmanager
def days_ago(days: float) -> Iterator[None]:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=days), tick=True):
        yield


async def a_session(world: World, person: Person, *, opened: float, refreshed: float | None = None) -> UUID:
    """Of a month, opened (and once refreshed) so many days ago."""
    user = await world.identity.store.get(User, person.user_id)
    session_id = UUID(int=int(opened * 1000))
    with days_ago(opened):
        token = f"{session_id.hex}.secret"
        session = Session.open(
            session_id, user, organization_id=None, position=0, kind="password", seconds=MONTH, refresh_token=token
        )
        recorded(world, await world.session_store.save(session), opened)
    if refreshed is not None:
        with days_ago(refreshed):
            session.refresh(token)
            recorded(world, await world.session_store.save(session), refreshed)
    return session_id


class InterruptedSessions(SessionsProjection):
    """Comes as far as the second login."""

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        if events[-1].position > 2:
            raise ValueError
        await super().apply(cursor, events)


def rows(database_url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(query.encode()).fetchall()


async def test_old_events_are_deleted_with_their_rows(database_url: str) -> None:
    async with a_world(database_url) as world:
        with psycopg.connect(database_url) as connection:  # the world's own logins come after these
            connection.execute("TRUNCATE sessions_events, sessions")
            connection.execute("UPDATE log_head SET position = 0 WHERE log = 'sessions'")
        for opened in (500, 450, 401, 399, 10):
            await a_session(world, world.system, opened=opened)
        assert await forget_old_events(database_url, "sessions", DAYS) == 3
        assert rows(database_url, EVENTS) == [(4,), (5,)]
        assert rows(database_url, "SELECT count(*) FROM sessions") == [(2,)]
        assert await forget_old_events(database_url, "sessions", DAYS) == 0
        await a_session(world, world.system, opened=1)
        assert rows(database_url, EVENTS) == [(4,), (5,), (6,)]


async def test_kept_events_have_no_gaps(database_url: str) -> None:
    async with a_world(database_url) as world:
        kept = len(rows(database_url, EVENTS))
        await a_session(world, world.system, opened=500)
        assert await forget_old_events(database_url, "sessions", DAYS) == 0
        assert len(rows(database_url, EVENTS)) == kept + 1


async def test_an_emptied_log_continues_at_its_position(database_url: str) -> None:
    async with a_world(database_url) as world:
        await a_session(world, world.system, opened=500)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE sessions_events SET recorded_at = recorded_at - interval '401 days'")
    (head,) = rows(database_url, "SELECT position FROM log_head WHERE log = 'sessions'")
    assert await forget_old_events(database_url, "sessions", DAYS) == head[0]
    assert rows(database_url, EVENTS) == []
    await rebuilt(database_url, SessionsProjection(), "sessions")
    async with a_world(database_url) as world:
        await world.get(f"/v1/users/{world.system.user_id}/", world.system)
        assert rows(database_url, EVENTS)[0] == (head[0] + 1,)


async def test_sessions_are_rebuilt_from_kept_events(database_url: str) -> None:
    everything = "SELECT s::text FROM sessions s ORDER BY 1"
    async with a_world(database_url) as world:
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE sessions_events SET recorded_at = now() - interval '401 days'"
                               " WHERE notification_id = 1")  # fmt: skip
        await a_session(world, world.system, opened=10)
    assert await forget_old_events(database_url, "sessions", DAYS) == 1
    before = rows(database_url, everything)
    assert len(before) > 1
    await rebuilt(database_url, SessionsProjection(), "sessions")
    assert rows(database_url, everything) == before


@pytest.mark.parametrize("days", [475, DAYS], ids=["of what was copied", "of what was not copied yet"])
async def test_an_interrupted_rebuild_restores_no_deleted_event(database_url: str, days: int) -> None:
    async with a_world(database_url) as world:
        with psycopg.connect(database_url) as connection:
            connection.execute("TRUNCATE sessions_events, sessions")
            connection.execute("UPDATE log_head SET position = 0 WHERE log = 'sessions'")
        for opened in (500, 450, 420, 10):
            await a_session(world, world.system, opened=opened)
    with pytest.raises(rebuild.RebuildRefusedError):
        await rebuilt(database_url, InterruptedSessions(), "sessions", batch=1)
    assert rows(database_url, "SELECT position FROM rebuilds") == [(2,)]
    assert await forget_old_events(database_url, "sessions", days) > 0
    assert rows(database_url, "SELECT to_regclass('rebuild.sessions')::text") == [(None,)]
    left = rows(database_url, "SELECT s::text FROM sessions s ORDER BY 1")
    await rebuilt(database_url, SessionsProjection(), "sessions")
    assert rows(database_url, "SELECT s::text FROM sessions s ORDER BY 1") == left


async def test_deleting_no_event_keeps_an_interrupted_rebuild(database_url: str) -> None:
    async with a_world(database_url) as world:
        for opened in (30, 20, 10):
            await a_session(world, world.system, opened=opened)
    with pytest.raises(rebuild.RebuildRefusedError):
        await rebuilt(database_url, InterruptedSessions(), "sessions", batch=1)
    assert await forget_old_events(database_url, "sessions", DAYS) == 0
    said = await rebuilt(database_url, SessionsProjection(), "sessions")
    assert said[0] == "sessions: resumed at position 2"


async def test_a_session_without_its_first_event_stays_deleted(database_url: str) -> None:
    async with a_world(database_url) as world:
        with psycopg.connect(database_url) as connection:
            connection.execute("TRUNCATE sessions_events, sessions")
        session_id = await a_session(world, world.system, opened=410, refreshed=390)
        system = await world.as_(world.system.user_id)
        assert await forget_old_events(database_url, "sessions", DAYS) == 1
        await world.get(f"/v1/sessions/{session_id}/", system, 404)
        gone = await world.client.delete(f"/v1/sessions/{session_id}/", headers=system.bearer)
        assert gone.status_code == 404
        await world.post("/v1/refresh-token/", {"refresh-token": f"{session_id.hex}.secret"}, system, 401)


async def test_nothing_is_forgotten_under_a_rebuild(database_url: str) -> None:
    async with (
        a_world(database_url) as world,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as rebuilding,
    ):
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE sessions_events SET recorded_at = now() - interval '401 days'")
        assert await leases.take(rebuilding, [leases.rebuild_of("sessions")])
        assert await forget_old_events(database_url, "sessions", DAYS) == 0
        await leases.release_all(rebuilding)
        assert await forget_old_events(database_url, "sessions", DAYS) > 0
        assert world


async def test_the_worker_forgets_and_stops_when_told(database_url: str) -> None:
    async with a_world(database_url) as world:
        await world.post("/v1/login/", {"username": world.system.email, "password": PASSWORD}, world.system)
    stop = asyncio.Event()
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("UPDATE sessions_events SET recorded_at = now() - interval '32 days'")
        working = asyncio.create_task(retention.run(settings_for(database_url, session_log_days=31), stop))
        await eventually(connection, "SELECT count(*) FROM sessions_events", 0)
    stop.set()
    await asyncio.wait_for(working, 5)
