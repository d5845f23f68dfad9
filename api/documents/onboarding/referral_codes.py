"""POST /v1/onboarding-info/ (rulings K2 and K101)."""

from typing import Literal, Self
from uuid import UUID

from pydantic import model_validator

from api.documents.addresses import EmailText
from api.documents.common import Attributes, Resource, Single, Strict
from api.documents.envelope import CreateRequest
from api.documents.fields import Omittable, PhoneText, Secret20, violation
from domain.onboarding.requests import Status


class OnboardingToLookUp(Strict):
    """Exactly one of the three."""

    code: Omittable[Secret20] = None
    email: Omittable[EmailText] = None
    phone_number: Omittable[PhoneText] = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        names = {"code": self.code, "email": self.email, "phone-number": self.phone_number}
        given = [name for name, value in names.items() if value is not None]
        if not given:
            raise violation("code", "missing")
        if len(given) > 1:
            raise violation(given[1], "several", "Input should be only one of code, email and phone-number")
        return self


class OnboardingInfoRequest(CreateRequest[Literal["onboarding-info"], OnboardingToLookUp]):
    """POST /v1/onboarding-info/."""


class FoundRequest(Attributes):
    done: bool
    status: Status


class FoundOrganization(Attributes):
    display_name: str
    id: UUID


class OnboardingInfoAttributes(Attributes):
    onboarding_request: FoundRequest
    organization: FoundOrganization


class OnboardingInfoResource(Resource[OnboardingInfoAttributes]):
    """The id is a new one in each answer."""

    type: Literal["onboarding-info"] = "onboarding-info"


class OnboardingInfoDocument(Single[OnboardingInfoResource]):
    """Answers POST /v1/onboarding-info/."""
