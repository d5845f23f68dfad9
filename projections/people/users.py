"""Users as lists and detail pages show them, and the onboarding requests that brought them in (background)."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from psycopg import AsyncCursor
from psycopg.rows import dict_row

from domain.core.audited import AuditContext
from domain.core.personal import Personal, revealed
from domain.onboarding.requests import OnboardingRequest
from domain.people.individuals import Individual
from domain.people.login_names import email_key, folded, login_name, normal_phone
from domain.people.users import User
from projections.core.projection import Event, Projection, Recorded
from projections.core.rows import write
from projections.people import user_places
from projections.people.user_places import Places

COLUMNS = (
    "user_id", "classification", "account_type", "individual_id", "email", "phone", "username", "first_name",
    "last_name", "birth_date", "communication_preferences", "locale", "tz", "email_verified", "phone_verified",
    "registered", "confirmed", "enabled", "reset_required", "archived", "registration_invite",
    "registration_completed_at", "auto_sign_up", "auto_confirm", "organization_ids", "default_organization_id",
    "created_by", "created_at", "modified_at", "username_key", "email_key", "email_text", "phone_key", "first_name_key",
    "last_name_key",
)  # fmt: skip

NAMES = ("email", "phone", "username")

NOTHING_YET: dict[str, Any] = {
    "account_type": "patient", "birth_date": None, "communication_preferences": None, "locale": None, "tz": None,
    "email_verified": False, "phone_verified": False, "registered": False, "confirmed": False, "enabled": True,
    "reset_required": False, "archived": False, "registration_invite": "none", "registration_completed_at": None,
    "auto_sign_up": False, "auto_confirm": False, "default_organization_id": None,
}  # fmt: skip

UPSERT = f"""
INSERT INTO users ({", ".join(COLUMNS)})
SELECT {", ".join(COLUMNS)} FROM jsonb_populate_recordset(NULL::users, %s::jsonb)
ON CONFLICT (user_id) DO UPDATE SET {", ".join(f"{name} = EXCLUDED.{name}" for name in COLUMNS[1:])}
"""

ADD_REQUESTS = """
INSERT INTO user_onboarding_requests (request_id, user_id, organization_id)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[])
"""
Row = dict[str, Any]


class PersonName(NamedTuple):
    """Somebody who did something."""

    id: UUID
    first_name: str | None
    last_name: str | None


async def names_of(cursor: AsyncCursor, user_ids: Iterable[UUID | None]) -> dict[UUID | None, PersonName]:
    """Return the names of users by their ids; ids of no user, or None, are left out."""
    await cursor.execute("SELECT user_id, first_name, last_name FROM users WHERE user_id = ANY(%s)", [list(user_ids)])
    return {row[0]: PersonName(*row) for row in await cursor.fetchall()}


class UsersProjection(Projection):
    """A batch is folded onto the rows it touches, which are read and written in one statement each."""

    name = "users"
    version = 4
    tables = ("users", "user_onboarding_requests", *user_places.TABLES)
    events = (
        User.Created,
        User.PasswordSet,
        User.CommunicationPreferencesSet,
        User.Confirmed,
        User.TakenOver,
        User.LoginNamesReleased,
        User.Disabled,
        User.Enabled,
        User.JoinedOrganization,
        User.LeftOrganization,
        User.DefaultOrganizationChanged,
        Individual.MarkedProvider,
        *user_places.EVENTS,
        OnboardingRequest.Created,
        OnboardingRequest.Claimed,
    )

    async def apply(self, cursor: AsyncCursor, events: Sequence[Recorded]) -> None:
        rows = await _touched(cursor, events)
        of_individual = {row["individual_id"]: row for row in rows.values()}
        requests: list[tuple[UUID, UUID, UUID]] = []
        places = Places()
        for _, event in events:
            places.add(event)
            match event:
                case User.Created(kind="person", individual_id=individual_id):
                    rows[event.originator_id] = of_individual[individual_id] = _new(event)
                case Individual.Created() | Individual.MarkedProvider():
                    _mark_provider(of_individual.get(event.originator_id), event)
                case OnboardingRequest.Created(user_id=user_id, organization_id=organization_id):
                    requests.append((event.originator_id, user_id, organization_id))
                    _fold_request(rows.get(user_id), event)
                case OnboardingRequest.Claimed(user_id=user_id):
                    _change(rows.get(user_id), event, registration_invite="accepted")
                case _:
                    _fold(rows.get(event.originator_id), event)
        if rows:
            await cursor.execute(UPSERT, [orjson.dumps(list(rows.values())).decode()])
        await places.write(cursor, rows)
        await write(cursor, ADD_REQUESTS, requests)


async def _touched(cursor: AsyncCursor, events: Sequence[Recorded]) -> dict[UUID, Row]:
    """The rows that the batch may change, as they are."""
    users: set[UUID] = set()
    individuals: set[UUID] = set()
    for _, event in events:
        match event:
            case Individual.Created() | Individual.MarkedProvider():
                individuals.add(event.originator_id)
            case OnboardingRequest.Created(user_id=user_id) | OnboardingRequest.Claimed(user_id=user_id):
                users.add(user_id)
            case (
                Individual.OwnerChanged() | Individual.SharedWithOrganization() | Individual.UnsharedFromOrganization()
            ):
                pass
            case _:
                users.add(event.originator_id)
    rows = cursor.connection.cursor(row_factory=dict_row)
    await rows.execute(
        f"SELECT {', '.join(COLUMNS)} FROM users WHERE user_id = ANY(%s) OR individual_id = ANY(%s)",
        [list(users), list(individuals)],
    )
    return {row["user_id"]: row async for row in rows}


def _new(event: User.Created) -> Row:
    by: AuditContext = event.by
    first, last = map(revealed, (event.first_name, event.last_name))
    return (
        NOTHING_YET
        | _names(*map(revealed, (event.email, event.phone, event.username)))
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


def _fold(row: Row | None, event: Event) -> None:
    match event:
        case User.PasswordSet():
            _change(row, event, registered=True)
        case User.CommunicationPreferencesSet(preferences=preferences):
            _change(row, event, communication_preferences=_parsed(preferences))
        case User.Confirmed() if row is not None:
            _change(row, event, confirmed=True, registration_completed_at=event.timestamp, **_verified(row, event))
        case User.TakenOver() if row is not None:
            given = _names(*map(revealed, (event.email, event.phone, event.username)))
            verified = {"email_verified": event.email_verified, "phone_verified": event.phone_verified}
            _change(row, event, registered=event.password_hash is not None, **given, **verified)
        case User.LoginNamesReleased(names=names) if row is not None:
            released = {row[name] for name in names}
            _change(row, event, **_names(*(None if row[name] in released else row[name] for name in NAMES)))
        case User.Disabled() | User.Enabled():
            _change(row, event, enabled=isinstance(event, User.Enabled))
        case User.JoinedOrganization(organization_id=organization_id) if row is not None:
            _change(row, event, organization_ids=[*row["organization_ids"], organization_id], account_type="provider")
        case User.LeftOrganization(organization_id=organization_id) if row is not None:
            _change(row, event, organization_ids=[each for each in row["organization_ids"] if each != organization_id])
        case User.DefaultOrganizationChanged(organization_id=organization_id):
            _change(row, event, default_organization_id=organization_id)
        case _:
            pass


def _mark_provider(row: Row | None, event: Individual.Created | Individual.MarkedProvider) -> None:
    if row is not None:
        _change(row, event, account_type="provider" if event.provider else "patient")


def _fold_request(row: Row | None, event: OnboardingRequest.Created) -> None:
    """A request about somebody known changes nothing of him."""
    if event.new_user:
        _change(row, event, auto_sign_up=event.auto_sign_up, auto_confirm=event.auto_confirm)


def _change(row: Row | None, event: Event, **values: Any) -> None:
    if row is not None:
        row.update(values, modified_at=event.timestamp)


def _names(email: str | None, phone: str | None, username: str | None) -> Row:
    """What is shown and compared of a user's names."""
    shown = username or email or phone
    return {
        "email": email,
        "phone": phone,
        "username": shown,
        "username_key": None if shown is None else login_name(shown).key,
        "email_key": None if email is None else email_key(email),
        "email_text": _key(email),
        "phone_key": None if phone is None else normal_phone(phone),
    }


def _verified(row: Row, event: User.Confirmed) -> Row:
    return {name: row[name] or getattr(event, name) for name in ("email_verified", "phone_verified")}


def _key(text: str | None) -> str | None:
    return None if text is None else folded(text)


def _parsed(personal: Personal) -> Any:
    value = revealed(personal)
    return None if value is None else json.loads(value)
