"""POST /v1/onboarding-texts/{id}/update-status/ (ruling K100)."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from api.documents.common import Attributes, Strict
from api.documents.envelope import ActionRequest
from api.documents.fields import EXTENSION, STORABLE, Omittable, violation
from domain.onboarding.invites import InviteStatus

ReportText = Annotated[str, StringConstraints(strict=True, max_length=1000), STORABLE]


class ReportedStatus(Strict):
    """The contract names no attributes; a status is needed nevertheless."""

    error: Annotated[Omittable[ReportText], Field(json_schema_extra=EXTENSION)] = None
    status: Annotated[Omittable[InviteStatus], Field(json_schema_extra=EXTENSION)] = None

    @property
    def known(self) -> InviteStatus:
        """The status, which is never missing."""
        assert self.status is not None
        return self.status

    @model_validator(mode="after")
    def _has_a_status(self) -> Self:
        if self.status is None:
            raise violation("status", "missing")
        return self


class UpdateTextStatus(ActionRequest[Literal["onboarding-texts"], ReportedStatus]):
    """The id is that of the message, which is also the id of its invitation."""


class TextStatusAnswer(Attributes):
    """An object without members."""
