"""Registration invitations: /v1/registration-invitations/ (semantics 9, ruling K108)."""

from typing import Literal
from uuid import UUID

from api.documents.addresses import EmailText
from api.documents.common import Attributes, Listing, Resource, Single, Strict
from api.documents.envelope import CreateRequest
from api.documents.times import ContractDatetime


class RegistrationInvitationToCreate(Strict):
    invited_email: EmailText


class CreateRegistrationInvitation(CreateRequest[Literal["registration-invitations"], RegistrationInvitationToCreate]):
    """POST /v1/registration-invitations/."""


class RegistrationInvitationAttributes(Attributes):
    claimed_time: ContractDatetime | None
    created_by: UUID
    created_time: ContractDatetime
    invited_email: str | None


class RegistrationInvitationResource(Resource[RegistrationInvitationAttributes]):
    type: Literal["registration-invitations"] = "registration-invitations"


class RegistrationInvitationDocument(Single[RegistrationInvitationResource]):
    """Answers creation and detail."""


class RegistrationInvitationList(Listing[RegistrationInvitationResource]):
    """Answers GET /v1/registration-invitations/."""
