"""POST /v1/sign-up/, with an organization code or with a referral code (rulings K81 to K88)."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StrictBool, TypeAdapter, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from api.documents.addresses import EmailText
from api.documents.common import Attributes, Strict
from api.documents.fields import Ids, Items, JsonObject, Name, Omittable, PhoneText, Secret, Secret20, Text20, Text255
from api.documents.people.codes import Source
from api.documents.times import DateText, Timezone
from domain.core.locales import Locale
from domain.people.login_names import ContactKind

FIRST_BIRTH = date(1900, 1, 1)
ORGANIZATION_SHAPE = ("first_name", "last_name")
"""Members that a sign-up with an organization code needs, beside those of both shapes."""
ORGANIZATION_ONLY = (
    *ORGANIZATION_SHAPE, "auto_sign_up", "birth_date", "contact_phone_mobile", "email", "enrollment_data", "gender",
    "notifications", "preferred_name",
)  # fmt: skip
_ADDRESS, _NUMBER = TypeAdapter(EmailText), TypeAdapter(PhoneText)


def _login_name(text: str) -> str:
    """Return the user name. What contains "@" or begins with "+" must be an address or a number (ruling K82)."""
    if "@" in text:
        return _ADDRESS.validate_python(text.strip())
    return _NUMBER.validate_python(text.strip()) if text.startswith("+") else text


def _past(day: date) -> date:
    if not FIRST_BIRTH <= day <= datetime.now(UTC).date():
        raise PydanticCustomError("birth_date", "Input should be a date from 1900-01-01 until today")
    return day


class SignUp(Strict):
    """Both shapes; members of the other shape are refused."""

    password: Secret
    username: Annotated[Text255, AfterValidator(_login_name)]
    organization_code: Omittable[Text20] = None
    referral_code: Omittable[Secret20] = None
    auto_confirm: Annotated[StrictBool, Field(deprecated=True)] = False
    auto_sign_up: StrictBool = False
    birth_date: Annotated[Omittable[DateText], AfterValidator(lambda day: day and _past(day))] = None
    contact_phone_mobile: Omittable[PhoneText] = None
    email: Omittable[EmailText] = None
    enrollment_data: Omittable[JsonObject] = None
    first_name: Omittable[Name] = None
    gender: Omittable[Literal["female", "male", "other", "pnta", "unknown"]] = None
    last_name: Omittable[Name] = None
    locale: Omittable[Locale] = None
    notifications: Omittable[Annotated[tuple[Source, ...], Items(most=2, made=tuple)]] = None
    preferred_name: Omittable[Name] = None
    service_document_agreements: Omittable[Ids] = None
    set_username: Omittable[ContactKind] = None
    source: Omittable[Source] = None
    tz: Omittable[Timezone] = None

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        """Raise a violation for each member that is missing, or that belongs to the other shape (ruling K81)."""
        found: list[tuple[str, str, str]] = []
        if self.organization_code is not None and self.referral_code is not None:
            found.append(("referral_code", "both", "Input should be either organization-code or referral-code"))
        elif self.organization_code is None and self.referral_code is None:
            found.append(("organization_code", "missing", ""))
        elif self.organization_code is not None:
            found += [(name, "missing", "") for name in ORGANIZATION_SHAPE if getattr(self, name) is None]
        else:
            message = "Input should not be given with referral-code"
            found += [(name, "other_shape", message) for name in ORGANIZATION_ONLY if name in self.model_fields_set]
        if found:
            raise ValidationError.from_exception_data("violation", [_detail(*each) for each in found])
        return self


def _detail(name: str, code: str, message: str) -> InitErrorDetails:
    kind: Any = code if code == "missing" else PydanticCustomError(code, message)
    return InitErrorDetails(type=kind, loc=(name.replace("_", "-"),), input=None)


class SignedUp(Attributes):
    """Answers a sign-up."""

    account_type: Literal["provider", "patient"]
