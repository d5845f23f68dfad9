"""POST /v1/resend-invitation/ (rulings K1, K9 and K94)."""

from typing import Literal

from api.documents.addresses import EmailText
from api.documents.common import Attributes, Strict
from api.documents.fields import Omittable, Text255, exactly_one
from api.documents.onboarding.requests import Notifications


class ResendInvitation(Strict):
    """Either `username`, which may be an address or a number, or the deprecated `email`."""

    email: Omittable[EmailText] = None
    new_email: Omittable[EmailText] = None
    notifications: Omittable[Notifications] = None
    username: Omittable[Text255] = None

    _either = exactly_one("username", "email")

    @property
    def name(self) -> str:
        """The name that was typed."""
        return self.username or self.email or ""


class InvitationResent(Attributes):
    """The same for every name; the id is derived from the name."""

    signup_request_id: str
    signup_request_type: Literal["onboard"] = "onboard"
