"""Messages about accounts, which jobs send: codes and security notices (rulings K34, K38, K39, K41)."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from domain.core.locales import FALLBACK_LOCALE
from domain.core.messages import Channel, Message, MessageRefused, MessageSenders
from domain.core.personal import revealed
from domain.core.ports import Store
from domain.organizations.message_origins import MessageOrigins
from domain.organizations.message_texts import MessageTexts
from domain.organizations.notice_texts import SECURITY_NOTICE, notice_type
from domain.people.individuals import Individual
from domain.people.security_notices import SecurityNotice
from domain.people.users import User
from domain.people.verification_codes import (
    CodeDerivation,
    VerificationCode,
    VerificationCodes,
    verification_codes_id,
)


class _Draft(NamedTuple):
    """What is particular to one message. `text` is the type of its text, `template` that which the message shows."""

    id: UUID
    channel: Channel
    to: str
    template: str
    text: str
    locale: str | None
    code: str | None
    created_at: datetime


@dataclass(frozen=True, eq=False)
class AccountMessages:
    """Sends messages about accounts. Sending one again gives the same message."""

    store: Store
    texts: MessageTexts
    senders: MessageSenders
    origins: MessageOrigins
    codes: CodeDerivation

    async def send_code(self, user_id: UUID, message_id: UUID) -> None:
        """Send a code, unless it is void or used by now.

        Raises MessageRefused when the code has expired, or the user has no such contact; DeliveryFailed.
        """
        codes, user = await self.store.find_each((VerificationCodes, verification_codes_id(user_id)), (User, user_id))
        code = None if codes is None else codes.message(message_id)
        if code is None or user is None or code.state != "valid" or user.archived:
            return
        if code.expired:
            raise MessageRefused("expired")
        address = _contact(user, code)
        if address is None:
            raise MessageRefused("no-address")
        clear = self.codes.code(message_id)
        template = code.template
        await self._send(
            user,
            _Draft(message_id, code.channel, address, template, template, code.locale, clear, code.issued_at),
        )

    async def send_notice(self, notice_id: UUID) -> None:
        """Send a security notice. Raises MessageRefused when the person was erased; DeliveryFailed."""
        notice = await self.store.get(SecurityNotice, notice_id)
        user, address = await self.store.get(User, notice.user_id), revealed(notice.address)
        if address is None:
            raise MessageRefused("no-address")
        text = notice_type(notice.reason)
        await self._send(
            user, _Draft(notice_id, "email", address, SECURITY_NOTICE, text, None, None, notice.created_on)
        )

    async def _send(self, user: User, draft: _Draft) -> None:
        origin = await self.origins.of(await self._organization_id(user))
        locale = locale_of(user, draft.locale)
        values = {
            **origin.values,
            "first_name": revealed(user.first_name),
            "last_name": revealed(user.last_name),
            "email": user.names.revealed[0],
            "code": draft.code,
        }
        text = await self.texts.of_channel(draft.channel, draft.text, locale, origin.texts, values)
        message = Message(
            draft.id, draft.channel, draft.to, draft.template, locale, text.subject, text.text, text.html, draft.code,
            None, user.id, None if origin.organization is None else origin.organization.id, draft.created_at,
            origin.support if draft.channel == "email" else None, text.reply_to,
        )  # fmt: skip
        await self.senders[draft.channel].send(message)

    async def _organization_id(self, user: User) -> UUID | None:
        """Return the organization of messages to the user (ruling L56).

        That is a provider's default one, or the only one that a participant's primary individual is shared with.
        """
        if user.organizations or user.individual_id is None:
            return user.current_organization
        individual = await self.store.find(Individual, user.individual_id)
        organizations = set() if individual is None else individual.all_organizations
        return organizations.pop() if len(organizations) == 1 else None


def locale_of(user: User | None, otherwise: str | None = None) -> str:
    """Return the locale of messages to the user: their choice, that of their sign-up, or the given one (K39)."""
    chosen = None if user is None else user.locale or user.assumed_locale
    return chosen or otherwise or FALLBACK_LOCALE


def _contact(user: User, code: VerificationCode) -> str | None:
    email, phone, _ = user.names.revealed
    return email if code.channel == "email" else phone
