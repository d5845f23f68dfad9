"""Users: /v1/users/, detail, disable, enable (semantics 3 and 11, ruling E10)."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from api.documents.common import Attributes, Listing, Resource, Single
from api.documents.fields import Ids, Items, Omittable, PhoneText, Text255, UuidText
from api.documents.parameters import Flag, OnlyTrue, Page, Parameters, StrictBounds
from api.documents.people.people import (
    Classification,
    CommunicationPreferences,
    PersonNames,
    RegistrationInvite,
    UserNames,
)
from api.documents.times import ContractDatetime
from domain.core.locales import Locale

UserState = Literal[
    "archived", "confirmed", "disabled", "force_reset_password", "init", "registered", "registered_disabled"
]
SortKey = Literal["-email", "-first-name", "-id", "-last-name", "email", "first-name", "id", "last-name"]


class UserListQuery(Page):
    """GET /v1/users/: all filters must hold; of an array filter any value."""

    email: Omittable[Text255] = None
    classification: Annotated[Omittable[Classification], Field(alias="filter[classification]")] = None
    modified: Annotated[StrictBounds, Field(alias="filter[cmp-last-modified-time]")] = ()
    email_verified: Annotated[Omittable[Flag], Field(alias="filter[email-verified]")] = None
    enabled: Annotated[Omittable[Flag], Field(alias="filter[enabled]")] = None
    include_inactive: Annotated[Flag, Field(alias="filter[include-inactive]")] = False
    include_participants: Annotated[Flag, Field(alias="filter[include-participants]")] = False
    include_tester: Annotated[Omittable[Flag], Field(alias="filter[include-tester]")] = None
    include_unverified: Annotated[Flag, Field(alias="filter[include-unverified]")] = False
    organization_admin: Annotated[Omittable[OnlyTrue], Field(alias="filter[organization-admin]")] = None
    phone_number: Annotated[Omittable[PhoneText], Field(alias="filter[phone-number]")] = None
    primary_individual_ids: Annotated[Ids, Field(alias="filter[primary-individual-ids]")] = ()
    registration_invite: Annotated[tuple[RegistrationInvite, ...], Field(alias="filter[registration-invite]")] = ()
    username: Annotated[Omittable[Text255], Field(alias="filter[username]")] = None
    organization_id: Omittable[UuidText] = None
    shared_with_id: Omittable[UuidText] = None
    sort_by: Annotated[tuple[SortKey, ...], Items(least=1, most=1, made=tuple)] = ()
    text: Omittable[Text255] = None


class UserQuery(Parameters):
    """GET /v1/users/{id}/."""

    organization_id: Omittable[UuidText] = None
    with_roles: Flag = False
    with_signups: Flag = False


class AdditionalIndividual(PersonNames):
    birth_date: date | None = None
    id: UUID
    organization_logo_url: str | None = None


class UserRole(Attributes):
    display_name: str
    id: UUID
    name: str
    organization_display_name: str
    organization_id: UUID
    organization_name: str


class SharedWith(Attributes):
    contact_message: str | None = None
    display_name: str | None = None
    id: UUID
    name: str | None = None
    type: Literal["organization", "user"]


class AccountAttributes(UserNames):
    """The attributes with no default are those that everybody gets who may see the user (ruling E10).

    Lists show only the state and the dates of archived users (ruling K75).
    """

    authz_last_event_time: ContractDatetime | None = None
    authz_last_populated_time: ContractDatetime | None = None
    auto_confirm: bool | None = None
    auto_sign_up: bool | None = None
    birth_date: date | None = None
    classification: Classification | None = None
    communication_preferences: CommunicationPreferences | None = None
    date_created: ContractDatetime | None = None
    date_last_modified: ContractDatetime | None = None
    default_organization_id: UUID | None = None
    email: str | None = None
    email_verified: bool | None = None
    enabled: bool | None
    last_login_time: ContractDatetime | None = None
    last_modified_time: ContractDatetime | None = None
    locale: Locale | None = None
    locale_explicit: bool | None = None
    organization_id: UUID | None = None
    organization_ids: list[UUID] | None
    organization_logo_url: str | None = None
    phone: str | None = None
    phone_type: str | None = None
    phone_verified: bool | None = None
    primary_individual_id: UUID | None = None
    registered: bool | None = None
    registration_completed_time: ContractDatetime | None = None
    registration_invite: RegistrationInvite | None = None
    state: UserState
    status: str | None = None
    tz: str | None = None
    tz_explicit: bool | None = None


class UserAttributes(AccountAttributes):
    """With what only lists of users and the detail page show."""

    additional_individuals: list[AdditionalIndividual] | None = None
    organization_admin: bool | None = None
    organization_count: int | None = None
    roles: list[UserRole] | None = None
    shared_with: list[SharedWith] | None = None


class OnboardingRequestRef(Attributes):
    id: UUID


class OrganizationCodeSignUpRef(Attributes):
    id: UUID
    organization_code_id: str


class UserOrganizationRef(Attributes):
    display_name: str
    id: UUID
    name: str


class UserDetailAttributes(UserAttributes):
    """With what the detail page alone shows."""

    enrollment_data: dict[str, Any] | None = None
    onboarding_requests: list[OnboardingRequestRef] | None = None
    org_code_signup_requests: list[OrganizationCodeSignUpRef] | None = None
    organizations: list[UserOrganizationRef] | None = None


class UserResource(Resource[UserAttributes]):
    type: Literal["users"] = "users"


class UserDetailResource(Resource[UserDetailAttributes]):
    type: Literal["users"] = "users"


class UserDocument(Single[UserResource]):
    """Answers disable and enable."""


class UserDetailDocument(Single[UserDetailResource]):
    """Answers GET /v1/users/{id}/."""


class UserList(Listing[UserResource]):
    """Answers GET /v1/users/."""
