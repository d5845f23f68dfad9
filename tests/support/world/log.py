"""People, organizations and groups put into a log, in memory or in Postgres. Nothing here asks for permission."""

from typing import Any
from uuid import UUID, uuid4

from domain.access.roles import ORGANIZATION_ADMIN, SYSTEM_ADMIN, Role, role_id
from domain.core.ports import Store
from domain.groups.groups import Group
from domain.groups.rosters import RosterEntry, RosterKind, roster_entry_id
from domain.groups.trees import GroupTree, tree_id
from domain.organizations.organizations import Organization, Organizations
from domain.people.individuals import Individual
from domain.people.user_state import STAFF
from domain.people.users import User
from tests.support.world.people import a_user
from tests.support.world.principals import EVERYTHING, SYSTEM


class LogWorld:
    """What its methods make is saved; they return ids."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def organization(
        self, name: str | None = None, display_name: str | None = None, *, opened: bool = False
    ) -> UUID:
        """Return a new organization, restricted unless `opened`."""
        name = name or f"o{uuid4().hex}"
        organization, _ = await Organizations(self.store, EVERYTHING).create(SYSTEM, name, display_name=display_name)
        if opened:
            await self.change(organization.id, authorization_type="open")
        return organization.id

    async def change(self, organization_id: UUID, **changes: object) -> None:
        await Organizations(self.store, EVERYTHING).change(SYSTEM, organization_id, changes)

    async def provider(self, *organizations: UUID, **known: Any) -> UUID:
        """Return a new live user, a provider of the organizations."""
        user = a_user(**known)
        for organization_id in organizations:
            user.join(organization_id)
        assert user.individual_id is not None
        own = Individual.create(user.individual_id, "user", user.id, provider=bool(organizations))
        await self.store.save(user, own)
        return user.id

    async def staff(self, *organizations: UUID) -> UUID:
        """Return a new member of staff, who is also a provider of the organizations."""
        operator = Organization.create(
            uuid4(), f"o{uuid4().hex}", display_name="Staff", classification=STAFF, provider_type="coach",
            timezone="UTC",
        )  # fmt: skip
        await self.store.save(operator)
        return await self.provider(*organizations, operator.id, staff=True)

    async def admin(self, organization_id: UUID) -> UUID:
        """Return a new administrator of the organization."""
        user_id = await self.provider(organization_id)
        await self.grant(organization_id, user_id)
        return user_id

    async def grant(self, organization_id: UUID, *user_ids: UUID) -> UUID:
        """Make the users administrators of the organization, and return the id of their role."""
        role = await self.store.get(Role, role_id(organization_id, ORGANIZATION_ADMIN))
        for user_id in user_ids:
            role.grant(user_id, live=True)
        await self.store.save(role)
        return role.id

    async def system(self) -> UUID:
        """Return a new system administrator."""
        user = await self.store.get(User, await self.staff())
        role = Role.create(next(iter(user.organizations)), SYSTEM_ADMIN, "System")
        role.grant(user.id, live=True)
        await self.store.save(role)
        return user.id

    async def participant(self, *organizations: UUID) -> UUID:
        """Return a new user whose individual is shared with the organizations."""
        user = a_user(email=f"{uuid4().hex}@x.test")
        assert user.individual_id is not None
        individual = Individual.create(user.individual_id, "user", user.id)
        for organization_id in organizations:
            individual.share("organization", organization_id)
        await self.store.save(user, individual)
        return user.id

    async def patient(self, *organizations: UUID) -> UUID:
        """Return the individual of a new participant."""
        user = await self.store.get(User, await self.participant(*organizations))
        assert user.individual_id is not None
        return user.individual_id

    async def record(self, organization_id: UUID) -> UUID:
        """Return a new individual without an account."""
        individual = Individual.create(uuid4(), "organization", organization_id)
        await self.store.save(individual)
        return individual.id

    async def group(
        self, organization_id: UUID, name: str = "Heart", *, under: UUID | None = None, **known: Any
    ) -> UUID:
        group = Group.create(uuid4(), organization_id, name, **known)
        await self.store.save(group)
        if under is not None:
            await self.move(organization_id, group.id, under)
        return group.id

    async def rename(self, group_id: UUID, name: str) -> None:
        group = await self.store.get(Group, group_id)
        group.rename(name)
        await self.store.save(group)

    async def deactivate(self, group_id: UUID) -> None:
        group = await self.store.get(Group, group_id)
        group.deactivate()
        await self.store.save(group)

    async def move(self, organization_id: UUID, group_id: UUID, parent_id: UUID | None) -> UUID:
        """Return the task of a move that has been carried out."""
        tree = await self.store.find(GroupTree, tree_id(organization_id)) or GroupTree.create(organization_id)
        task_id = uuid4()
        tree.request_move(task_id, group_id, parent_id, 0)
        if tree.group_of_move(task_id):
            tree.finish_move(group_id)
        await self.store.save(tree)
        return task_id

    async def entry(self, organization_id: UUID, group_id: UUID, kind: RosterKind, *subject_ids: UUID) -> None:
        """Add the subjects to the roster."""
        found = await self._entries(group_id, kind, *subject_ids)
        for entry in found.values():
            entry.add_again()
        added = [
            RosterEntry.add(group_id, organization_id, kind, each)
            for each in subject_ids
            if roster_entry_id(group_id, kind, each) not in found
        ]
        await self.store.save(*found.values(), *added)

    async def remove_entry(self, group_id: UUID, kind: RosterKind, *subject_ids: UUID) -> None:
        """Remove the subjects from the roster."""
        found = await self._entries(group_id, kind, *subject_ids)
        for entry in found.values():
            entry.remove()
        await self.store.save(*found.values())

    async def _entries(self, group_id: UUID, kind: RosterKind, *subject_ids: UUID) -> dict[UUID, RosterEntry]:
        return await self.store.get_many(RosterEntry, [roster_entry_id(group_id, kind, each) for each in subject_ids])
