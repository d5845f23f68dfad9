"""Random changes to accounts, for the random histories."""

from collections.abc import Callable
from random import Random
from uuid import UUID, uuid4

from domain.core.audited import Audited
from domain.onboarding.agreements import AgreedDocuments
from domain.people.login_names import ContactKind, LoginNames
from domain.people.security_notices import notices_of
from domain.people.user_state import Profile
from domain.people.users import LastContact, UnverifiedLoginName, User
from domain.people.verification_codes import CodeDerivation, CodeLifetimes, VerificationCodes

CONTACTS: list[ContactKind] = ["email", "phone"]
NAMES = ["Ana", "Ben", None]


class AccountChanges:
    """Changes one account at a time. `free_email` returns an address that nobody has."""

    def __init__(self, randomness: Random, free_email: Callable[[], str]) -> None:
        self._random = randomness
        self._free_email = free_email
        self._codes: dict[UUID, VerificationCodes] = {}
        self._agreed: dict[UUID, AgreedDocuments] = {}
        self._derivation = CodeDerivation(lambda kind, value: f"{kind}:{value}".encode(), CodeLifetimes(60, 60, 60))

    def change(self, user: User) -> list[Audited]:
        """Change the account in one way, if that is possible. Return what to save."""
        names = (self._contact, self._choose_names, self._verify)
        changes = (*names, self._profile, self._password, self._classify, self._code, self.agree)
        return [user, *self._random.choice(changes)(user)]

    def _profile(self, user: User) -> list[Audited]:
        first, last = self._random.choice(NAMES), self._random.choice(NAMES)
        user.change_profile(Profile(first, last, self._random.choice(["es_US", None]), "UTC"))
        user.assume_region(locale="en_US", tz=self._random.choice(["UTC", "Europe/Madrid"]))
        return []

    def _contact(self, user: User) -> list[Audited]:
        kind = self._random.choice(CONTACTS)
        contact = self._free_email() if kind == "email" else f"+1202555{self._random.randrange(10_000):04}"
        try:
            user.change_contact(kind, self._random.choice([contact, contact, None]))
        except LastContact:
            return []
        return [*notices_of(user, "email-changed", former_address="former@example.org")]

    def _choose_names(self, user: User) -> list[Audited]:
        chosen = self._random.choice([*CONTACTS, None])
        if chosen is None:  # whether or not they are confirmed, which all of them are
            user.trigger_event(User.RegistrationUndone, names=user.names)
        if chosen is None or getattr(user.names, chosen) is not None:
            user.choose_login_names(LoginNames.of(user.id, *user.names.revealed[:2], f"name-{uuid4()}"), chosen)
        return []

    def _verify(self, user: User) -> list[Audited]:
        kind = self._random.choice(CONTACTS)
        if getattr(user.names, kind) is not None:
            user.verify_contact(kind)
        try:
            user.choose_login_name(kind)
        except UnverifiedLoginName:
            return []
        return []

    def _password(self, user: User) -> list[Audited]:
        ends = self._random.random() < 0.5
        if self._random.random() < 0.4:
            user.change_password("hashed", session_id=uuid4(), ends_others=ends)
        elif self._random.random() < 0.5 and user.confirmed:
            user.require_password_reset("hashed", ends_sessions=ends)
        else:
            user.reset_password("hashed")
        return []

    def _classify(self, user: User) -> list[Audited]:
        user.classify(self._random.choice(["customer", "carium"]))
        return []

    def _code(self, user: User) -> list[Audited]:
        codes = self._codes.setdefault(user.id, VerificationCodes.create(user.id))
        codes.issue(self._derivation, "confirm", "email", "verify-email")
        return [codes]

    def agree(self, user: User) -> list[Audited]:
        """Let the user agree to a service document, often after their earlier agreements were forgotten."""
        agreed = self._agreed.setdefault(user.id, AgreedDocuments.create(user.id))
        if self._random.random() < 0.4:
            agreed.forget()
        if self._random.random() < 0.8 or not agreed.document_ids:
            agreed.agree([uuid4()])
        return [agreed]
