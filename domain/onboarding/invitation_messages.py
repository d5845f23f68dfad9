"""Messages that invite people, which jobs send (rulings K34, K38, K39, L56 to L58)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import UUID

from domain.core.messages import Message, MessageRefused, MessageSenders
from domain.core.personal import Personal, revealed
from domain.core.ports import Store, retry_on_conflict
from domain.onboarding.invites import Invite
from domain.onboarding.referral_codes import ReferralCodes
from domain.onboarding.requests import OnboardingRequest
from domain.organizations.message_origins import MessageOrigins
from domain.organizations.message_texts import MessageTexts
from domain.people.account_messages import locale_of
from domain.people.users import User

TEMPLATES = {"patient": "onboarding", "provider": "onboarding-provider"}
EXPIRED, VOID, CLAIMED = "expired", "void", "claimed"
"""The errors of invitations that were not sent because of their code or request."""
JOB_DEAD = "job-dead"
"""The error of an invitation whose job failed in its last attempt, or no longer exists."""


@dataclass(frozen=True, eq=False)
class InvitationMessages:
    """Sends invitations and records whether they were sent."""

    store: Store
    texts: MessageTexts
    senders: MessageSenders
    origins: MessageOrigins
    codes: ReferralCodes

    async def send(self, request_id: UUID, message_id: UUID) -> int | None:
        """Send the invitation and record that. Return the position, None when nothing new is recorded.

        Record an invitation as failed if it cannot be delivered, if its code has expired (ruling K43) or is void, or if
        its request is claimed. Raises DeliveryFailed; MessageRefused, also for a code that has expired.
        """
        request = await self.store.get(OnboardingRequest, request_id)
        invite = request.invites.get(message_id)
        if invite is None or not invite.waiting:
            return None
        if invite.void:
            return await self._fail(request_id, message_id, VOID)
        if request.done:
            return await self._fail(request_id, message_id, CLAIMED)
        try:
            await self.senders[invite.channel].send(await self._message(request, invite))
        except MessageRefused as refused:
            await self._fail(request_id, message_id, refused.reason)
            raise
        return await self._record_sent(request_id, message_id)

    async def give_up(self, request_id: UUID, message_id: UUID) -> int | None:
        """Record that the job of the invitation failed for good. Return the position, None if it was sent or failed."""
        return await self._fail(request_id, message_id, JOB_DEAD)

    @retry_on_conflict
    async def _record_sent(self, request_id: UUID, message_id: UUID) -> int:
        request = await self.store.get(OnboardingRequest, request_id)
        request.record_sent(message_id)
        return await self.store.save(request)

    @retry_on_conflict
    async def _fail(self, request_id: UUID, message_id: UUID, error: str) -> int | None:
        request = await self.store.get(OnboardingRequest, request_id)
        request.record_failed(message_id, error)
        return await self.store.save(request) if request.pending_events else None

    async def _message(self, request: OnboardingRequest, invite: Invite) -> Message:
        """Return the message.

        Raises MessageRefused when its code has expired, or the person has no address any more, as an erased person.
        """
        if datetime.now(UTC) >= invite.expires_at:
            raise MessageRefused(EXPIRED)
        address = _contact(request, invite)
        if address is None:
            raise MessageRefused("no-address")
        origin = await self.origins.of(request.organization_id)
        user = await self.store.find(User, request.user_id)
        locale = locale_of(user)
        code = self.codes.code(invite.id)
        link = f"{origin.link_base}/sign-up?referral-code={quote(code)}"
        values = {
            **origin.values,
            "first_name": _revealed(user, "first_name"),
            "last_name": _revealed(user, "last_name"),
            "email": revealed(request.names.email),
            "code": code,
            "link": link,
        }
        template = TEMPLATES[request.onboard_type]
        text = await self.texts.of_channel(invite.channel, template, locale, origin.texts, values)
        return Message(
            invite.id, invite.channel, address, template, locale, text.subject, text.text, text.html, code, link,
            request.user_id, request.organization_id, invite.created_at,
            origin.support if invite.channel == "email" else None, text.reply_to,
        )  # fmt: skip


def _contact(request: OnboardingRequest, invite: Invite) -> str | None:
    return revealed(request.names.email if invite.channel == "email" else request.names.phone)


def _revealed(user: User | None, name: str) -> str | None:
    personal: Personal | None = getattr(user, name, None)
    return revealed(personal)
