"""Naming a user in a request, by id or by e-mail address."""

from typing import Self

from pydantic import model_validator

from api.documents.addresses import EmailText
from api.documents.common import Strict
from api.documents.fields import Omittable, UuidText, require_exactly_one
from domain.people.named_users import UserIdOrEmail


class UserReference(Strict):
    """Exactly one of the two (semantics 10)."""

    email: Omittable[EmailText] = None
    user_id: Omittable[UuidText] = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        require_exactly_one(self, "user-id", "email")
        return self

    @property
    def user(self) -> UserIdOrEmail:
        """Return the id or the e-mail address."""
        return UserIdOrEmail(self.user_id, self.email)
