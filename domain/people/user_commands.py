"""Commands on users: disabling and enabling."""

from collections.abc import Sequence
from uuid import UUID

from domain.access.roles import KEPT, Role, role_id
from domain.core.ports import Access, AccessQuery, Store, retry_on_conflict, save_resting_on
from domain.people.users import NotYourProvider, NotYourself, User, UserNotFound


class Users:
    """Commands on users. Each answers the user as it is then, and the position that shows it."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    @retry_on_conflict
    async def disable(self, user_id: UUID, *, caller_id: UUID, as_system_admin: bool) -> tuple[User, int]:
        """From now on nobody signs in as the user, and no right of his counts; all his sessions end.

        Raises UserNotFound, NotYourProvider, NotYourself, LastAdmin, UserArchived.
        """
        user = await self._manageable(user_id, caller_id, as_system_admin=as_system_admin)
        if user_id == caller_id:
            raise NotYourself
        user.disable()
        return user, await self._save(user)

    @retry_on_conflict
    async def enable(self, user_id: UUID, *, caller_id: UUID, as_system_admin: bool) -> tuple[User, int]:
        """Undo `disable`; no session comes back.

        Raises UserNotFound, NotYourProvider, UserArchived.
        """
        user = await self._manageable(user_id, caller_id, as_system_admin=as_system_admin)
        user.enable()
        return user, await self._save(user)

    async def _manageable(self, user_id: UUID, caller_id: UUID, *, as_system_admin: bool) -> User:
        user = await self._store.find(User, user_id)
        if user is None or user.kind == "service":
            raise UserNotFound
        if not as_system_admin:
            queries = [AccessQuery("organization", organization_id, "write") for organization_id in user.organizations]
            if not queries or not all(await self._access.decide(caller_id, queries)):
                raise NotYourProvider
        return user

    async def _save(self, user: User) -> int:
        # a role that is granted to the user at this moment is granted to them as they are afterwards
        return await save_resting_on(self._store, user, *await told_roles(self._store, user))


async def told_roles(store: Store, user: User) -> Sequence[Role]:
    """The roles of his organizations that must never lose their last live holder; those he holds know how he is now.

    Raises LastAdmin.
    """
    ids = [role_id(organization_id, name) for organization_id in user.organizations for name in KEPT]
    roles = list((await store.get_many(Role, ids)).values())
    for role in roles:
        role.holder_became(user.id, live=role.counts(user))
    return roles
