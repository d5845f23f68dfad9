"""Reactions enqueue exactly once, and what they enqueue is done."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection, AsyncCursor

from adapters.log.event_store import EventStore
from adapters.security.keyring import Keyring
from domain.core.audited import AuditContext, audited_as
from domain.core.permissions import Permissions
from domain.core.recorded import Recorded
from domain.groups.groups import Group
from domain.groups.moves import GroupMoves
from domain.groups.trees import GroupTree, tree_id
from domain.onboarding.invitation_messages import InvitationMessages
from domain.people.account_messages import AccountMessages
from tests.support.followers import a_projector, eventually
from tests.support.stores import MASTER_KEY, a_pool, a_store
from tests.support.world.principals import Everything
from workers.following import projectors
from workers.following.projector import NotCaughtUpError
from workers.following.reactions import MovesReaction
from workers.jobs import worker as jobs
from workers.jobs.kinds import Commands

JOBS = "SELECT count(*) FROM procrastinate_jobs"


def commands_over(store: EventStore) -> Commands:
    """For moves alone."""
    return Commands(
        GroupMoves(store, Permissions(Everything())), cast("InvitationMessages", None), cast("AccountMessages", None)
    )


async def looking(database_url: str) -> AsyncConnection:
    return await AsyncConnection.connect(database_url, autocommit=True)


async def a_requested_move(
    store: EventStore, *, delay: int = 0, by: AuditContext | None = None
) -> tuple[UUID, UUID, UUID]:
    """Organization, group and its new parent."""
    organization, group, parent = uuid4(), uuid4(), uuid4()
    with audited_as(by or AuditContext()):
        tree = GroupTree.create(organization)
        tree.request_move(uuid4(), group, parent, delay)
        await store.save(*(Group.create(each, organization, "Group") for each in (group, parent)), tree)
    return organization, group, parent


async def test_a_requested_move_becomes_one_job(database_url: str) -> None:
    by = AuditContext(actor=uuid4(), session=uuid4(), correlation="request-1")
    async with a_store(database_url) as store, await looking(database_url) as connection:
        organization, _, _ = await a_requested_move(store, by=by)
        for _ in range(2):
            async with a_projector(database_url, MovesReaction()) as projector:
                await projector.catch_up()
        cursor = await connection.execute("SELECT task_name, args, scheduled_at FROM procrastinate_jobs")
        ((task, arguments, due),) = await cursor.fetchall()
        assert (task, arguments["organization_id"], due) == ("move-group", str(organization), None)
        assert (arguments["by"]["actor"], arguments["by"]["causation"]) == (str(by.actor), 4)


async def test_a_delayed_session_delays_its_job(database_url: str) -> None:
    async with a_store(database_url) as store, await looking(database_url) as connection:
        await a_requested_move(store, delay=30_000)
        async with a_projector(database_url, MovesReaction()) as projector:
            await projector.catch_up()
        cursor = await connection.execute("SELECT scheduled_at FROM procrastinate_jobs")
        ((due,),) = await cursor.fetchall()
        assert timedelta(seconds=20) < due - datetime.now(UTC) <= timedelta(seconds=30)


async def test_a_reaction_that_fails_half_way_leaves_no_job(database_url: str) -> None:
    class Failing(MovesReaction):
        async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
            await super().apply(cursor, events)
            await cursor.execute("SELECT 1 / 0")

    async with a_store(database_url) as store, await looking(database_url) as connection:
        await a_requested_move(store)
        async with a_projector(database_url, Failing()) as projector:
            with pytest.raises(NotCaughtUpError):
                await projector.catch_up()
        await eventually(connection, "SELECT error IS NOT NULL FROM projections", True)
        await eventually(connection, JOBS, 0)
        async with a_projector(database_url, MovesReaction()) as projector:
            await projector.catch_up()
        await eventually(connection, JOBS, 1)


async def test_catching_up_carries_the_move_out(database_url: str) -> None:
    by = AuditContext(actor=uuid4(), session=uuid4(), correlation="request-1")
    async with a_store(database_url) as store, a_pool(database_url) as pool, await looking(database_url) as connection:
        organization, group, parent = await a_requested_move(store, by=by)
        await projectors.catch_up(pool, Keyring(pool, MASTER_KEY), commands_over(store))
        tree = await store.get(GroupTree, tree_id(organization))
        assert (tree.parents, tree.moves) == ({group: parent}, {})
        await eventually(connection, JOBS, 0)
        cursor = await connection.execute("SELECT actor, correlation_id FROM events WHERE topic = 'group-tree.moved'")
        assert await cursor.fetchall() == [(by.actor, "request-1")]


async def test_a_job_done_twice_moves_once(database_url: str) -> None:
    async with a_store(database_url) as store, a_pool(database_url) as pool, await looking(database_url) as connection:
        await a_requested_move(store)
        async with a_projector(database_url, MovesReaction()) as projector:
            await projector.catch_up()
        await connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args) SELECT queue_name, task_name, args"
            " FROM procrastinate_jobs"
        )
        app = jobs.job_app(commands_over(store))
        async with app.open_async(pool):
            await asyncio.wait_for(jobs.run_due_jobs(app), 10)
        await eventually(connection, JOBS, 0)
        await eventually(connection, "SELECT count(*) FROM events WHERE topic = 'group-tree.moved'", 1)
