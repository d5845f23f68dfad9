"""Many commands on one stream, and appends of one batch that take rights from each other (rulings O7 and O17)."""

import asyncio
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from adapters.log.event_store import EventStore
from domain.access.roles import Role
from domain.core.audited import Audited
from domain.core.decisions import Decision, deciding
from domain.core.errors import DecisionOutdated, LostRace
from domain.core.permissions import Permissions
from domain.core.ports import retry_on_conflict
from domain.groups.groups import Group
from domain.groups.moves import GroupMoves
from domain.groups.trees import GroupTree, tree_id
from domain.people.users import User
from projections import registry
from projections.access.rights import CurrentRights
from tests.adapters.log.aggregates import a_role, a_user
from tests.support.doubles import Grants
from tests.support.log_writers import start_granting
from tests.support.stores import a_store
from tests.support.world.principals import a_principal

pytestmark = pytest.mark.slow

MANY = 64


class Granting:
    """Grants of one role, and how often they were decided."""

    def __init__(self, role_id: UUID) -> None:
        self._role_id = role_id
        self.decisions = 0

    @retry_on_conflict
    async def grant(self, store: EventStore) -> int:
        self.decisions += 1
        role = await store.get(Role, self._role_id)
        role.grant(uuid4(), live=True)
        return await store.save(role)


async def test_many_commands_on_one_stream_take_turns(database_url: str) -> None:
    async with a_store(database_url) as store:
        role = a_role()
        await store.save(role)
        granting = Granting(role.id)
        await asyncio.gather(*(granting.grant(store) for _ in range(MANY)))
        assert len((await store.get(Role, role.id)).holders) == MANY
    assert granting.decisions < 3 * MANY, "racing, they decide some two thousand times"


async def test_moves_in_one_organization_are_each_decided_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_store(database_url) as store:
        organization, mover = uuid4(), uuid4()
        parent, *groups = [Group.create(uuid4(), organization, "Group") for _ in range(MANY + 1)]
        await store.save(parent, *groups)
        access = Grants()
        for each in (parent, *groups):
            access.allow(mover, each.id, "read", "write")
        moves = GroupMoves(store, Permissions(access))
        find, read = store.find, list[UUID]()

        async def counted(kind: type[Audited], aggregate_id: UUID) -> Audited | None:
            if kind is GroupTree:
                read.append(aggregate_id)
            return await find(kind, aggregate_id)

        monkeypatch.setattr(store, "find", counted)
        tasks = await asyncio.gather(*(moves.request(a_principal(mover), group.id, parent.id) for group in groups))
        await asyncio.gather(*(moves.carry_out(organization, task_id) for task_id, _ in tasks))
        assert len(read) == 2 * MANY
        assert len((await store.get(GroupTree, tree_id(organization))).parents) == MANY


async def test_many_commands_on_one_stream_from_two_processes_all_succeed(database_url: str) -> None:
    async with a_store(database_url) as store:
        role = a_role()
        await store.save(role)
        processes = [start_granting(database_url, role.id, MANY) for _ in range(2)]
        for process in processes:
            await asyncio.to_thread(process.join, 60)
        assert [process.exitcode for process in processes] == [0, 0]
        assert len((await store.get(Role, role.id)).holders) == 2 * MANY


async def test_a_conflict_names_its_streams_and_its_batch_is_tried_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_store(database_url) as store:
        stale = [a_role() for _ in range(5)]
        await store.save(*stale)
        for role in stale:
            fresh = await store.get(Role, role.id)
            fresh.grant(uuid4(), live=True)
            await store.save(fresh)
            role.grant(uuid4(), live=True)
        transaction = store._writer._transaction
        append, batches = transaction.append, list[int]()

        async def counted(batch: list[object]) -> int:
            batches.append(len(batch))
            return await append(batch)  # type: ignore[arg-type]

        monkeypatch.setattr(transaction, "append", counted)
        outcomes = await asyncio.gather(
            *(store.save(role) for role in stale), *(store.save(a_role()) for _ in range(20)), return_exceptions=True
        )
    lost = [outcome for outcome in outcomes if isinstance(outcome, LostRace)]
    assert [outcome.streams for outcome in lost] == [{role.id} for role in stale]
    assert batches == [25, 20]


def lookup(kind: str, value: str) -> bytes:
    return f"{kind}:{value}".encode()


@pytest.mark.parametrize("disabled_first", [True, False])
async def test_the_second_append_of_a_batch_sees_the_first(database_url: str, disabled_first: bool) -> None:
    async with a_store(database_url, projections=registry.inline(lookup), rights=CurrentRights()) as store:
        user = a_user()
        await store.save(user)
        decision = Decision(user.id, uuid4(), await store.head())
        ended = await store.get(User, user.id)
        ended.disable()

        async def by_the_user() -> int:
            with deciding(decision):
                return await store.save(a_role())

        async def disabling() -> int:
            return await store.save(ended)

        calls: list[Callable[[], object]] = [disabling, by_the_user] if disabled_first else [by_the_user, disabling]
        outcomes = await asyncio.gather(*(call() for call in calls), return_exceptions=True)  # type: ignore[call-overload]
        assert isinstance(outcomes[1], DecisionOutdated) == disabled_first
        assert isinstance(outcomes[0], int)
