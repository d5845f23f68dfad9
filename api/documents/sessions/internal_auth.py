"""Service accounts getting in: /v1/internal-auth/ and /v2/internal-auth/ (semantics 7, rulings H5 and H6)."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from api.documents.common import Attributes, Resource, Single, Strict
from api.documents.envelope import CreateRequest
from api.documents.fields import LongSecret, Omittable, Secret512, Text512

SelfToken = Annotated[str, StringConstraints(strict=True, max_length=512, pattern="^[a-z0-9-]+$")]


class InternalAuth(Strict):
    """POST /v1/internal-auth/: a hash that is no hex is refused as any wrong one, with 401."""

    namespace: Text512
    sa_name: Text512
    sa_token_sha512: Secret512
    self_token_hash: Omittable[SelfToken] = None
    self_token_name: Omittable[SelfToken] = None


class InternalAuthAnswer(Attributes):
    """Services have no e-mail address, no id token and no refresh token: null."""

    access_token: str = Field(repr=False)
    email: str | None = None
    expires_in: int
    id_token: str | None = Field(default=None, repr=False)
    refresh_token: str | None = Field(default=None, repr=False)
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # a scheme's name, not a secret
    user_id: UUID
    username: str


class InternalAuthToken(Strict):
    token: LongSecret


class InternalAuthV2(CreateRequest[Literal["internal-auths"], InternalAuthToken]):
    """POST /v2/internal-auth/."""


class InternalAuthAttributes(Attributes):
    access_token: str = Field(repr=False)


class InternalAuthResource(Resource[InternalAuthAttributes]):
    """The id is that of the session."""

    type: Literal["internal-auths"] = "internal-auths"


class InternalAuthDocument(Single[InternalAuthResource]):
    """Answers POST /v2/internal-auth/."""
