"""Bringing people in: /v1/onboarding-requests/ (semantics 9 and 12.1, rulings A1, I6 and K95 to K98)."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StrictBool, model_validator

from api.documents.addresses import EmailText
from api.documents.common import Attributes, Listing, Resource, Single, Strict
from api.documents.envelope import ActionRequest, CreateRequest, UpdateRequest
from api.documents.fields import (
    EXTENSION,
    Items,
    Name,
    Omittable,
    PhoneText,
    RosterIds,
    Secret,
    Text255,
    UuidText,
    folded,
    violation,
)
from api.documents.parameters import Flag, Page
from api.documents.people.people import GivenCommunicationPreferences
from api.documents.times import ContractDatetime

OnboardType = Literal["patient", "provider"]
Channel = Literal["email", "sms"]
DeliveryState = Literal["bounced", "complained", "delivered", "sent"]
Notifications = Annotated[tuple[Channel, ...], Items(most=100, made=folded)]
SentNotifications = Annotated[tuple[Channel, ...], Items(most=100, made=tuple)]
"""Channels in the places where they were sent, which refusals name."""
SomeIds = Annotated[tuple[UuidText, ...], Items(most=100, made=folded)]
RoleNames = Annotated[tuple[Name, ...], Items(most=100, made=folded)]


class OnboardingToRequest(Strict):
    """`notifications` [] sends nothing; None, when it was not given, leaves the channel to the service."""

    auto_confirm: StrictBool = False
    auto_sign_up: StrictBool = False
    communication_preferences: Omittable[GivenCommunicationPreferences] = None
    email_user_now: StrictBool = False
    individual_group_id: Omittable[UuidText] = None
    group_ids: Annotated[RosterIds, Field(alias="individual-group-ids")] = ()
    notifications: Omittable[SentNotifications] = None
    onboard_type: OnboardType = "patient"
    organization_id: Annotated[UuidText, Field(alias="organization")]
    password: Omittable[Secret] = None
    individual_id: Annotated[Omittable[UuidText], Field(alias="patient")] = None
    patient_email: Omittable[EmailText] = None
    phone_number: Omittable[PhoneText] = None
    provider_roles: Annotated[RoleNames, Field(json_schema_extra=EXTENSION)] = ()
    username: Omittable[Name] = None

    @property
    def all_group_ids(self) -> tuple[UUID, ...]:
        """The groups named in either of the two attributes, each once."""
        one = () if self.individual_group_id is None else (self.individual_group_id,)
        return folded((*one, *self.group_ids))

    @model_validator(mode="after")
    def _can_be_reached_and_signed_up(self) -> Self:
        at_once = self.auto_sign_up and self.auto_confirm and self.username is not None
        if self.patient_email is None and self.phone_number is None and not at_once:
            raise violation("patient-email", "missing")  # without a contact, no invitation can be sent (ruling K95)
        if self.auto_sign_up and self.password is None:
            raise violation("password", "missing")
        return self


class CreateOnboardingRequest(CreateRequest[Literal["onboarding-requests"], OnboardingToRequest]):
    """POST /v1/onboarding-requests/."""


class OnboardingRequestListQuery(Page):
    """GET /v1/onboarding-requests/."""

    email: Text255 | None = None
    onboard_type: OnboardType = "patient"
    organization_id: Annotated[UuidText, Field(alias="organization")]
    patient_ids: SomeIds = ()
    with_invite: Flag = False


class OnboardingChanges(Strict):
    email: EmailText


class UpdateOnboardingRequest(UpdateRequest[Literal["onboarding-requests"], OnboardingChanges]):
    """PATCH /v1/onboarding-requests/{id}/."""


class NoAttributes(Strict):
    """An action without attributes."""


class ResendOnboardingEmail(ActionRequest[Literal["onboarding-requests-email"], NoAttributes]):
    """POST /v1/onboarding-requests/{id}/email/."""


class EmailBounce(Attributes):
    subtype: str | None = None
    type: str | None = None


class EmailDeliveryAttributes(Attributes):
    bounce: EmailBounce | None = None
    created_at: ContractDatetime
    email: str | None = None
    state: DeliveryState
    status_at: ContractDatetime | None = None


class EmailDelivery(Resource[EmailDeliveryAttributes]):
    type: Literal["email-dsn"] = "email-dsn"


class Invite(Attributes):
    created_time: ContractDatetime
    error: str | None = None
    id: UUID
    respond_time: ContractDatetime | None = None
    status: Literal["created", "delivered", "failed", "responded", "sent"]
    type: Channel


class LastInvite(Attributes):
    email: Invite | None = None
    sms: Invite | None = None


class OnboardingRequestAttributes(Attributes):
    """`claimed-by` and `patient` are null until the request is claimed (ruling A1)."""

    claimed_by: UUID | None = None
    claimed_time: ContractDatetime | None = None
    created_by: UUID | None = None
    created_time: ContractDatetime
    done: bool
    email_dsn: EmailDelivery | None = None
    last_invite: LastInvite | None = None
    onboard_type: OnboardType
    organization: UUID
    patient: UUID | None = None
    patient_email: str | None = None
    phone_number: str | None = None
    provider_roles: list[str]
    registering_time: ContractDatetime | None = None
    status: Literal["claimed", "created", "invited", "registering"]


class OnboardingRequestResource(Resource[OnboardingRequestAttributes]):
    type: Literal["onboarding-requests"] = "onboarding-requests"


class OnboardingRequestDocument(Single[OnboardingRequestResource]):
    """Answers an operation on one request."""


class OnboardingRequestList(Listing[OnboardingRequestResource]):
    """Answers GET /v1/onboarding-requests/."""
