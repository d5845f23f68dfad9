"""Getting in and staying in: login, refresh-token, authenticate, sessions (semantics 7, rulings H1 to H8)."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StrictBool, StrictInt

from api.documents.common import Attributes, Resource, Single, Strict
from api.documents.fields import Omittable, Secret, Secret64, Secret2048, SentIds, Text16, Text255, UuidText
from api.documents.parameters import Flag, Parameters
from api.documents.people.people import UserNames
from api.documents.times import ContractDatetime
from domain.core.locales import Locale

THIRTY_DAYS = 30 * 24 * 3600
CLAIMS = (
    "iss", "aud", "sub", "sid", "iat", "exp", "auth_time", "amr", "email", "email_verified", "phone_number",
    "phone_number_verified", "given_name", "family_name", "preferred_username", "locale", "zoneinfo", "act",
)  # fmt: skip
"""The claims that id tokens may have (ruling K123)."""


class Login(Strict):
    """POST /v1/login/."""

    password: Secret
    username: Text255
    access_token_expiration_seconds: Annotated[Omittable[StrictInt], Field(ge=1, le=3600)] = None
    interactive: StrictBool = True
    locale: Omittable[Text16] = None
    refresh_token_expiration_seconds: Annotated[Omittable[StrictInt], Field(ge=1, le=THIRTY_DAYS)] = None
    service_document_agreements: Omittable[SentIds] = None
    simulated_queue_delay: Annotated[Omittable[StrictInt], Field(ge=1, le=60_000)] = None
    sticky_access_token_expiration: Omittable[StrictBool] = None
    totp_code: Omittable[Secret64] = None


class RefreshToken(Strict):
    """POST /v1/refresh-token/."""

    refresh_token: Secret2048
    interactive: StrictBool = False


class Authenticate(Strict):
    """POST /v1/authenticate/; the body may be left out."""

    edge_request: Omittable[StrictBool] = None


class SessionQuery(Parameters):
    """GET /v1/sessions/{id}/."""

    include_login_info: Flag = False


class Impersonator(Attributes):
    email: str | None = None
    id: UUID
    session_id: UUID


class PrimaryIndividual(Attributes):
    id: UUID | None = None


class LoginInfo(UserNames):
    """Who has signed in."""

    email: str | None = None
    impersonated_by: Impersonator | None = None
    individual: PrimaryIndividual
    locale: Locale
    locale_explicit: bool
    multi_organization: bool
    organizations: list[UUID]
    session_id: UUID
    tz: str | None = None
    tz_explicit: bool
    user_id: UUID


class RefreshedTokens(LoginInfo):
    """Answers refresh-token: the refresh token stays the same and is not repeated."""

    access_token: str = Field(repr=False)
    id_token: str = Field(repr=False)


class LoginTokens(RefreshedTokens):
    """Answers login."""

    refresh_token: str = Field(repr=False)


class LoginRedirect(Attributes):
    """Answers login of somebody whose organization wants single sign-on."""

    redirect_url: str


LoginAnswer = LoginTokens | LoginRedirect


class AuthenticatedCaller(Attributes):
    """`roles` are names, those of the session's current organization."""

    email: str | None = None
    organization_id: UUID | None = None
    roles: list[str]
    session_id: UUID
    user_id: UUID


class AuthenticateAnswer(Attributes):
    data: AuthenticatedCaller


class SessionAttributes(Attributes):
    """`login-info` is null unless it was asked for."""

    expiration_time: ContractDatetime
    login_info: LoginInfo | None = None
    user_id: UUID


class SessionResource(Resource[SessionAttributes]):
    type: Literal["sessions"] = "sessions"


class SessionDocument(Single[SessionResource]):
    """Answers GET /v1/sessions/{id}/."""


class SwitchOrganization(Strict):
    """POST /v1/users/{id}/switch-organization/."""

    organization_id: UuidText
    set_default: Annotated[StrictBool, Field(json_schema_extra={"default": False})]
    """The contract requires it and names a default nevertheless."""


class SwitchOrganizationTokens(Attributes):
    """The tokens of the new session."""

    access_token: str = Field(repr=False)
    id_token: str = Field(repr=False)
    refresh_token: str = Field(repr=False)


class OpenIdConfiguration(BaseModel):
    """Answers /.well-known/openid-configuration. Its names have underscores (ruling K124)."""

    issuer: str
    jwks_uri: str
    response_types_supported: list[str] = ["code"]
    subject_types_supported: list[str] = ["public"]
    id_token_signing_alg_values_supported: list[str] = ["EdDSA"]
    claims_supported: list[str] = list(CLAIMS)
