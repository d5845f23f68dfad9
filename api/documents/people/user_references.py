"""Naming a user in a request, by id or by e-mail address."""

from api.documents.addresses import EmailText
from api.documents.common import Strict
from api.documents.fields import Omittable, UuidText, exactly_one
from domain.people.named_users import UserIdOrEmail


class UserReference(Strict):
    """Exactly one of the two (semantics 10)."""

    email: Omittable[EmailText] = None
    user_id: Omittable[UuidText] = None

    _one_way_to_name_the_user = exactly_one("user-id", "email")

    @property
    def user(self) -> UserIdOrEmail:
        """Return the id or the e-mail address."""
        return UserIdOrEmail(self.user_id, self.email)
