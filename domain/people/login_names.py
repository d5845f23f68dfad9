"""The names of people as they are compared: e-mail addresses, phone numbers, user names (rulings O2 and O5).

One function for each kind makes the key that is stored and compared. Nothing else folds case, least of all SQL, where
`lower()` depends on the server's collation.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

import idna
import phonenumbers

from domain.core.errors import Invalid
from domain.core.personal import Personal, revealed, sealed

NameKind = Literal["email", "phone", "username"]

_DIALLED = re.compile(r"[+0-9 ().\-/]*\+[+0-9 ().\-/]*")
_UNUSABLE = frozenset({"Cc", "Cf", "Cn", "Cs", "Zl", "Zp", "Zs"})
"""Control, format (bidirectional marks among them), unassigned, surrogate and blank characters."""
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters, marks and symbols that show nothing: Default_Ignorable_Code_Point outside the category Cf; braille blank."""


class UnusableUserName(Invalid):
    detail = "A user name has no blank, invisible, control or unassigned characters."


class ForeignUserName(Invalid):
    detail = "A user name that looks like an e-mail address or a phone number must be the user's own."


class LoginName(NamedTuple):
    """What is compared of a name. Names of different kinds are never the same, whatever their keys."""

    kind: NameKind
    key: str


@dataclass(frozen=True)
class LoginNames:
    """What a user logs in with, sealed under the user's key; None for what they do not have."""

    email: Personal | None = None
    phone: Personal | None = None
    username: Personal | None = None

    @classmethod
    def of(cls, user_id: UUID, email: str | None, phone: str | None, username: str | None) -> "LoginNames":
        """Return the names of the user, sealed."""
        return cls(sealed(user_id, email), sealed(user_id, phone), sealed(user_id, username))

    @property
    def revealed(self) -> tuple[str | None, str | None, str | None]:
        """The e-mail address, the phone number and the user name in clear."""
        return revealed(self.email), revealed(self.phone), revealed(self.username)


def folded(text: str) -> str:
    """The text as filters that ignore case compare it: NFC and lower case. Not casefolded: "ß" is not "ss"."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def address_domain(domain: str) -> str:
    """The domain of an e-mail address in A-labels (IDNA 2008, UTS 46 non-transitional). Raises Invalid."""
    lower = domain.lower()
    if domain.isascii() and "xn--" not in lower:
        return lower
    try:
        return idna.encode(domain, uts46=True, transitional=False).decode("ascii")
    except idna.IDNAError:
        raise Invalid from None


def email_key(text: str) -> str:
    """What is compared of an e-mail address: the local part without case, the domain in A-labels.

    A domain that is none is compared without case: such an address is refused where it is given, and finds nobody.
    """
    local, at, domain = text.rpartition("@")
    try:
        return folded(local) + at + address_domain(domain)
    except Invalid:
        return folded(text)


def normal_phone(text: str) -> str:
    """The number in E.164; as given when it is none."""
    try:
        return phonenumbers.format_number(phonenumbers.parse(text, None), phonenumbers.PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        return text


def login_name(text: str) -> LoginName:
    """The name that is meant by what a user types: its form tells the kind, surrounding blanks do not count."""
    typed = text.strip()
    kind = _kind_of(typed)
    if kind == "email":
        return LoginName(kind, email_key(typed))
    return LoginName(kind, normal_phone(typed) if kind == "phone" else folded(typed))


def normal_login(text: str) -> str:
    """What is compared of a user name, an e-mail address or a phone number."""
    return login_name(text).key


def names_of(email: str | None, phone: str | None, username: str | None) -> list[LoginName]:
    """The names under which a user with these is found. A user name that is the user's own address adds none."""
    contacts = [login_name(contact) for contact in (email, phone) if contact is not None]
    chosen = [] if username is None else [login_name(username)]
    return contacts + [name for name in chosen if name.kind == "username"]


def finding_names(email: str | None, phone: str | None, username: str | None) -> list[LoginName]:
    """The names by which a person is found who is to be brought in: the contacts; without one the user name."""
    return names_of(email, phone, None) or names_of(None, None, username)


def require_usable_username(username: str, email: str | None, phone: str | None) -> None:
    """Raise UnusableUserName or ForeignUserName for what cannot be the user name of a user with these contacts."""
    name = login_name(username)
    if name.kind != "username":
        if name not in names_of(email, phone, None):
            raise ForeignUserName(argument="username")
    elif _INVISIBLE.search(username) or any(unicodedata.category(each) in _UNUSABLE for each in username):
        raise UnusableUserName(argument="username")


def is_blank(text: str) -> bool:
    """Whether the text shows nothing: it has blank, invisible and control characters only."""
    return not any(unicodedata.category(each) not in _UNUSABLE for each in _INVISIBLE.sub("", text))


def _kind_of(typed: str) -> NameKind:
    """By its compatibility form, so that no full-width "@" or "+" makes a user name look like an address."""
    form = unicodedata.normalize("NFKC", typed)
    if "@" in form:
        return "email"
    return "phone" if _DIALLED.fullmatch(form) else "username"
