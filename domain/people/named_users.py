"""Users as requests name them: by id or by e-mail address."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from domain.core.permissions import Permissions
from domain.core.ports import Store
from domain.core.principal import Principal
from domain.people.directory import Directory
from domain.people.users import User, UserArchived, UserNotFound


class UserName(NamedTuple):
    """Exactly one of the two is given."""

    user_id: UUID | None = None
    email: str | None = None

    @property
    def argument(self) -> str:
        """The name of the one that is given, for refusals."""
        return "email" if self.user_id is None else "user_id"


@dataclass(frozen=True, eq=False)
class NamedUsers:
    """Finds the user that a request names, if the principal may know them."""

    store: Store
    directory: Directory
    permissions: Permissions

    async def find(self, principal: Principal, name: UserName, organization_id: UUID) -> User:
        """Return the user.

        Users whom the principal may not read are not found, so that addresses do not tell who has an account; but an
        organization knows its former providers. Raises UserNotFound, UserArchived.
        """
        user_id = name.user_id or await self._id_of(name)
        # the time it takes must not tell who has no account: in their place the principal is looked up
        user = await self.store.find(User, user_id or principal.user_id)
        if user is None or not await self._known(principal, user, organization_id) or user_id is None:
            raise UserNotFound(argument=name.argument)
        if user.archived:
            raise UserArchived(argument=name.argument)
        return user

    async def _id_of(self, name: UserName) -> UUID | None:
        assert name.email is not None, "a user is named by id or e-mail address"
        return (await self.directory.users_by_email([name.email])).get(name.email)

    async def _known(self, principal: Principal, user: User, organization_id: UUID) -> bool:
        readable = await self.permissions.readable_users(principal, [user.id])
        return user.id in readable or organization_id in {**user.organizations, **user.former_organizations}
