"""Users that a request names by id or by e-mail address."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from domain.core.permissions import Permissions
from domain.core.ports import Store
from domain.core.principal import Principal
from domain.people.directory import Directory
from domain.people.login_names import parse_login_name
from domain.people.users import User, UserArchived, UserNotFound


class UserIdOrEmail(NamedTuple):
    """The id or the e-mail address of a user; exactly one of them is set."""

    user_id: UUID | None = None
    email: str | None = None

    @property
    def argument(self) -> str:
        """Return the argument that refusals about the user are about."""
        return "email" if self.user_id is None else "user_id"


@dataclass(frozen=True, eq=False)
class NamedUsers:
    """Finds the user that a request names, if the principal may know that the user exists."""

    store: Store
    directory: Directory
    permissions: Permissions

    async def find(self, principal: Principal, name: UserIdOrEmail, organization_id: UUID) -> User:
        """Return the user. Raises UserNotFound, UserArchived.

        A user whom the principal may not read is not found, so that the answer does not reveal who has an account. The
        organization's former providers are found, archived users only for staff and services.
        """
        user_id = name.user_id or await self._id_of(name)
        # look up the principal when there is no account, so that the time of the answer does not reveal that
        user = await self.store.find(User, user_id or principal.user_id)
        if user is None or not await self._may_know(principal, user, organization_id) or not _means(name, user):
            raise UserNotFound(argument=name.argument)
        if user.archived:
            raise (UserArchived if principal.reads_all else UserNotFound)(argument=name.argument)
        return user

    async def _id_of(self, name: UserIdOrEmail) -> UUID | None:
        assert name.email is not None, "either the id or the e-mail address is set"
        return (await self.directory.users_by_email([name.email])).get(name.email)

    async def _may_know(self, principal: Principal, user: User, organization_id: UUID) -> bool:
        readable = await self.permissions.readable_users(principal, [user.id])
        return user.id in readable or organization_id in {**user.organizations, **user.former_organizations}


def _means(name: UserIdOrEmail, user: User) -> bool:
    """Return whether the name is the user's: their id, or an address that is not an unproved change (ruling O2)."""
    if name.email is None:
        return user.id == name.user_id
    return user.is_meant_by(parse_login_name(name.email))
