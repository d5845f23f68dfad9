"""Commands that grant and revoke roles."""

from uuid import UUID

from domain.access.roles import Role, RoleNotFound
from domain.core.permissions import Permissions
from domain.core.ports import Store, retry_on_conflict
from domain.core.principal import Principal
from domain.people.directory import Directory
from domain.people.named_users import NamedUsers, UserIdOrEmail
from domain.people.users import NotInOrganization


class RoleUsers:
    """Commands on role-users: users who hold a role."""

    def __init__(self, store: Store, directory: Directory, permissions: Permissions) -> None:
        self._store = store
        self._permissions = permissions
        self._users = NamedUsers(store, directory, permissions)

    @retry_on_conflict
    async def grant(self, principal: Principal, role_id: UUID, name: UserIdOrEmail) -> tuple[UUID, int]:
        """Grant the role to a provider of the organization. Return their id and the position of the event.

        Raises RoleNotFound, NotFound, Forbidden, SystemRole, NotInOrganization.
        """
        role = await self._administered(principal, role_id)
        user = await self._users.find(principal, name, role.organization_id)
        if role.organization_id not in user.organizations:
            raise NotInOrganization(argument=name.argument)
        role.grant(user.id, live=role.counts(user))
        return user.id, await self._store.save(role, unchanged=[user], result=user.id)

    @retry_on_conflict
    async def revoke(self, principal: Principal, role_id: UUID, name: UserIdOrEmail) -> int:
        """Revoke the role. Return the position of the event.

        Raises RoleNotFound, NotFound, Forbidden, SystemRole, LastAdmin.
        """
        role = await self._administered(principal, role_id)
        user = await self._users.find(principal, name, role.organization_id)
        role.revoke(user.id)
        return await self._store.save(role)

    async def _administered(self, principal: Principal, role_id: UUID) -> Role:
        """Return the role. Raises RoleNotFound, NotFound, Forbidden unless the principal administers it, SystemRole."""
        role = await self._store.find(Role, role_id)
        if role is None:
            raise RoleNotFound(argument="role_id")
        await self._permissions.require_administrator(principal, role.organization_id, argument="role_id")
        role.require_assignable_by(principal)
        return role
