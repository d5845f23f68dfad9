"""The login names that a person chooses when they sign up (rulings K82 and K83)."""

import re
from typing import NamedTuple
from uuid import UUID

from domain.core.errors import Invalid
from domain.people.login_names import ContactKind, LoginName, LoginNames, names_of, parse_login_name

PLAIN = re.compile(r"[A-Za-z0-9._-]{3,64}")


class UnusableName(Invalid, argument="username"):
    """The user name must be an e-mail address, a phone number in E.164, or 3 to 64 of A-Z, a-z, 0-9, ".", "_", "-"."""


class OtherName(Invalid, argument="username"):
    """A user name that is an address or a number must be the person's own."""


class NoSuchContact(Invalid, argument="set_username"):
    """The person has no such contact."""


class ChosenNames(NamedTuple):
    """The names of a person who signs up. `login_contact` is the contact that they chose as their login name."""

    email: str | None
    phone: str | None
    username: str | None
    login_contact: ContactKind | None

    @property
    def finding(self) -> list[LoginName]:
        """Return the names by which the user will be found."""
        return names_of(self.email, self.phone, self.username)

    def login_names(self, user_id: UUID) -> LoginNames:
        """Return the names as personal values of the user."""
        return LoginNames.of(user_id, self.email, self.phone, self.username)


def names_chosen(
    username: str, email: str | None, phone: str | None, login_contact: ContactKind | None = None
) -> ChosenNames:
    """Return the names of a person with these contacts who chooses this user name.

    An address or a number is the person's contact, fills the one that they did not give, and is the login name unless
    `login_contact` is another. Raises UnusableName, OtherName, NoSuchContact.
    """
    name = parse_login_name(username)
    if name.kind == "username":
        if not PLAIN.fullmatch(username):
            raise UnusableName
        plain: str | None = username
    else:
        plain, typed = None, username.strip()
        given = email if name.kind == "email" else phone
        if given is not None and parse_login_name(given) != name:
            raise OtherName
        email, phone = (given or typed, phone) if name.kind == "email" else (email, given or name.key)
    if login_contact is not None:
        if (email if login_contact == "email" else phone) is None:
            raise NoSuchContact
        plain = None
    return ChosenNames(email, phone, plain, login_contact or (None if name.kind == "username" else name.kind))
