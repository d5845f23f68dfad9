"""Reads wait although notifications or the listener are lost."""

import asyncio

import psycopg

from api.edge.positions import MOMENT
from tests.api.edge.test_positions import get, heard, project, router, stand, waited_for
from tests.support.edge import Edge, an_edge

END_LISTENERS = (
    b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    b" WHERE application_name = 'rollbook-listener' AND datname = current_database()"
)


async def is_read_without_notification(edge: Edge, database_url: str) -> None:
    """Fail unless a reader who waits is answered although nothing announces what is projected."""
    reading = asyncio.create_task(get(edge, "/v1/things/", 4))
    await waited_for(edge)
    await project(database_url, notify=False, things=4)
    assert (await reading).status_code == 200


async def test_a_lost_listener_only_delays_reads(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        await project(database_url, things=1, others=9)
        await heard(edge)
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await connection.execute(END_LISTENERS)
        await is_read_without_notification(edge, database_url)


async def test_a_reconnected_listener_looks_for_missed_notifications(database_url: str) -> None:
    async with an_edge(database_url, router, position_wait=10.0) as edge:
        edge.services.positions.poll = 60
        await project(database_url, things=1, others=9)
        await heard(edge)
        reading = asyncio.create_task(get(edge, "/v1/things/", 4))
        await waited_for(edge)
        await asyncio.sleep(3 * MOMENT)  # the look that began with the wait is over
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await stand(connection, things=4)
            await connection.execute(END_LISTENERS)
        assert (await reading).status_code == 200


async def test_a_failed_look_is_repeated(database_url: str) -> None:
    async with an_edge(database_url, router, position_wait=5.0) as edge:
        await project(database_url, others=9)
        await heard(edge)
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await connection.execute("REVOKE SELECT ON log_head FROM rollbook_app")
            assert not await edge.services.positions.reached(["things"], 4, 5 * MOMENT)
            await connection.execute("GRANT SELECT ON log_head TO rollbook_app")
        await is_read_without_notification(edge, database_url)


async def test_a_lost_notification_delays_a_read_by_a_second(database_url: str) -> None:
    async with an_edge(database_url, router, position_wait=5.0) as edge:
        await project(database_url, things=1, others=9)
        await heard(edge)
        await asyncio.sleep(3 * MOMENT)  # without a waiting reader no query is sent
        reading = asyncio.create_task(get(edge, "/v1/things/", 4))
        await waited_for(edge)
        await asyncio.sleep(0.1)  # the look that began with the wait is over
        await project(database_url, notify=False, things=4)
        assert (await reading).status_code == 200
