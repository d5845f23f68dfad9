"""Commands by which people prove their contacts with codes: after signing up, or after a contact changed."""

from dataclasses import dataclass
from uuid import UUID

from domain.core.audited import caused_by
from domain.core.messages import Channel
from domain.core.ports import Store, retry_on_conflict, save_resting_on
from domain.onboarding.claims import Claims
from domain.people.account_codes import AccountCodes, channels_of, kind_of
from domain.people.users import User
from domain.people.verification_codes import NO_CODE, CodeMismatch, VerificationCode

CONFIRM_TEMPLATES: dict[Channel, str] = {"email": "verify-email", "sms": "verify"}
REVERIFY_TEMPLATES: dict[Channel, str] = {"email": "reverify-email", "sms": "verify"}


@dataclass(frozen=True, eq=False)
class Confirmations:
    """Commands of callers without a token. They tell nobody whether an account exists (rulings K4, K9 and K147)."""

    store: Store
    accounts: AccountCodes
    claims: Claims

    async def confirm(self, username: str, typed: str, *, tz: str | None = None) -> int:
        """Verify a contact with its code, and confirm a user who has signed up. Return the position of the events.

        The result of the append is the user's id. The very code that was used, repeated within its lifetime, records
        nothing. `tz` is the time zone of the client. Raises CodeMismatch, CodeExpired.
        """
        account = await self.accounts.find(username)
        code = await self.accounts.check(account, "confirm", typed)
        assert account.user is not None, "only a user has codes"
        return await self._confirm(account.user.id, code.id, tz)

    @retry_on_conflict
    async def _confirm(self, user_id: UUID, message_id: UUID, tz: str | None) -> int:
        user, codes = await self.accounts.load(user_id)
        code = None if codes is None else codes.message(message_id)
        if user is None or codes is None or code is None or code.state == "void" or not _may_confirm(user, code):
            raise CodeMismatch
        if code.state == "used":
            return await self.store.save(result=user_id)
        with caused_by(user_id):
            kind = kind_of(code.channel)
            user.prove(kind)
            if user.tz is None:
                user.assume_region(tz=tz)
            codes.use(code)
            claimed = await self.claims.of_confirmed(user)
            return await save_resting_on(
                self.store, user, codes, *claimed.changed, unchanged=claimed.rests_on, result=user_id
            )

    async def resend(self, username: str, channel: Channel | None = None) -> None:
        """Send another code to the first contact, or that of the channel, that is not verified yet (ruling K93)."""
        account = await self.accounts.find(username)
        # for an unknown name the same is read, so that the time does not tell (ruling K147)
        await self._resend(NO_CODE if account.user is None else account.user.id, channel)

    @retry_on_conflict
    async def _resend(self, user_id: UUID, channel: Channel | None) -> None:
        user, codes = await self.accounts.load(user_id)
        if user is None or not user.enabled or user.state not in {"registered", "confirmed", "force_reset_password"}:
            return
        found = next(iter(unverified_channels(user, channel)), None)
        if found is not None:
            templates = REVERIFY_TEMPLATES if user.confirmed else CONFIRM_TEMPLATES
            with caused_by(user_id):
                await self.accounts.issue(user, codes, "confirm", found, templates[found])


def unverified_channels(user: User, channel: Channel | None = None) -> list[Channel]:
    """Return the channels, or the given one, over which the user has a contact that is not verified; e-mail first."""
    return [each for each in channels_of(user, channel) if not user.is_verified(kind_of(each))]


def has_signed_up(user: User) -> bool:
    """Return whether a code can confirm a contact of the user; one who has not signed up needs an invitation."""
    return user.confirmed or user.password_hash is not None


def _may_confirm(user: User, code: VerificationCode) -> bool:
    # another person may have proved the contact since
    return user.enabled and not user.archived and has_signed_up(user) and code.channel in channels_of(user)
