"""A world in memory, for the domain: its commands over a store in memory, and access as a test grants it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from domain.access.role_users import RoleUsers
from domain.core.permissions import Permissions
from domain.core.principal import Principal
from domain.groups.commands import Groups
from domain.groups.groups import Group
from domain.groups.moves import GroupMoves
from domain.groups.roster_commands import Rosters
from domain.groups.rosters import RosterEntry, RosterKind, roster_entry_id
from domain.groups.trees import GroupTree, tree_id
from domain.organizations.memberships import Memberships
from domain.people.individual_commands import Individuals
from domain.people.individuals import Individual
from domain.people.user_commands import Users
from domain.people.users import User
from tests.support.doubles import Grants, MemoryDirectory, MemoryStore
from tests.support.world.people import a_person
from tests.support.world.principals import a_principal


class MemoryWorld:
    """The commands of the domain. `admin` is the user who calls them and may do what a test allows."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.grants = Grants()
        self.directory = MemoryDirectory(self.store)
        self.admin = uuid4()
        permissions = Permissions(self.grants)
        ports = (self.store, self.directory, permissions)
        self.groups = Groups(*ports)
        self.rosters = Rosters(*ports)
        self.moves = GroupMoves(self.store, permissions)
        self.individuals = Individuals(*ports)
        self.memberships = Memberships(*ports)
        self.role_users = RoleUsers(*ports)
        self.users = Users(self.store, permissions)

    def administrator(self, organization_id: UUID, *, system: bool = False) -> Principal:
        """Return the administrator of the organization, who is a system administrator too if `system`."""
        self.grants.allow(self.admin, organization_id, "read", "write")
        return a_principal(self.admin, system=system)

    async def person(self, **known: object) -> User:
        """Return a new user, whom the administrator may read, with an individual of their own."""
        user = await a_person(self.store, **known)
        self.grants.let_read(self.admin, user.id)
        return user

    async def individual_of(self, user: User) -> Individual:
        assert user.individual_id is not None
        return await self.store.get(Individual, user.individual_id)


class Team(MemoryWorld):
    """An organization; `admin` administers it and may do everything in it."""

    def __init__(self) -> None:
        super().__init__()
        self.organization = uuid4()
        self.administrator(self.organization)

    async def group(self, **what: Any) -> UUID:
        """A group that the administrator may change."""
        group = Group.create(uuid4(), what.pop("organization", self.organization), what.pop("name", "Heart"), **what)
        await self.store.save(group)
        self.grants.allow(self.admin, group.id, "read", "write")
        return group.id

    async def provider(self, *, email: str | None = None, organization: UUID | None = None) -> UUID:
        """A confirmed provider of the organization, whom the administrator may read."""
        user = User.create(uuid4(), classification="customer", individual_id=uuid4(), email=email)
        user._joined_organization(organization or self.organization)
        user.confirm(email_verified=True)
        await self.store.save(user)
        self.grants.let_read(self.admin, user.id)
        if email:
            self.directory.emails[email] = user.id
        return user.id

    async def individual(self, *, shared: bool = True) -> UUID:
        """An individual that the administrator may change, shared with the organization."""
        individual = Individual.create(uuid4(), "user", uuid4())
        if shared:
            individual.share("organization", self.organization)
        await self.store.save(individual)
        self.grants.allow(self.admin, individual.id, "read", "write")
        return individual.id

    async def disable(self, user_id: UUID) -> None:
        user = await self.store.get(User, user_id)
        user._disabled()
        await self.store.save(user)

    def let_leave_meanwhile(self, user_id: UUID) -> None:
        """Let the user leave the organization between the next decision and its save."""

        async def leave() -> None:
            leaver = await self.store.get(User, user_id)
            leaver.leave(self.organization)
            await self.store.save(leaver)

        self.store.meanwhile = leave

    async def subjects(self, group_id: UUID, kind: RosterKind) -> set[UUID]:
        entries = [each for each in self.store.streams.values() if isinstance(each, RosterEntry)]
        return {each.subject_id for each in entries if (each.group_id, each.kind) == (group_id, kind) and each.present}

    async def parents(self) -> dict[UUID, UUID]:
        tree = await self.store.find(GroupTree, tree_id(self.organization))
        return tree.parents if tree else {}

    async def move(self, group_id: UUID, parent_id: UUID | None) -> None:
        """Requested and carried out."""
        task_id, _ = await self.moves.request(a_principal(self.admin), group_id, parent_id)
        await self.moves.carry_out(self.organization, task_id)

    async def entry(self, group_id: UUID, kind: RosterKind, subject_ids: Iterable[UUID]) -> None:
        entries = [RosterEntry.add(group_id, self.organization, kind, each) for each in subject_ids]
        await self.store.save(*entries)

    async def entry_of(self, group_id: UUID, kind: RosterKind, subject_id: UUID) -> RosterEntry:
        return await self.store.get(RosterEntry, roster_entry_id(group_id, kind, subject_id))
