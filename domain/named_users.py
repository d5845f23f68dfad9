"""Users as requests name them: by id or by e-mail address."""

from typing import NamedTuple
from uuid import UUID

from domain.ports import Access, Directory, Store
from domain.users import User, UserArchived, UserNotFound


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
        user = await self._store.find(User, user_id)
        if user is None or not await self._known(caller_id, user, organization_id):
            raise UserNotFound(pointer=name.pointer)
        if user.archived:
            raise UserArchived(pointer=name.pointer)
        return user

    async def _id_of(self, name: UserName) -> UUID:
        assert name.email is not None, "a user is named by id or e-mail address"
        found = await self._directory.users_by_email([name.email])
        if name.email not in found:
            raise UserNotFound(pointer=name.pointer)
        return found[name.email]

    async def _known(self, caller_id: UUID, user: User, organization_id: UUID) -> bool:
        if organization_id in user.organizations or organization_id in user.former_organizations:
            return True
        return user.id in await self._access.readable_users(caller_id, [user.id])
