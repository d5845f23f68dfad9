"""Groups, their people and their viewers on a real log, for the tests of the groups' read models."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from psycopg import AsyncCursor

from adapters.log.event_store import EventStore
from domain.access.roles import Role, role_id
from domain.core.ids import new_id
from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry, RosterKind, roster_entry_id
from domain.groups.trees import GroupTree, tree_id
from domain.organizations.organizations import Organization, Organizations
from domain.people.individuals import Individual
from domain.people.users import STAFF, User
from projections.access.authorization import AuthorizationProjection
from projections.core.projection import Projection
from projections.core.visibility import Viewer, viewer
from projections.groups import lists as group_lists
from projections.groups.groups import GroupsProjection
from projections.groups.lists import GroupFilter, GroupRow
from projections.groups.logs import GroupLogsProjection
from projections.groups.tasks import TasksProjection
from projections.people.users import UsersProjection
from tests.support.followers import a_projector
from tests.support.stores import a_pool, a_store
from tests.support.world.principals import EVERYTHING, SYSTEM
from workers.following.projectors import Projector

SYSTEM_ADMIN = "carium.admin"


class Wards:
    """`cursor` reads; what is background is there after `catch_up`. Nothing here asks for permission."""

    def __init__(self, store: EventStore, cursor: AsyncCursor, projector: Projector) -> None:
        self.store = store
        self.cursor = cursor
        self._projector = projector

    async def catch_up(self) -> None:
        while await self._projector.step():
            pass

    async def forget(self) -> None:
        """As if nothing had been projected yet."""
        tables = (
            "groups",
            "group_totals",
            "group_logs",
            "group_log_totals",
            "tasks",
            "users",
            "user_onboarding_requests",
        )
        for table in tables:
            await self.cursor.execute(f"DELETE FROM {table}".encode())
        await self.cursor.execute("UPDATE projections SET position = 0")
        for follower in self._projector._leading.values():
            follower.succeeded(0)

    async def organization(self, *, opened: bool = False) -> UUID:
        organizations = Organizations(self.store, EVERYTHING)
        organization, _ = await organizations.create(SYSTEM, f"o{uuid4().hex}")
        if opened:
            await organizations.change(SYSTEM, organization.id, {"authorization_type": "open"})
        return organization.id

    async def user(self, *organizations: UUID, classification: str = "customer", **known: Any) -> UUID:
        """Live, a provider of the organizations; of the operator's classification also of one that is staffed."""
        if classification == STAFF:
            organizations = (*organizations, await self._staffed_organization())
        user = User.create(uuid4(), classification=classification, individual_id=uuid4(), **known)
        user.confirm()
        for organization in organizations:
            user.join(organization)
        assert user.individual_id is not None
        own = Individual.create(user.individual_id, "user", user.id, provider=bool(organizations))
        await self.store.save(user, own)
        return user.id

    async def admin(self, organization: UUID) -> UUID:
        user_id = await self.user(organization)
        role = await self.store.get(Role, role_id(organization, "org.admin"))
        role.grant(user_id, live=True)
        await self.store.save(role)
        return user_id

    async def system(self) -> UUID:
        """A system administrator."""
        user_id = await self.user(classification=STAFF)
        user = await self.store.get(User, user_id)
        role = Role.create(next(iter(user.organizations)), SYSTEM_ADMIN, "System")
        role.grant(user_id, live=True)
        await self.store.save(role)
        return user_id

    async def _staffed_organization(self) -> UUID:
        organization = Organization.found(
            uuid4(),
            f"o{uuid4().hex}",
            display_name="Staff",
            classification=STAFF,
            provider_type="coach",
            timezone="UTC",
        )
        await self.store.save(organization)
        return organization.id

    async def patient(self, *organizations: UUID) -> UUID:
        """The individual of a participant, shared with the organizations."""
        user = User.create(uuid4(), classification="customer", individual_id=uuid4(), email=f"{uuid4().hex}@x.test")
        user.confirm(email_verified=True)
        assert user.individual_id is not None
        individual = Individual.create(user.individual_id, "user", user.id)
        for organization in organizations:
            individual.share("organization", organization)
        await self.store.save(user, individual)
        return individual.id

    async def record(self, organization: UUID) -> UUID:
        """An individual without an account."""
        individual = Individual.create(uuid4(), "organization", organization)
        await self.store.save(individual)
        return individual.id

    async def group(self, organization: UUID, name: str = "Heart", *, under: UUID | None = None, **what: Any) -> UUID:
        group = Group.make(uuid4(), organization, name, **what)
        await self.store.save(group)
        if under is not None:
            await self.move(organization, group.id, under)
        return group.id

    async def rename(self, group_id: UUID, name: str) -> None:
        group = await self.store.get(Group, group_id)
        group.rename(name)
        await self.store.save(group)

    async def deactivate(self, group_id: UUID) -> None:
        group = await self.store.get(Group, group_id)
        group.deactivate()
        await self.store.save(group)

    async def move(self, organization: UUID, group_id: UUID, parent_id: UUID | None) -> UUID:
        """The finished task."""
        tree = await self.store.find(GroupTree, tree_id(organization)) or GroupTree.create(organization)
        task_id = new_id()
        tree.request_move(task_id, group_id, parent_id, 0)
        if tree.moved_by(task_id):
            tree.finish_move(group_id)
        await self.store.save(tree)
        return task_id

    async def entry(self, organization: UUID, group_id: UUID, kind: RosterKind, *subject_ids: UUID) -> None:
        found = await self.store.get_many(RosterEntry, [roster_entry_id(group_id, kind, each) for each in subject_ids])
        for entry in found.values():
            entry.add_again()
        new = [each for each in subject_ids if roster_entry_id(group_id, kind, each) not in found]
        await self.store.save(*found.values(), *(RosterEntry.add(group_id, organization, kind, each) for each in new))

    async def unseat(self, group_id: UUID, kind: RosterKind, *subject_ids: UUID) -> None:
        found = await self.store.get_many(RosterEntry, [roster_entry_id(group_id, kind, each) for each in subject_ids])
        for entry in found.values():
            entry.remove()
        await self.store.save(*found.values())

    async def viewer(self, user_id: UUID) -> Viewer:
        return await viewer(self.cursor, user_id)

    async def listed(self, user_id: UUID, *, limit: int = 100, offset: int = 0, **wanted: Any) -> list[UUID]:
        """The ids that a list shows; its total is that of the whole list."""
        rows, total = await group_lists.page(
            self.cursor, await self.viewer(user_id), GroupFilter(**wanted), limit=limit, offset=offset
        )
        assert total == len(rows) or len(rows) == limit or offset
        return [row.group_id for row in rows]

    async def total(self, user_id: UUID, **wanted: Any) -> int:
        _, total = await group_lists.page(
            self.cursor, await self.viewer(user_id), GroupFilter(**wanted), limit=1, offset=0
        )
        return total

    async def row(self, group_id: UUID) -> GroupRow:
        row = await group_lists.known(self.cursor, group_id)
        assert row is not None
        return row


@asynccontextmanager
async def wards(database_url: str) -> AsyncIterator[Wards]:
    background: list[Projection] = [GroupsProjection(), GroupLogsProjection(), TasksProjection(), UsersProjection()]
    async with (
        a_store(database_url, projections=[AuthorizationProjection()]) as store,
        a_pool(database_url, size=1) as pool,
        a_projector(database_url, *background) as projector,
        pool.connection() as connection,
    ):
        await projector.take_leases()
        yield Wards(store, connection.cursor(), projector)


def named(rows: Iterable[GroupRow]) -> list[str]:
    return [row.name for row in rows]
