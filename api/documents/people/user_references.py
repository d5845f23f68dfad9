"""Naming a user in a request, by id or by e-mail address."""

from typing import Self

from pydantic import model_validator

from api.documents.common import Strict
from api.documents.fields import EmailText, Omittable, UuidText, violation


class UserReference(Strict):
    """Exactly one of the two (semantics 10)."""

    email: Omittable[EmailText] = None
    user_id: Omittable[UuidText] = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if self.email is None and self.user_id is None:
            raise violation("user-id", "missing")
        if self.email is not None and self.user_id is not None:
            raise violation("email", "both", "Input should be either email or user-id")
        return self
