"""Onboarding requests as resources of the contract."""

from collections.abc import Mapping

from api.documents.onboarding import requests as documents
from domain.core.messages import Channel
from domain.onboarding.invitation_messages import CLAIMED, EXPIRED, JOB_DEAD, VOID
from domain.onboarding.invites import InviteStatus
from projections.onboarding.request_lists import InviteRow, RequestRow

NOT_NEEDED = {VOID, CLAIMED}
"""Errors of e-mails that were not sent because they were no longer needed."""
LATE = {EXPIRED, JOB_DEAD}
"""The errors of e-mails that no server took in time."""

DELIVERY_STATES: Mapping[InviteStatus, documents.DeliveryState] = {
    "sent": "sent",
    "delivered": "delivered",
    "responded": "delivered",
}


def resource(request: RequestRow, *, with_invite: bool = True) -> documents.OnboardingRequestResource:
    """Return the request as a resource; it shows the user only after they have claimed it (ruling A1)."""
    attributes = documents.OnboardingRequestAttributes(
        claimed_by=request.claimed_by,
        claimed_time=request.claimed_at,
        created_by=request.created_by,
        created_time=request.created_at,
        done=request.done,
        email_dsn=_email_delivery(request) if with_invite else None,
        last_invite=_last_invite(request) if with_invite else None,
        onboard_type=request.onboard_type,
        organization=request.organization_id,
        patient=request.patient_id,
        patient_email=request.email,
        phone_number=request.phone,
        provider_roles=request.provider_roles,
        registering_time=request.registering_at,
        status=request.status,
    )
    return documents.OnboardingRequestResource(attributes=attributes, id=request.request_id)


def _last_invite(request: RequestRow) -> documents.LastInvite:
    return documents.LastInvite(email=_invite("email", request.email_invite), sms=_invite("sms", request.sms_invite))


def _invite(channel: Channel, invite: InviteRow | None) -> documents.Invite | None:
    if invite is None:
        return None
    return documents.Invite(
        created_time=invite.created_at,
        error=invite.error,
        id=invite.id,
        respond_time=invite.responded_at,
        status=invite.status,
        type=channel,
    )


def _email_delivery(request: RequestRow) -> documents.EmailDelivery | None:
    """Return what is known of the last e-mail; None until it was handed over or failed.

    None as well for an e-mail to a former address of the person: that says nothing about the present one.
    """
    invite = request.email_invite
    if invite is None or invite.void:
        return None
    bounce = _bounce(invite)
    state = DELIVERY_STATES.get(invite.status) if bounce is None else "bounced"
    if state is None:
        return None
    attributes = documents.EmailDeliveryAttributes(
        bounce=bounce, created_at=invite.created_at, email=request.email, state=state
    )
    return documents.EmailDelivery(attributes=attributes, id=invite.id)


def _bounce(invite: InviteRow) -> documents.EmailBounce | None:
    """Return how the delivery failed; None if it did not (ruling K43)."""
    if invite.status != "failed" or invite.error in NOT_NEEDED:
        return None
    return documents.EmailBounce(subtype="General", type="Transient" if invite.error in LATE else "Permanent")
