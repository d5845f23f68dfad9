"""Changing users: PATCH /v1/users/{id}/, change-email, change-password, confirm-phone (rulings K65 to K72)."""

from typing import Annotated, Any, Literal

from pydantic import StrictBool, StringConstraints

from api.documents.addresses import Email255, EmailText
from api.documents.common import Strict
from api.documents.envelope import UpdateRequest
from api.documents.fields import Name, Omittable, PhoneText, Secret, UuidText, exactly_one
from api.documents.people.people import ChangedCommunicationPreferences, Classification
from api.documents.times import Timezone
from domain.core.locales import Locale

AmericanPhone = Annotated[str, StringConstraints(strict=True, max_length=30, pattern=r"^\+1[0-9]{10}$")]
"""A phone number of the North American numbering plan, in E.164."""


class UserAttributeChanges(Strict):
    """What is to change. Null removes a name or a contact, and gives up a choice."""

    classification: Omittable[Classification] = None
    communication_preferences: Omittable[ChangedCommunicationPreferences] = None
    default_organization_id: UuidText | None = None
    email: EmailText | None = None
    first_name: Name | None = None
    last_name: Name | None = None
    locale: Locale | None = None
    phone: PhoneText | None = None
    tz: Timezone | None = None
    username: Omittable[Literal["email", "phone"]] = None

    def changes(self) -> dict[str, Any]:
        """Return the attributes that were sent, by Python name."""
        given = self.given()
        if self.communication_preferences is not None:
            given["communication_preferences"] = self.communication_preferences.given()
        return given


class UpdateUser(UpdateRequest[Literal["users"], UserAttributeChanges]):
    """PATCH /v1/users/{id}/."""


class ChangeEmail(Strict):
    """POST /v1/users/{id}/change-email/."""

    email: Email255


class ChangePassword(Strict):
    """POST /v1/users/{id}/change-password/, with the old password or as support."""

    new_password: Secret
    old_password: Omittable[Secret] = None
    context: Omittable[Literal["carium-support"]] = None
    maintain_active_sessions: StrictBool = False

    _either = exactly_one("old-password", "context")


class ConfirmPhone(Strict):
    """POST /v1/users/{id}/confirm-phone/."""

    phone_number: AmericanPhone
