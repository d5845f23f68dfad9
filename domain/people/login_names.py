"""Comparison of login names: e-mail addresses, phone numbers and user names (rulings O2 and O5).

One function for each kind makes the key that is stored and compared. No other code folds case, and SQL never does:
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
ContactKind = Literal["email", "phone"]

_DIALLED = re.compile(r"[+0-9 ().\-/]*\+[+0-9 ().\-/]*")
_UNUSABLE = frozenset({"Cc", "Cf", "Cn", "Cs", "Zl", "Zp", "Zs"})
"""Control, format (bidirectional marks among them), unassigned, surrogate and blank characters."""
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters, marks and symbols without a glyph: Default_Ignorable_Code_Point outside category Cf; the braille blank."""


class UnusableUserName(Invalid):
    """A user name cannot contain blank, invisible, control or unassigned characters."""


class ForeignUserName(Invalid):
    """A user name that looks like an e-mail address or a phone number must be the user's own address or number."""


class LoginName(NamedTuple):
    """The comparable form of a login name. Names of different kinds are always different."""

    kind: NameKind
    key: str


@dataclass(frozen=True)
class LoginNames:
    """The login names of a user, encrypted under the user's key; None for a kind that they do not have."""

    email: Personal | None = None
    phone: Personal | None = None
    username: Personal | None = None

    @classmethod
    def of(cls, user_id: UUID, email: str | None, phone: str | None, username: str | None) -> "LoginNames":
        """Return the names as personal values of the user."""
        return cls(sealed(user_id, email), sealed(user_id, phone), sealed(user_id, username))

    @property
    def revealed(self) -> tuple[str | None, str | None, str | None]:
        """Return the e-mail address, the phone number and the user name in clear."""
        return revealed(self.email), revealed(self.phone), revealed(self.username)

    def shown(self, chosen: ContactKind | None = None) -> str | None:
        """Return the login name that is shown: the chosen contact, the user name, the e-mail address or the number."""
        return shown_name(*self.revealed, chosen)


def shown_name(email: str | None, phone: str | None, username: str | None, chosen: ContactKind | None) -> str | None:
    """Return the login name that is shown: the chosen contact, the user name, the e-mail address or the number."""
    contact = {"email": email, "phone": phone, None: None}[chosen]
    return contact or username or email or phone


def folded(text: str) -> str:
    """Return the text in NFC and lower case, for comparison without case. It is not casefolded: "ß" is not "ss"."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def address_domain(domain: str) -> str:
    """Return the domain of an e-mail address in A-labels (IDNA 2008, UTS 46 non-transitional). Raises Invalid."""
    lower = domain.lower()
    if domain.isascii() and "xn--" not in lower:
        return lower
    try:
        return idna.encode(domain, uts46=True, transitional=False).decode("ascii")
    except idna.IDNAError:
        raise Invalid from None


def email_key(text: str) -> str:
    """Return the comparable form of an e-mail address: the local part in lower case, the domain in A-labels.

    An invalid domain is converted to lower case only. Requests with such an address are refused, and no user has one.
    """
    local, at, domain = text.rpartition("@")
    try:
        return folded(local) + at + address_domain(domain)
    except Invalid:
        return folded(text)


def normal_phone(text: str) -> str:
    """Return the phone number in E.164, or the text itself when it is not a phone number."""
    try:
        return phonenumbers.format_number(phonenumbers.parse(text, None), phonenumbers.PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        return text


def parse_login_name(text: str) -> LoginName:
    """Return the login name that a user typed. Its form decides its kind; surrounding blanks are ignored."""
    typed = text.strip()
    kind = _kind_of(typed)
    if kind == "email":
        return LoginName(kind, email_key(typed))
    return LoginName(kind, normal_phone(typed) if kind == "phone" else folded(typed))


def normal_login(text: str) -> str:
    """Return the comparable form of a user name, an e-mail address or a phone number."""
    return parse_login_name(text).key


def names_of(email: str | None, phone: str | None, username: str | None) -> list[LoginName]:
    """Return the login names that find this user. A user name that is an address or a number adds no name."""
    contacts = [parse_login_name(contact) for contact in (email, phone) if contact is not None]
    usernames = [] if username is None else [parse_login_name(username)]
    return contacts + [name for name in usernames if name.kind == "username"]


def finding_names(email: str | None, phone: str | None, username: str | None) -> list[LoginName]:
    """Return the login names by which an onboarding finds its person: the contacts, or else the user name."""
    return names_of(email, phone, None) or names_of(None, None, username)


def require_usable_username(username: str, email: str | None, phone: str | None) -> None:
    """Raise UnusableUserName or ForeignUserName when a user with these contacts cannot have this user name."""
    name = parse_login_name(username)
    if name.kind != "username":
        if name not in names_of(email, phone, None):
            raise ForeignUserName(argument="username")
    elif _INVISIBLE.search(username) or any(unicodedata.category(character) in _UNUSABLE for character in username):
        raise UnusableUserName(argument="username")


def is_blank(text: str) -> bool:
    """Return whether the text consists of blank, invisible and control characters only."""
    return all(unicodedata.category(character) in _UNUSABLE for character in _INVISIBLE.sub("", text))


def _kind_of(typed: str) -> NameKind:
    """Return the kind of the name in its compatibility form, in which a full-width "@" or "+" is an ordinary one."""
    form = unicodedata.normalize("NFKC", typed)
    if "@" in form:
        return "email"
    return "phone" if _DIALLED.fullmatch(form) else "username"
