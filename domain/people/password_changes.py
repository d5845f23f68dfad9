"""Commands that change the password of a logged-in user, or of another one (rulings K46, K47, K70 and K71)."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from domain.core.borrowed import require_own_session
from domain.core.errors import Forbidden, Invalid, InvalidState
from domain.core.permissions import Permissions
from domain.core.personal import revealed
from domain.core.ports import Store, retry_on_conflict
from domain.core.principal import Principal
from domain.organizations.staff import is_staff
from domain.people.own_password import OwnPassword, WrongPassword
from domain.people.passwords import PasswordPolicy, words_about
from domain.people.security_notices import notices_of
from domain.people.users import User, UserNotFound


class SamePassword(Invalid, argument="new_password"):
    """The new password must differ from the old one."""


class ProvedPassword(NamedTuple):
    """A password that was checked, and the hash with which it was compared."""

    password: str
    hashed: str | None


@dataclass(frozen=True, eq=False)
class PasswordChanges:
    """Commands that change passwords. Each returns the position of its events."""

    store: Store
    permissions: Permissions
    password_policy: PasswordPolicy
    own_password: OwnPassword

    async def change_own(
        self, principal: Principal, user_id: UUID, old: str, new: str, address: str, *, keep_sessions: bool
    ) -> int:
        """Change the principal's own password. Their other sessions end unless `keep_sessions`; this one stays.

        `address` is the network address of the client. Raises NotFound; Forbidden for another user and for service
        accounts; ImpersonationNotAllowed, TooMany, the refusals of `PasswordPolicy.require`, SamePassword,
        WrongPassword.
        """
        await self.permissions.require_readable_user(principal, user_id)
        if user_id != principal.user_id or principal.service:
            raise Forbidden
        require_own_session(principal, "change the password")
        user = await self.store.get(User, user_id)

        async def judge_new() -> None:
            await self.password_policy.require(new, words_about(user), argument="new_password")
            if new == old:
                raise SamePassword

        await self.own_password.require(user, old, address, argument="old_password", first=judge_new)
        proved = ProvedPassword(old, revealed(user.password_hash))
        hashed = await self._hashed(new)
        return await self._change(user_id, proved, hashed, principal.session_id, ends_others=not keep_sessions)

    @retry_on_conflict
    async def _change(
        self, user_id: UUID, proved: ProvedPassword, password_hash: str, session_id: UUID, *, ends_others: bool
    ) -> int:
        """Change the password. Raises WrongPassword if another command has replaced the proved one meanwhile."""
        user = await self.store.get(User, user_id)
        present = revealed(user.password_hash)
        if present != proved.hashed and not await self.password_policy.passwords.verify(proved.password, present):
            raise WrongPassword(argument="old_password")
        user.change_password(password_hash, session_id=session_id, ends_others=ends_others)
        return await self.store.save(user, *notices_of(user, "password-changed"))

    async def require_reset(self, principal: Principal, user_id: UUID, password: str, *, keep_sessions: bool) -> int:
        """Replace the password of another user, who must then reset it before they can log in.

        Raises NotFound; Forbidden unless the principal is staff and the user is another one who is not, or the
        principal is a system administrator; ImpersonationNotAllowed; InvalidState for a user who is not confirmed; the
        refusals of `PasswordPolicy.require`.
        """
        await self.permissions.require_readable_user(principal, user_id)
        if not principal.staff or user_id == principal.user_id:
            raise Forbidden
        require_own_session(principal, "change the password")
        user = await self.store.find(User, user_id)
        if user is None or user.kind == "service":
            raise UserNotFound
        if not principal.system and await is_staff(self.store, user):
            raise Forbidden
        if user.archived or not user.confirmed:
            raise InvalidState
        await self.password_policy.require(password, words_about(user), argument="new_password")
        if await self._is_repeated(user, password, keep_sessions=keep_sessions):
            return await self.store.save()
        return await self._require_reset(user_id, await self._hashed(password), keep_sessions=keep_sessions)

    async def _is_repeated(self, user: User, password: str, *, keep_sessions: bool) -> bool:
        """Return whether the user must already reset this very password, and no further session has to end."""
        if not user.reset_required or (user.reset_kept_sessions and not keep_sessions):
            return False
        return await self.password_policy.passwords.verify(password, revealed(user.password_hash))

    @retry_on_conflict
    async def _require_reset(self, user_id: UUID, password_hash: str, *, keep_sessions: bool) -> int:
        user = await self.store.get(User, user_id)
        user.require_password_reset(password_hash, ends_sessions=not keep_sessions)
        return await self.store.save(user, *notices_of(user, "password-changed"))

    async def _hashed(self, password: str) -> str:
        return await self.password_policy.passwords.hash(password)
