"""Individuals: /v1/individuals/, share and unshare (semantics 11 and 12, rulings I5 and I11)."""

from typing import Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from api.documents.common import Attributes, Resource, Single, Strict
from api.documents.envelope import CreateRequest
from api.documents.fields import EXTENSION, Omittable, UuidText, violation

ShareOperation = Literal["read", "write"]


class IndividualToCreate(Strict):
    """The record service chose the id; the owner is a user or an organization."""

    individual_id: UuidText
    owner_id: UuidText


class CreateIndividual(CreateRequest[Literal["individuals"], IndividualToCreate]):
    """POST /v1/individuals/."""


class ShareTarget(Strict):
    type: Literal["organization", "user"]
    id: UuidText


class UnshareIndividual(Strict):
    """POST /v1/individuals/{id}/unshare/ (extension)."""

    with_: ShareTarget


class ShareIndividual(UnshareIndividual):
    """POST /v1/individuals/{id}/share/ (extension): sharing with an organization ignores `operation`."""

    operation: Omittable[ShareOperation] = None

    @model_validator(mode="after")
    def _operation_for_a_user(self) -> Self:
        if self.with_.type == "user" and self.operation is None:
            raise violation("operation", "missing")
        return self


class IndividualShare(Attributes):
    """With whom it is shared; `operation` is null for an organization."""

    type: Literal["organization", "user"]
    id: UUID
    operation: ShareOperation | None = None


class IndividualAttributes(Attributes):
    """`shared-with` is null for callers who may not write the individual."""

    owner_id: UUID
    shared_with: list[IndividualShare] | None = Field(default=None, json_schema_extra=EXTENSION)


class IndividualResource(Resource[IndividualAttributes]):
    type: Literal["individuals"] = "individuals"


class IndividualDocument(Single[IndividualResource]):
    """Answers creation, detail, share and unshare."""
