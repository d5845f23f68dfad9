"""Confirming a contact and setting a forgotten password with codes (rulings K4, K90 to K93)."""

from typing import Literal

from pydantic import StrictBool

from api.documents.common import Attributes, Strict
from api.documents.fields import Omittable, Secret, Secret20, Text255
from api.documents.sessions.sessions import LoginTokens
from api.documents.times import Timezone

Source = Literal["email", "sms"]


class AskForCode(Strict):
    """POST /v1/forgot-password/ and POST /v1/resend-confirmation/."""

    username: Text255
    source: Omittable[Source] = None


class CodeAsked(Attributes):
    """Answers both operations in the same way whether or not the name is known: an object without members."""


class CodeReceived(Strict):
    """A code that was sent to the user of this name. With `login`, the answer contains tokens."""

    confirmation_code: Secret20
    username: Text255
    login: StrictBool = False


class ConfirmSignUp(CodeReceived):
    """POST /v1/confirm-sign-up/."""

    tz: Omittable[Timezone] = None


class ConfirmForgotPassword(CodeReceived):
    """POST /v1/confirm-forgot-password/."""

    password: Secret
    source: Omittable[Source] = None


class LoginError(Attributes):
    """Why the login that was asked for was refused; the confirmation stays."""

    code: str
    detail: str
    status: int


class PasswordReset(Attributes):
    """Answers confirm-forgot-password. `login-error` is null unless a login was asked for and refused."""

    login_error: LoginError | None = None


class SignUpConfirmation(PasswordReset):
    """Answers confirm-sign-up."""

    account_type: Literal["provider", "patient"]


class PasswordResetWithLogin(LoginTokens, PasswordReset):
    """Answers confirm-forgot-password with a login."""


class SignUpConfirmationWithLogin(LoginTokens, SignUpConfirmation):
    """Answers confirm-sign-up with a login."""
