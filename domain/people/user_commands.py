"""Commands that disable and enable users."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.access.roles import ADMIN_ROLES, Role, role_id
from domain.core.errors import Forbidden, InvalidState
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store, retry_on_conflict, save_resting_on
from domain.core.principal import Principal
from domain.people.users import User, UserNotFound


class NotYourself(InvalidState):
    """You cannot disable yourself."""


class NotYourProvider(Forbidden):
    """You must administer every organization of the user."""


@dataclass(frozen=True, eq=False)
class Users:
    """Commands on users. Each returns the changed user and the position of the events."""

    store: Store
    permissions: Permissions

    @retry_on_conflict
    async def disable(self, principal: Principal, user_id: UUID) -> tuple[User, int]:
        """Disable the user: end their sessions, suspend their rights, and refuse further logins.

        Raises NotFound, Forbidden, NotYourProvider, NotYourself, LastAdmin, UserArchived.
        """
        user = await self._require_manageable(principal, user_id)
        if user_id == principal.user_id:
            raise NotYourself
        user.disable()
        return user, await self._save(user)

    @retry_on_conflict
    async def enable(self, principal: Principal, user_id: UUID) -> tuple[User, int]:
        """Enable the user again; their former sessions stay ended.

        Raises NotFound, Forbidden, NotYourProvider, UserArchived.
        """
        user = await self._require_manageable(principal, user_id)
        user.enable()
        return user, await self._save(user)

    async def _require_manageable(self, principal: Principal, user_id: UUID) -> User:
        """Return the user. Raises NotFound, Forbidden, or NotYourProvider unless the principal may manage the user.

        System administrators manage all users. Others manage the providers all of whose organizations they administer;
        service accounts manage no users.
        """
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
        # saving the roles makes this command conflict with a concurrent grant of a role to the user
        return await save_resting_on(self.store, user, *await update_admin_roles(self.store, user))


async def update_admin_roles(store: Store, user: User) -> Sequence[Role]:
    """Record in the user's administrator roles whether the user is live; return these roles of their organizations.

    Raises LastAdmin.
    """
    ids = [role_id(organization_id, name) for organization_id in user.organizations for name in ADMIN_ROLES]
    roles = list((await store.get_many(Role, ids)).values())
    for role in roles:
        role.change_holder_status(user.id, live=role.counts(user))
    return roles
