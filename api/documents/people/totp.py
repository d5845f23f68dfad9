"""TOTP configurations (semantics 7, rulings K116 to K122)."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.documents.common import Attributes, Listing, Resource, Single, Strict
from api.documents.fields import EXTENSION, Items, Omittable, Secret, UuidText
from api.documents.parameters import Parameters
from api.documents.times import ContractDatetime

Codes = Annotated[tuple[Secret, ...], Items(least=2, most=2, made=tuple)]


class TotpListQuery(Parameters):
    """GET /v1/mfa-totp/."""

    user_id: Annotated[Omittable[UuidText], Field(alias="filter[user-id]")] = None


class OwnPassword(Strict):
    """POST /v1/mfa-totp/{id}/disable/ and POST /v1/mfa-totp/{id}/recovery-codes/."""

    password: Secret


class TotpToEnable(OwnPassword):
    """POST /v1/mfa-totp/{id}/enable/."""

    codes: Codes

    @property
    def both_codes(self) -> tuple[str, str]:
        """The two codes."""
        first, second = self.codes
        return first.get_secret_value(), second.get_secret_value()


class QrCode(Attributes):
    contents_base64: str = Field(repr=False)
    height: int
    mimetype: Literal["image/png"] = "image/png"
    width: int


class TotpSecret(Attributes):
    """What an authenticator app needs."""

    provisioning_qrcode: QrCode
    provisioning_uri: str = Field(repr=False)
    shared_secret_key: str = Field(repr=False)


class TotpAttributes(Attributes):
    """`secret` is shown to its user until the configuration is enabled, `recovery-codes` once when they are made."""

    created_at: ContractDatetime
    enabled: bool
    enabled_at: ContractDatetime | None = None
    last_used: ContractDatetime | None = None
    recovery_codes: Annotated[list[str] | None, Field(json_schema_extra=EXTENSION, repr=False)] = None
    recovery_codes_left: Annotated[int, Field(json_schema_extra=EXTENSION)]
    secret: TotpSecret | None = None
    user_id: UUID


class TotpResource(Resource[TotpAttributes]):
    type: Literal["mfa-totp"] = "mfa-totp"


class TotpDocument(Single[TotpResource]):
    """Answers all operations on one configuration."""


class TotpList(Listing[TotpResource]):
    """Answers GET /v1/mfa-totp/."""
