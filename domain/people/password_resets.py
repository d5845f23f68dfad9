"""Commands by which people who forgot their password set a new one with a code (rulings K5, K91 and K92)."""

from dataclasses import dataclass
from uuid import UUID

from domain.core.audited import caused_by
from domain.core.messages import Channel
from domain.core.ports import Store, retry_on_conflict, save_resting_on
from domain.onboarding.claims import Claims
from domain.people.account_codes import AccountCodes, channels_of, kind_of
from domain.people.passwords import PasswordPolicy
from domain.people.security_notices import notices_of
from domain.people.totp import end_totp
from domain.people.users import User
from domain.people.verification_codes import NO_CODE, CodeMismatch

RESET_TEMPLATES: dict[Channel, str] = {"email": "forgot-password", "sms": "reset-password"}


@dataclass(frozen=True, eq=False)
class PasswordResets:
    """Commands of callers without a token. They tell nobody whether an account exists (rulings K4, K9 and K147)."""

    store: Store
    accounts: AccountCodes
    password_policy: PasswordPolicy
    claims: Claims

    async def request(self, username: str, channel: Channel | None = None) -> None:
        """Send a code to the first contact, or that of the channel, to which the user may have one sent.

        That is a verified contact; any contact of a user who has none and has not been confirmed by one.
        """
        account = await self.accounts.find(username)
        # for an unknown name the same is read, so that the time does not tell (ruling K147)
        await self._request(NO_CODE if account.user is None else account.user.id, channel)

    @retry_on_conflict
    async def _request(self, user_id: UUID, channel: Channel | None) -> None:
        user, codes = await self.accounts.load(user_id)
        if user is None or not _may_reset(user):
            return
        found = next(iter(_reset_channels(user, channel)), None)
        if found is not None:
            with caused_by(user_id):
                await self.accounts.issue(user, codes, "reset", found, RESET_TEMPLATES[found])

    async def reset(self, username: str, typed: str, password: str, channel: Channel | None = None) -> int:
        """Set a new password with a code. Return the position of the events, whose result is the user's id.

        The contact that the code was sent to is verified, and a user who has signed up is confirmed. All sessions end
        and all codes become void. Raises the refusals of `PasswordPolicy.require`, judged by the words of the request
        alone, so that the answer is the same for unknown names; CodeMismatch, CodeExpired.
        """
        await self.password_policy.require(password, [username])
        account = await self.accounts.find(username)
        code = await self.accounts.check(account, "reset", typed, channel)
        if code.state == "used":
            raise CodeMismatch
        assert account.user is not None, "only a user has codes"
        return await self._reset(account.user.id, code.id, await self.password_policy.passwords.hash(password))

    @retry_on_conflict
    async def _reset(self, user_id: UUID, message_id: UUID, password_hash: str) -> int:
        user, codes = await self.accounts.load(user_id)
        code = None if codes is None else codes.message(message_id)
        if user is None or codes is None or code is None or code.state != "valid" or not _may_reset(user):
            raise CodeMismatch
        if code.channel not in channels_of(user):  # another person has proved the contact since
            raise CodeMismatch
        with caused_by(user_id):
            user.reset_password(password_hash)
            totp = await end_totp(self.store, user_id) if user.provisional else []
            user.prove(kind_of(code.channel))
            codes.use(code)
            codes.void(codes.codes.values())
            claimed = await self.claims.of_confirmed(user)
            changed = [user, codes, *totp, *claimed.changed, *notices_of(user, "password-changed")]
            return await save_resting_on(self.store, *changed, unchanged=claimed.rests_on, result=user_id)


def _may_reset(user: User) -> bool:
    return user.enabled and user.state in {"registered", "confirmed", "force_reset_password"}


def _reset_channels(user: User, channel: Channel | None) -> list[Channel]:
    """Return where a code may be sent: to verified contacts only, if the user has one (rulings K6 and O1)."""
    verified_only = user.confirmed and not user.provisional
    return [each for each in channels_of(user, channel) if not verified_only or user.is_verified(kind_of(each))]
