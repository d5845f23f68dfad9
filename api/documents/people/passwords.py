"""The strength of passwords (semantics 7, ruling K115)."""

from typing import Annotated

from pydantic import Field, StrictBool

from api.documents.common import Attributes, Strict
from api.documents.fields import Secret


class PasswordToRate(Strict):
    """POST /v1/password-strength/."""

    password: Annotated[Secret, Field(min_length=1)]
    check_pwned: StrictBool = False


class Pwned(Attributes):
    """How often the password stands in known leaks; `times` is -1 if that is not known."""

    message: str
    times: int


class Strength(Attributes):
    label: str
    value: int


class PasswordStrength(Attributes):
    """Answers password-strength."""

    pwned: Pwned
    strength: Strength
    suggestions: list[str]
