"""Users as lists and detail pages show them, and the onboarding requests that brought them in (background)."""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import dict_row

from domain.access.roles import Role
from domain.core.audited import AuditContext
from domain.core.personal import Personal, revealed
from domain.onboarding.requests import OnboardingRequest
from domain.people.individuals import Individual
from domain.people.login_names import email_key, folded, normal_phone, parse_login_name, shown_name
from domain.people.sign_ups import SignUp
from domain.people.users import User
from projections.core.fold import Fold, handler
from projections.core.projection import PersonalColumns, Projection, Recorded
from projections.core.rows import Row, upsert
from projections.people import organization_people, user_requests
from projections.people.organization_people import OrganizationPeopleFold
from projections.people.user_requests import UserRequestsFold, touched_requests

COLUMNS = (
    "user_id", "classification", "account_type", "individual_id", "email", "phone", "username", "own_username",
    "login_contact", "first_name", "last_name", "birth_date", "communication_preferences", "locale", "tz",
    "assumed_locale", "assumed_tz", "email_verified", "phone_verified", "registered", "confirmed", "enabled",
    "reset_required", "archived", "registration_invite", "registration_completed_at", "auto_sign_up", "auto_confirm",
    "organization_ids", "default_organization_id", "created_by", "created_at", "modified_at", "username_key",
    "email_key", "email_text", "phone_key", "first_name_key", "last_name_key",
)  # fmt: skip

NAMES = ("email", "phone", "username")
"""What is shown of a user's names."""

PERSONAL = PersonalColumns(
    table="users",
    subject="user_id",
    columns=(
        *NAMES, "own_username", "first_name", "last_name", "birth_date", "communication_preferences", "username_key",
        "email_key", "email_text", "phone_key", "first_name_key", "last_name_key", "full_name_key",
    ),
)  # fmt: skip

NOTHING_YET: dict[str, Any] = {
    "account_type": "patient", "birth_date": None, "communication_preferences": None, "locale": None, "tz": None,
    "assumed_locale": None, "assumed_tz": None,
    "email_verified": False, "phone_verified": False, "registered": False, "confirmed": False, "enabled": True,
    "reset_required": False, "archived": False, "registration_invite": "none", "registration_completed_at": None,
    "auto_sign_up": False, "auto_confirm": False, "default_organization_id": None,
}  # fmt: skip


class PersonName(NamedTuple):
    """Somebody who did something."""

    id: UUID
    first_name: str | None
    last_name: str | None


async def names_of(cursor: AsyncCursor, user_ids: Iterable[UUID | None]) -> dict[UUID | None, PersonName]:
    """Return the names of users by their ids; ids of no user, or None, are left out."""
    await cursor.execute("SELECT user_id, first_name, last_name FROM users WHERE user_id = ANY(%s)", [list(user_ids)])
    return {row[0]: PersonName(*row) for row in await cursor.fetchall()}


class UsersFold(Fold):
    """The rows of users as a batch leaves them, from those that it may change as they are."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self.changed: dict[UUID, Row] = {}
        self._rows = {row["user_id"]: row for row in rows}
        self._of_individuals = {row["individual_id"]: row for row in self._rows.values()}

    @handler
    def create(self, event: User.Created) -> None:
        if event.kind == "person":
            row = _new(event)
            self._rows[event.originator_id] = self._of_individuals[event.individual_id] = row
            self._change(row, event)

    @handler
    def set_password(self, event: User.PasswordSet | User.PasswordReset | User.PasswordResetRequired) -> None:
        """Change the state; another password in the same state is no change of the user (ruling K148)."""
        if (row := self._rows.get(event.originator_id)) is not None:
            resets = {User.PasswordReset: False, User.PasswordResetRequired: True}
            required = resets.get(type(event), row["reset_required"])
            if (row["registered"], row["reset_required"]) != (True, required):
                self._change(row, event, registered=True, reset_required=required)

    @handler
    def change_roles(self, event: Role.Granted | Role.Revoked) -> None:
        if (row := self._rows.get(event.user_id)) is not None:
            self._change(row, event)

    @handler
    def change_profile(self, event: User.ProfileChanged) -> None:
        first, last = map(revealed, (event.first_name, event.last_name))
        names = {"first_name": first, "last_name": last, "first_name_key": _key(first), "last_name_key": _key(last)}
        self._change_user(event, **names, locale=event.locale, tz=event.tz)

    @handler
    def assume_region(self, event: User.RegionAssumed) -> None:
        self._change_user(event, assumed_locale=event.locale, assumed_tz=event.tz)

    @handler
    def change_contact(self, event: User.ContactChanged) -> None:
        if (row := self._rows.get(event.originator_id)) is not None:
            row[event.kind] = revealed(event.contact)
            row[f"{event.kind}_verified"] = False
            self._change(row, event, **_names_of(row))

    @handler
    def verify_contact(self, event: User.ContactVerified) -> None:
        self._change_user(event, **{f"{event.kind}_verified": True})

    @handler
    def choose_login_names(self, event: User.LoginNamesChosen) -> None:
        email, phone, username = event.names.revealed
        names = {"email": email, "phone": phone, "own_username": username, "login_contact": event.login_contact}
        self._change_user(event, **_names_of(names))

    @handler
    def undo_registration(self, event: User.RegistrationUndone) -> None:
        self._change_user(event, registered=False, **_names(*event.names.revealed))

    @handler
    def choose_login_name(self, event: User.LoginNameChosen) -> None:
        if (row := self._rows.get(event.originator_id)) is not None:
            row["login_contact"], row["own_username"] = event.kind, None
            self._change(row, event, **_names_of(row))

    @handler
    def classify(self, event: User.ClassificationChanged) -> None:
        self._change_user(event, classification=event.classification)

    @handler
    def archive(self, event: User.Archived) -> None:
        """Blank all personal values."""
        gone = dict.fromkeys(name for name in PERSONAL.columns if name in COLUMNS)
        self._change_user(event, **gone, archived=True, registered=False, email_verified=False, phone_verified=False)

    @handler
    def set_preferences(self, event: User.CommunicationPreferencesSet) -> None:
        self._change_user(event, communication_preferences=_parsed(event.preferences))

    @handler
    def confirm(self, event: User.Confirmed) -> None:
        if (row := self._rows.get(event.originator_id)) is not None:
            verified = {name: row[name] or getattr(event, name) for name in ("email_verified", "phone_verified")}
            self._change(row, event, confirmed=True, registration_completed_at=event.timestamp, **verified)

    @handler
    def take_over(self, event: User.TakenOver) -> None:
        names = _names(*event.names.revealed)
        verified = {"email_verified": event.email_verified, "phone_verified": event.phone_verified}
        registered = event.password_hash is not None
        self._change_user(event, registered=registered, reset_required=False, **names, **verified)

    @handler
    def release_names(self, event: User.LoginNamesReleased) -> None:
        if (row := self._rows.get(event.originator_id)) is not None:
            for kind in event.kinds:
                row["own_username" if kind == "username" else kind] = None
            self._change(row, event, **_names_of(row))

    @handler
    def enable(self, event: User.Enabled | User.Disabled) -> None:
        self._change_user(event, enabled=isinstance(event, User.Enabled))

    @handler
    def join(self, event: User.JoinedOrganization) -> None:
        if (row := self._rows.get(event.originator_id)) is not None:
            joined = [*row["organization_ids"], event.organization_id]
            self._change(row, event, organization_ids=joined, account_type="provider")

    @handler
    def leave(self, event: User.LeftOrganization) -> None:
        if (row := self._rows.get(event.originator_id)) is not None:
            left = [each for each in row["organization_ids"] if each != event.organization_id]
            self._change(row, event, organization_ids=left)

    @handler
    def change_default_organization(self, event: User.DefaultOrganizationChanged) -> None:
        self._change_user(event, default_organization_id=event.organization_id)

    @handler
    def mark_provider(self, event: Individual.Created | Individual.MarkedProvider) -> None:
        if (row := self._of_individuals.get(event.originator_id)) is not None:
            self._change(row, event, account_type="provider" if event.provider else "patient")

    @handler
    def sign_up(self, event: SignUp.Created) -> None:
        birth_date = revealed(event.birth_date)
        if birth_date is not None and (row := self._rows.get(event.user_id)) is not None:
            self._change(row, event, birth_date=birth_date)

    @handler
    def request(self, event: OnboardingRequest.Created) -> None:
        if event.new_user and (row := self._rows.get(event.user_id)) is not None:
            self._change(row, event, auto_sign_up=event.auto_sign_up, auto_confirm=event.auto_confirm)

    @handler
    def claim(self, event: OnboardingRequest.Claimed) -> None:
        if (row := self._rows.get(event.user_id)) is not None:
            self._change(row, event, registration_invite="accepted")

    def invite(self, user_id: UUID, state: str) -> None:
        """Tell whether the user's last invitation arrived, unless they have accepted one. It changes no profile."""
        row = self._rows.get(user_id)
        if row is not None and row["registration_invite"] != "accepted":
            row["registration_invite"] = state
            self.changed[user_id] = row

    def _change_user(self, event: Any, **values: Any) -> None:
        if (row := self._rows.get(event.originator_id)) is not None:
            self._change(row, event, **values)

    def _change(self, row: dict[str, Any], event: Any, **values: Any) -> None:
        row.update(values, modified_at=event.timestamp)
        self.changed[row["user_id"]] = row


class UsersProjection(Projection):
    """A batch is folded onto the rows it touches, which are read and written in one statement each."""

    name = "users"
    version = 7
    tables = ("users", user_requests.TABLE, *organization_people.TABLES)
    events = (*UsersFold.events, *UserRequestsFold.events, *OrganizationPeopleFold.events)
    personal = (PERSONAL, organization_people.PERSONAL)

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        about_users = [recorded for recorded in events if isinstance(recorded.event, UsersFold.events)]
        requests = await UserRequestsFold(await touched_requests(cursor, events)).add_all(events)
        fold = await UsersFold(await _touched(cursor, about_users, requests.states)).add_all(about_users)
        for user_id, state in requests.states.items():
            fold.invite(user_id, state)
        people = await OrganizationPeopleFold().add_all(events)
        await upsert(cursor, "users", ("user_id",), fold.changed.values())
        await people.write(cursor, fold.changed)
        await requests.write(cursor)


async def _touched(cursor: AsyncCursor, events: Sequence[Recorded], others: Collection[UUID]) -> list[dict[str, Any]]:
    """Return the rows of the users that events are about, directly or by their individuals, and of others."""
    ids = {*others} | {
        each for _, event in events for each in (event.originator_id, getattr(event, "user_id", None)) if each
    }
    rows = cursor.connection.cursor(row_factory=dict_row)
    await rows.execute(
        f"SELECT {', '.join(COLUMNS)} FROM users WHERE user_id = ANY(%(ids)s) OR individual_id = ANY(%(ids)s)",
        {"ids": list(ids)},
    )
    return await rows.fetchall()


def _new(event: User.Created) -> dict[str, Any]:
    by: AuditContext = event.by
    first, last = map(revealed, (event.first_name, event.last_name))
    return (
        NOTHING_YET
        | _names(*event.names.revealed)
        | {
            "user_id": event.originator_id,
            "classification": event.classification,
            "individual_id": event.individual_id,
            "first_name": first,
            "last_name": last,
            "first_name_key": _key(first),
            "last_name_key": _key(last),
            "organization_ids": [],
            "created_by": by.actor,
            "created_at": event.timestamp,
            "modified_at": event.timestamp,
        }
    )


def _names(email: str | None, phone: str | None, username: str | None) -> dict[str, Any]:
    """Return what is shown and compared of the names of a user who has not chosen one of them as their login name."""
    return _names_of({"email": email, "phone": phone, "own_username": username, "login_contact": None})


def _names_of(row: Row) -> dict[str, Any]:
    """Return what is shown and compared of the names in the row."""
    email, phone, username, chosen = (row[name] for name in ("email", "phone", "own_username", "login_contact"))
    shown = shown_name(email, phone, username, chosen)
    return {
        "email": email,
        "phone": phone,
        "own_username": username,
        "login_contact": chosen,
        "username": shown,
        "username_key": None if shown is None else parse_login_name(shown).key,
        "email_key": None if email is None else email_key(email),
        "email_text": _key(email),
        "phone_key": None if phone is None else normal_phone(phone),
    }


def _key(text: str | None) -> str | None:
    return None if text is None else folded(text)


def _parsed(personal: Personal) -> Any:
    value = revealed(personal)
    return None if value is None else json.loads(value)
