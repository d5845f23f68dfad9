"""Who holds which role."""

from uuid import UUID

from domain.access.roles import Role
from domain.core.errors import Conflict
from domain.core.ports import Access, Directory, Store, retry_on_conflict
from domain.people.named_users import NamedUsers, UserName


class NotInOrganization(Conflict):
    code = "not-in-organization"
    detail = "The user is not one of the organization's providers."


class RoleUsers:
    """Commands on the holders of roles."""

    def __init__(self, store: Store, directory: Directory, access: Access) -> None:
        self._store = store
        self._users = NamedUsers(store, directory, access)

    @retry_on_conflict
    async def grant(self, role_id: UUID, name: UserName, *, caller_id: UUID, as_system_admin: bool) -> tuple[UUID, int]:
        """Give one of the organization's providers the role. Answers his id and the position that shows it.

        Raises NotFound, SystemRole, NotInOrganization.
        """
        role = await self._store.get(Role, role_id)
        role.refuse_strangers(as_system_admin=as_system_admin)
        user = await self._users.find(caller_id, name, role.organization_id)
        if role.organization_id not in user.organizations:
            raise NotInOrganization(pointer=name.pointer)
        role.grant(user.id, live=role.counts(user))
        return user.id, await self._store.save(role, unchanged=[user], result=user.id)

    @retry_on_conflict
    async def revoke(self, role_id: UUID, name: UserName, *, caller_id: UUID, as_system_admin: bool) -> int:
        """Take the role back. Answers the position that shows it. Raises NotFound, SystemRole, LastAdmin."""
        role = await self._store.get(Role, role_id)
        role.refuse_strangers(as_system_admin=as_system_admin)
        user = await self._users.find(caller_id, name, role.organization_id)
        role.revoke(user.id)
        return await self._store.save(role)
