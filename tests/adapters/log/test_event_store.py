"""The log: order, conflicts, guards, lost connections."""

import asyncio
from uuid import uuid4

import psycopg
import pytest

from domain.access.roles import Role
from domain.core.audited import AuditContext, audited_as
from domain.core.errors import LostRace
from domain.core.personal import Personal
from domain.people.users import User
from tests.adapters.log.aggregates import a_role, a_user, positions
from tests.support.stores import a_pool, a_store, waits_for_a_lock


async def test_an_append_may_exceed_the_buffer_of_a_socket(database_url: str) -> None:
    async with a_store(database_url) as store:
        assert await asyncio.wait_for(store.save(*(a_role() for _ in range(10_000))), 15) == 10_000


async def test_the_circumstances_stand_on_the_event_and_in_its_row(database_url: str) -> None:
    actor, session = uuid4(), uuid4()
    async with a_store(database_url) as store:
        with audited_as(AuditContext(actor=actor, session=session, correlation="request-1")):
            role = a_role()
        await store.save(role)
        assert (await store.get(Role, role.id)).id == role.id
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT actor, organization_id, correlation_id, topic FROM events").fetchone()
    assert row == (actor, role.organization_id, "request-1", "role.created")


async def test_a_conflict_fails_no_other_append_of_its_batch(database_url: str) -> None:
    async with a_store(database_url) as store:
        role = a_role()
        await store.save(role)
        stale = await store.get(Role, role.id)
        role.grant(uuid4(), live=True)
        await store.save(role)
        stale.grant(uuid4(), live=True)
        others = [a_role() for _ in range(20)]
        outcomes = await asyncio.gather(
            store.save(stale), *(store.save(other) for other in others), return_exceptions=True
        )
    assert isinstance(outcomes[0], LostRace)
    assert sorted(outcomes[1:]) == list(range(3, 23))  # type: ignore[type-var]
    assert positions(database_url) == list(range(1, 23))


async def test_a_wrong_head_is_an_error_and_not_a_conflict(database_url: str) -> None:
    """As after a restore of some tables alone: it is an error of ours, and nothing that a caller could mend."""
    async with a_store(database_url) as store:
        await store.save(a_role())
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE log_head SET position = 0")
        with pytest.raises(psycopg.errors.UniqueViolation):
            await store.save(a_role())


async def test_personal_values_are_restored_and_not_readable_in_the_log(database_url: str) -> None:
    async with a_store(database_url) as store:
        user = a_user("ada@example.org")
        await store.save(user)
        found = await store.get(User, user.id)
        assert found.names.email == Personal(user.id, "ada@example.org")
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT state FROM events").fetchone()
    assert row is not None
    assert b"ada" not in row[0]


async def test_an_erased_person_is_read_without_personal_values(database_url: str) -> None:
    async with a_pool(database_url) as pool, a_store(database_url) as store:
        user = a_user("ada@example.org")
        await store.save(user)
        await store._codec._keyring.destroy(user.id)
        found = await store.get(User, user.id)
        assert found.names.email == Personal(user.id, None)
        found._disabled()
        await store.save(found)
        assert pool


async def test_events_are_stored_in_the_order_in_which_they_happened(database_url: str) -> None:
    """Those of one command and those of commands that share a batch."""
    roles = [a_role() for _ in range(8)]
    for role in roles:
        for _ in range(3):
            role.grant(uuid4(), live=True)
    async with a_store(database_url) as store:
        answered = await asyncio.gather(*(store.save(role) for role in roles))
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT originator_id, originator_version, notification_id FROM events ORDER BY notification_id"
        ).fetchall()
    for role, last in zip(roles, answered, strict=True):
        own = [(version, position) for stream, version, position in rows if stream == role.id]
        assert own == [(version, last - 4 + version) for version in (1, 2, 3, 4)]


async def test_positions_follow_the_order_of_commits(database_url: str) -> None:
    """The writer that asks first but commits last gets the later position, and no reader ever sees it earlier."""
    async with a_store(database_url) as store, await psycopg.AsyncConnection.connect(database_url) as rival:
        await rival.execute("UPDATE log_head SET position = position + 1 WHERE log = 'identity'")
        saving = asyncio.create_task(store.save(a_role()))
        await waits_for_a_lock(database_url)
        assert positions(database_url) == []
        await rival.execute(
            "INSERT INTO events (originator_id, originator_version, notification_id, topic, state)"
            " SELECT gen_random_uuid(), 1, position, 'role.created', '' FROM log_head WHERE log = 'identity'"
        )
        await rival.commit()
        assert await saving == 2
    assert positions(database_url) == [1, 2]


async def test_a_command_whose_connection_is_killed_is_recorded_once(database_url: str) -> None:
    async with a_store(database_url) as store:
        roles = [a_role() for _ in range(60)]

        async def kill_now_and_then() -> None:
            async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
                for _ in range(10):
                    await connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                    await asyncio.sleep(0.02)

        killing = asyncio.create_task(kill_now_and_then())
        outcomes = [await store.save(role) for role in roles]
        await killing
    assert outcomes == list(range(1, 61))
    assert positions(database_url) == list(range(1, 61))
