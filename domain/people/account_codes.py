"""The codes of an account: found by what somebody typed, checked, and issued."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from domain.core.messages import Channel
from domain.core.ports import Store
from domain.people.directory import Directory
from domain.people.login_names import ContactKind, normal_login
from domain.people.users import User
from domain.people.verification_codes import (
    NO_CODE,
    CodeCheck,
    CodeDerivation,
    CodeExpired,
    CodeMismatch,
    Purpose,
    VerificationCode,
    VerificationCodes,
    verification_codes_id,
)

CHANNELS: dict[Channel, ContactKind] = {"email": "email", "sms": "phone"}


class Account(NamedTuple):
    """A user with their codes; None for what does not exist."""

    user: User | None
    codes: VerificationCodes | None


@dataclass(frozen=True, eq=False)
class AccountCodes:
    """Finds accounts by a typed name, checks their codes, and issues new ones."""

    store: Store
    directory: Directory
    checks: CodeCheck

    @property
    def derivation(self) -> CodeDerivation:
        """Return what derives new codes."""
        return self.checks.derivation

    async def find(self, username: str) -> Account:
        """Return the account; for an unknown name the same is read, so that the time does not tell (ruling K147)."""
        user_id = await self.directory.user_by_login(normal_login(username))
        return await self.load(user_id or NO_CODE)

    async def load(self, user_id: UUID) -> Account:
        """Return the present state of the account."""
        user, codes = await self.store.find_each((User, user_id), (VerificationCodes, verification_codes_id(user_id)))
        return Account(user, codes)

    async def check(
        self, account: Account, purpose: Purpose, typed: str, channel: Channel | None = None
    ) -> VerificationCode:
        """Return the code that was typed.

        Raises CodeMismatch; CodeExpired, unless the user is disabled or archived, or has the contact no more.
        """
        codes = [] if account.codes is None else account.codes.of_purpose(purpose)
        code = await self.checks.find(codes, typed, channel)
        assert account.user is not None, "only a user has codes"
        if code.expired:
            late = account.user.enabled and not account.user.archived and code.channel in channels_of(account.user)
            raise CodeExpired if late else CodeMismatch
        return code

    async def issue(
        self, user: User, codes: VerificationCodes | None, purpose: Purpose, channel: Channel, template: str
    ) -> int:
        """Issue a code and save it, unless the user changes meanwhile. Return the position of the event."""
        issued = codes or VerificationCodes.create(user.id)
        issued.issue(self.derivation, purpose, channel, template)
        return await self.store.save(issued, unchanged=[user])


def channels_of(user: User, channel: Channel | None = None) -> list[Channel]:
    """Return the channels, or the given one, over which the user has a contact; e-mail first."""
    return [each for each, kind in CHANNELS.items() if getattr(user.names, kind) and channel in {None, each}]


def kind_of(channel: Channel) -> ContactKind:
    """Return the kind of contact that messages of the channel go to."""
    return CHANNELS[channel]
