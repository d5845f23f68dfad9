"""Users as requests name them: by id or by e-mail address."""

from typing import NamedTuple
from uuid import UUID

from domain.core.ports import Access, Directory, Store
from domain.people.users import User, UserArchived, UserNotFound


class UserName(NamedTuple):
    """Exactly one of the two is given."""

    user_id: UUID | None = None
    email: str | None = None

    @property
    def pointer(self) -> str:
        """Where the request says it."""
        return f"/data/attributes/{'email' if self.user_id is None else 'user-id'}"


class NamedUsers:
    """Finds the user that a request names, if the caller may know him."""

    def __init__(self, store: Store, directory: Directory, access: Access) -> None:
        self._store = store
        self._directory = directory
        self._access = access

    async def find(self, caller_id: UUID, name: UserName, organization_id: UUID) -> User:
        """The user.

        Whom the caller may not read is not found, so that nobody learns which addresses have accounts; but an
        organization knows its former providers. Raises UserNotFound, UserArchived.
        """
        user_id = name.user_id or await self._id_of(name)
        # who has no account must not be told by the time it takes: in his place the caller is looked up
        user = await self._store.find(User, user_id or caller_id)
        if user is None or not await self._known(caller_id, user, organization_id) or user_id is None:
            raise UserNotFound(pointer=name.pointer)
        if user.archived:
            raise UserArchived(pointer=name.pointer)
        return user

    async def _id_of(self, name: UserName) -> UUID | None:
        assert name.email is not None, "a user is named by id or e-mail address"
        return (await self._directory.users_by_email([name.email])).get(name.email)

    async def _known(self, caller_id: UUID, user: User, organization_id: UUID) -> bool:
        readable = await self._access.readable_users(caller_id, [user.id])
        return user.id in readable or organization_id in {**user.organizations, **user.former_organizations}
