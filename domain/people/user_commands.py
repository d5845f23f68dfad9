"""Commands on users: disabling and enabling."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.access.roles import ADMIN_ROLES, Role, role_id
from domain.core.errors import Forbidden
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store, retry_on_conflict, save_resting_on
from domain.core.principal import Principal
from domain.people.users import NotYourProvider, NotYourself, User, UserNotFound


@dataclass(frozen=True, eq=False)
class Users:
    """Commands on users. Each answers the user as it is then, and the position that shows it."""

    store: Store
    permissions: Permissions

    @retry_on_conflict
    async def disable(self, principal: Principal, user_id: UUID) -> tuple[User, int]:
        """End all sessions of the user, who cannot sign in from now on, and suspend all their rights.

        Raises NotFound, Forbidden, NotYourProvider, NotYourself, LastAdmin, UserArchived.
        """
        user = await self._require_manageable(principal, user_id)
        if user_id == principal.user_id:
            raise NotYourself
        user.disable()
        return user, await self._save(user)

    @retry_on_conflict
    async def enable(self, principal: Principal, user_id: UUID) -> tuple[User, int]:
        """Undo `disable`; no session comes back.

        Raises NotFound, Forbidden, NotYourProvider, UserArchived.
        """
        user = await self._require_manageable(principal, user_id)
        user.enable()
        return user, await self._save(user)

    async def _require_manageable(self, principal: Principal, user_id: UUID) -> User:
        """Return the user, all of whose organizations the principal administers; services manage none."""
        await self.permissions.require_readable_user(principal, user_id)
        if principal.service:
            raise Forbidden
        user = await self.store.find(User, user_id)
        if user is None or user.kind == "service":
            raise UserNotFound
        if not principal.system:
            queries = [AccessQuery("organization", organization_id, "write") for organization_id in user.organizations]
            if not queries or not all(await self.permissions.allows(principal, *queries)):
                raise NotYourProvider
        return user

    async def _save(self, user: User) -> int:
        # a role that is granted to the user at this moment is granted to them as they are afterwards
        return await save_resting_on(self.store, user, *await told_roles(self.store, user))


async def told_roles(store: Store, user: User) -> Sequence[Role]:
    """Return the roles of the user's organizations that must keep a live holder; those they hold know how they are now.

    Raises LastAdmin.
    """
    ids = [role_id(organization_id, name) for organization_id in user.organizations for name in ADMIN_ROLES]
    roles = list((await store.get_many(Role, ids)).values())
    for role in roles:
        role.change_holder_status(user.id, live=role.counts(user))
    return roles
