"""Snapshots shorten the replay of long streams and change no answer."""

import asyncio
from copy import deepcopy
from uuid import UUID, uuid4

import psycopg
from structlog.testing import capture_logs

from adapters.metrics import SNAPSHOT_FAILURES
from domain.access.roles import Role
from tests.adapters.log.aggregates import a_role
from tests.support.stores import a_store


def a_role_held_by_many() -> tuple[Role, list[UUID]]:
    """By so many that a snapshot is due."""
    role, holders = a_role(), [uuid4() for _ in range(150)]
    for holder in holders:
        role.grant(holder, live=True)
    return role, holders


async def test_a_snapshot_answers_as_the_events_would(database_url: str) -> None:
    async with a_store(database_url) as store:
        role, holders = a_role_held_by_many()
        await store.save(role)
        await asyncio.gather(*store._snapshotting)
        found = await store.get(Role, role.id)
        assert found.holders == dict.fromkeys(holders, True)
        assert (found.version, found.created_on, found.modified_on) == (151, role.created_on, role.modified_on)
        found.grant(uuid4(), live=False)
        await store.save(found)
        assert len((await store.get(Role, role.id)).holders) == 151
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT originator_version FROM snapshots").fetchall() == [(151,)]


async def test_streams_that_are_read_together_each_come_back_whole(database_url: str) -> None:
    async with a_store(database_url) as store:
        roles = [a_role() for _ in range(9)]
        for number, role in enumerate(roles):
            for _ in range(110 if number % 2 else 20):
                role.grant(uuid4(), live=True)
            await store.save(role)
        await asyncio.gather(*store._snapshotting)
        for role in roles:
            for _ in range(25):
                role.grant(uuid4(), live=False)
        await store.save(*roles)
        found = await store.get_many(Role, [role.id for role in roles])
        assert {each.id: (each.version, each.holders) for each in found.values()} == {
            role.id: (role.version, role.holders) for role in roles
        }


async def test_a_snapshot_holds_only_saved_events(database_url: str) -> None:
    async with a_store(database_url) as store:
        role, holders = a_role_held_by_many()
        await store.save(role)
        role.grant(uuid4(), live=True)
        await asyncio.gather(*store._snapshotting)
        found = await store.get(Role, role.id)
        assert (found.version, found.holders) == (151, dict.fromkeys(holders, True))


async def test_a_later_snapshot_takes_the_place_of_those_before(database_url: str) -> None:
    async with a_store(database_url) as store:
        role, _ = a_role_held_by_many()
        await store.save(role)
        await asyncio.gather(*store._snapshotting)
        early = deepcopy(role)
        for _ in range(100):
            role.grant(uuid4(), live=True)
        await store.save(role)
        await asyncio.gather(*store._snapshotting)
        await store._snapshot(early)
        with psycopg.connect(database_url) as connection:
            assert connection.execute("SELECT originator_version FROM snapshots").fetchall() == [(251,)]
        assert len((await store.get(Role, role.id)).holders) == 250


async def test_a_failed_snapshot_is_logged_and_fails_no_command(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("REVOKE INSERT ON snapshots FROM rollbook_app")
    failures = SNAPSHOT_FAILURES._value.get()
    with capture_logs() as said:
        async with a_store(database_url) as store:
            role, holders = a_role_held_by_many()
            await store.save(role)
            await asyncio.gather(*store._snapshotting)
            assert (await store.get(Role, role.id)).holders.keys() == set(holders)
    told = [line for line in said if line["event"] == "snapshot-failed"]
    assert [(line["aggregate"], line["reason"]) for line in told] == [("Role", "InsufficientPrivilege")]
    assert SNAPSHOT_FAILURES._value.get() == failures + 1
