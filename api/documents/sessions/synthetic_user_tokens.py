"""Synthetic user tokens: /v1/synthetic-user-tokens/ (semantics 7, rulings K126 and K127)."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StrictInt, StringConstraints, model_validator

from api.documents.common import Attributes, Strict
from api.documents.fields import STORABLE, Items, Omittable, UuidText, violation
from api.documents.times import ContractDatetime
from domain.sessions.sessions import MAX_ACCESS_SECONDS
from domain.sessions.synthetic_user_tokens import OWN_CLAIMS

MAX_CLAIMS = 20


class AdditionalClaim(Strict):
    claim: Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    value: Annotated[str, StringConstraints(strict=True, max_length=1024), STORABLE]


class SyntheticUserTokenToCreate(Strict):
    user_id: UuidText
    additional_claims: Annotated[tuple[AdditionalClaim, ...], Items(most=MAX_CLAIMS, made=tuple)] = ()
    expiration_secs: Annotated[StrictInt, Field(ge=1, le=MAX_ACCESS_SECONDS)] = 1800
    organization_id: Omittable[UuidText] = None

    @model_validator(mode="after")
    def _free_claims(self) -> Self:
        """Refuse claims that are ours, and the second of two claims with one name."""
        names = [each.claim for each in self.additional_claims]
        for place, name in enumerate(names):
            if name in OWN_CLAIMS or name in names[:place]:
                within = ("additional-claims", place)
                raise violation("claim", "taken", "Input should be a claim that the token lacks", within=within)
        return self


class CreateSyntheticUserToken(Strict):
    """POST /v1/synthetic-user-tokens/."""

    data: SyntheticUserTokenToCreate


class SyntheticUserToken(Attributes):
    access_token: str = Field(repr=False)
    expiration_secs: int
    expiration_time: ContractDatetime
    session_id: UUID


class SyntheticUserTokenAnswer(Attributes):
    """Answers POST /v1/synthetic-user-tokens/."""

    data: SyntheticUserToken
