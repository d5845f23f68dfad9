"""What is known of a user, and what follows from it."""

from dataclasses import field
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from domain.core.audited import Audited
from domain.core.personal import Personal, revealed
from domain.people.login_names import ContactKind, LoginName, LoginNames, parse_login_name

Kind = Literal["person", "service"]
STAFF = "carium"
"""The classification of the operator's own organization and of its users."""


class Profile(NamedTuple):
    """What a person says of themselves; None for what they did not say."""

    first_name: str | None
    last_name: str | None
    locale: str | None
    tz: str | None


class UserState(Audited):
    """The attributes of a person or a service account.

    `provisional_in` is the organization to which a user is limited who never verified a contact. `state` is derived
    from the attributes (semantics, section 3). `organizations` maps the ids of the organizations whose provider the
    user is to the times at which they joined.
    """

    kind: Kind
    classification: str
    individual_id: UUID | None
    names: LoginNames
    first_name: Personal | None
    last_name: Personal | None
    provisional_in: UUID | None
    password_hash: Personal | None = None
    locale: str | None = None
    tz: str | None = None
    assumed_locale: str | None = None
    assumed_tz: str | None = None
    confirmed: bool = False
    email_verified: bool = False
    phone_verified: bool = False
    enabled: bool = True
    reset_required: bool = False
    reset_kept_sessions: bool = False
    archived: bool = False
    login_contact: ContactKind | None = None
    communication_preferences: Personal | None = None
    organizations: dict[UUID, datetime] = field(default_factory=dict)
    former_organizations: dict[UUID, datetime] = field(default_factory=dict)
    default_organization_id: UUID | None = None
    further_individuals: list[UUID] = field(default_factory=list)

    @property
    def login_name(self) -> str | None:
        """Return the contract's `username`: the chosen name, else the e-mail address, else the phone number."""
        return self.names.shown(self.login_contact)

    @property
    def individuals(self) -> list[UUID]:
        """Return the user's individuals, the primary one first; until the claim an organization owns that one."""
        return ([] if self.individual_id is None else [self.individual_id]) + self.further_individuals

    @property
    def current_organization(self) -> UUID | None:
        """Return the organization of a new session: the default one if the user is in it, else the oldest (C5)."""
        if self.default_organization_id in self.organizations:
            return self.default_organization_id
        return next(iter(self.organizations), None)

    @property
    def state(self) -> str:
        """Return the contract's account state."""
        if self.archived:
            return "archived"
        if not self.enabled:
            return "disabled" if self.confirmed else "registered_disabled"
        if self.confirmed:
            return "force_reset_password" if self.reset_required else "confirmed"
        return "registered" if self.password_hash else "init"

    @property
    def provisional(self) -> bool:
        """Return whether the user is limited to one organization, because they never verified a contact (O1)."""
        return self.provisional_in is not None

    @property
    def live(self) -> bool:
        """Return whether the user may use their rights (semantics, 6.2: the gate; ruling K64)."""
        return self.confirmed and self.enabled and not self.archived

    def is_staff_of(self, organization_id: UUID) -> bool:
        """Return whether the user is staff and a provider of the organization (ruling O4)."""
        return self.classification == STAFF and organization_id in self.organizations

    def is_verified(self, kind: ContactKind) -> bool:
        """Return whether the contact is verified."""
        return self.email_verified if kind == "email" else self.phone_verified

    def is_meant_by(self, name: LoginName) -> bool:
        """Return whether somebody who names a person by this login name of the user means the user (ruling O2).

        That is not so for a contact that a person changed to and has not proved: it may be anybody's.
        """
        held = revealed(getattr(self.names, name.kind))
        proved = name.kind == "username" or self.is_verified(name.kind) or self.provisional or not self.confirmed
        return proved and held is not None and parse_login_name(held) == name

    @property
    def profile(self) -> Profile:
        """Return what people say of themselves."""
        return Profile(revealed(self.first_name), revealed(self.last_name), self.locale, self.tz)
