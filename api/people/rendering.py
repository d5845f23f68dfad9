"""Users as their callers may see them: all attributes, or the basic ones (ruling E10)."""

from collections.abc import Collection
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from api.documents.people import users as documents
from api.documents.people.people import CommunicationPreferences
from api.edge.execution import Outcome
from api.edge.reading import Read, Reading, reading
from api.services import services_of
from domain.application import Identity
from domain.core.personal import revealed
from domain.core.principal import Principal
from domain.people.sign_ups import SignUp
from domain.people.users import User, UserNotFound
from projections.core.visibility import Viewer, viewer
from projections.onboarding import requests as onboarding_requests
from projections.people import user_details, user_lists
from projections.people.user_details import Surroundings
from projections.people.user_lists import UserRow
from projections.people.users import UsersProjection

MODEL = UsersProjection.name


class ShowUser:
    """Renders the answer to a command on a user."""

    def __init__(self, identity: Identity, reading: Reading) -> None:
        self._identity = identity
        self._reading = reading

    async def __call__(self, principal: Principal, outcome: Outcome) -> Response:
        """Return the user; the answer to a repeated request shows what the caller may still read."""
        user_id = outcome.made
        if outcome.repeated:
            await self._identity.permissions.require_readable_user(principal, user_id)

        async def respond(read: Read) -> Response:
            row = await user_lists.user(read.cursor, user_id)
            if row is None or not read.current:
                row = UserRow.of(await self._identity.store.get(User, user_id), row)
            caller = await viewer(read.cursor, principal.user_id)
            whole = not outcome.repeated or await _reads_whole(read, principal, caller, user_id)
            attributes = await attributes_of(read, [row], None, caller if whole else None)
            resource = documents.UserResource.model_construct(attributes=attributes[user_id], id=user_id)
            return read.single(documents.UserDocument, resource, outcome.status)

        return await self._reading.read_after(outcome, (MODEL,), respond)


async def show_user(request: Request) -> ShowUser:
    """Return what renders the answers to commands on users."""
    return ShowUser(services_of(request).identity, await reading(request))


ShowUserDep = Annotated[ShowUser, Depends(show_user)]


async def attributes_of(
    read: Read, rows: list[UserRow], organization_id: UUID | None, caller: Viewer | None
) -> dict[UUID, documents.UserAttributes]:
    """Return the attributes by user id: all that `caller` may see, or the basic ones if it is None (E10)."""
    if caller is None or not rows:
        return {row.user_id: documents.UserAttributes.model_construct(**_basic(row)) for row in rows}
    around = await user_details.surroundings(read.cursor, [row.user_id for row in rows], caller)
    return {
        row.user_id: documents.UserAttributes.model_construct(**_whole(row, around, organization_id)) for row in rows
    }


async def listed_attributes(
    read: Read, rows: list[UserRow], organization_id: UUID | None, caller: Viewer | None
) -> dict[UUID, documents.UserAttributes]:
    """Return what `attributes_of` does; of archived users only their state and dates (ruling K75)."""
    attributes = await attributes_of(read, [row for row in rows if not row.archived], organization_id, caller)
    archived = {row.user_id: documents.UserAttributes.model_construct(**_archived(row)) for row in rows if row.archived}
    return attributes | archived


async def detail(
    read: Read, principal: Principal, user_id: UUID, query: documents.UserQuery, sign_up: SignUp | None
) -> documents.UserDetailAttributes:
    """Return the attributes of one user, who may have registered themselves. Raises UserNotFound."""
    row = await _row(read, user_id)
    caller = await viewer(read.cursor, principal.user_id)
    unlimited = principal.reads_all or principal.user_id == user_id
    administered = caller.administers & await user_details.insides(read.cursor, user_id)
    if not (unlimited or administered):
        return documents.UserDetailAttributes.model_construct(**_basic(row))
    around = await user_details.surroundings(read.cursor, [user_id], caller)
    attributes = _whole(row, around, query.organization_id, None if unlimited else administered)
    # of organizations that they do not administer, administrators see only the existence
    limits = None if unlimited else list(administered)
    organizations = await user_details.organizations_of(read.cursor, user_id, limits)
    attributes["organizations"] = [
        documents.UserOrganizationRef.model_construct(**organization._asdict()) for organization in organizations
    ]
    if query.with_roles:
        held = await user_details.roles_of(read.cursor, user_id, limits)
        attributes["roles"] = [
            documents.UserRole.model_construct(**role._asdict())
            for role in held
            if query.organization_id in (None, role.organization_id)
        ]
    if query.with_signups:
        requests = await onboarding_requests.requests_of(read.cursor, user_id, limits)
        attributes["onboarding_requests"] = [documents.OnboardingRequestRef(id=request_id) for request_id in requests]
        attributes |= _of_sign_up(sign_up, caller, principal, archived=row.archived)
    return documents.UserDetailAttributes.model_construct(**attributes)


def _of_sign_up(sign_up: SignUp | None, caller: Viewer, principal: Principal, *, archived: bool) -> dict[str, Any]:
    """Return the sign-ups with codes that the caller may know of.

    Not all of them may read its data (ruling K78), and nobody that of an archived user (ruling K143).
    """
    if sign_up is None:
        return {"org_code_signup_requests": []}
    own = principal.user_id == sign_up.user_id
    administered = sign_up.organization_id in caller.administers
    if not (own or administered or principal.reads_all):
        return {"org_code_signup_requests": []}
    reference = documents.OrganizationCodeSignUpRef(id=sign_up.id, organization_code_id=sign_up.code)
    readable = not archived and (own or administered or principal.service)
    data = revealed(sign_up.enrollment_data) if readable else None
    return {
        "org_code_signup_requests": [reference],
        "enrollment_data": None if data is None else orjson.loads(data),
    }


def account(service: User) -> documents.UserDetailAttributes:
    """Return a service account as it sees itself, from its events; attributes that only people have are null."""
    return documents.UserDetailAttributes.model_construct(
        classification=service.classification,
        enabled=service.enabled,
        organization_ids=[],
        state=service.state,
        username=service.login_name,
    )


async def _row(read: Read, user_id: UUID) -> UserRow:
    row = await user_lists.user(read.cursor, user_id)
    if row is None:
        raise UserNotFound
    return row


async def _reads_whole(read: Read, principal: Principal, caller: Viewer, user_id: UUID) -> bool:
    if principal.reads_all or principal.user_id == user_id:
        return True
    return bool(caller.administers & await user_details.insides(read.cursor, user_id))


def _archived(row: UserRow) -> dict[str, Any]:
    """Return the attributes of an archived user in a list."""
    return {
        "date_created": row.created_at,
        "date_last_modified": row.modified_at,
        "enabled": None,
        "last_modified_time": row.modified_at,
        "organization_ids": None,
        "state": row.state,
    }


def _status(row: UserRow) -> str:
    """Return the status in the terms of Amazon Cognito (semantics, section 3; ruling K79)."""
    if row.archived:
        return "ARCHIVED"
    if row.confirmed:
        return "RESET_REQUIRED" if row.reset_required else "CONFIRMED"
    return "UNCONFIRMED"


def _basic(row: UserRow) -> dict[str, Any]:
    """Return the attributes that every caller who may see the user may see (ruling E10)."""
    return {
        "email": row.email,
        "enabled": row.enabled and not row.archived,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "organization_ids": row.organization_ids,
        "state": row.state,
        "username": row.username,
    }


def _whole(
    row: UserRow, around: Surroundings, organization_id: UUID | None, administered: Collection[UUID] | None = None
) -> dict[str, Any]:
    """Return all attributes, but those about administered organizations only for the `administered` ones, if given."""
    administers = {
        organization_id
        for organization_id in around.administers.get(row.user_id, ())
        if administered is None or organization_id in administered
    }
    further = around.further_individuals.get(row.user_id, [])
    shares = around.shares.get(row.user_id, [])
    access = around.access.get(row.user_id)
    return _basic(row) | {
        "additional_individuals": [documents.AdditionalIndividual(id=individual_id) for individual_id in further],
        "authz_last_event_time": None if access is None else access.latest_event_at,
        "authz_last_populated_time": None if access is None else access.last_populated_at,
        "auto_confirm": row.auto_confirm,
        "auto_sign_up": row.auto_sign_up,
        "birth_date": row.birth_date,
        "classification": row.classification,
        "communication_preferences": CommunicationPreferences.stored(row.communication_preferences),
        "date_created": row.created_at,
        "date_last_modified": row.modified_at,
        "default_organization_id": row.default_organization_id,
        "email_verified": row.email_verified,
        "last_login_time": around.last_logins.get(row.user_id),
        "last_modified_time": row.modified_at,
        "locale": row.locale or row.assumed_locale,
        "locale_explicit": row.locale is not None,
        "organization_admin": organization_id in administers if organization_id else bool(administers),
        "organization_count": len(row.organization_ids),
        "organization_id": row.current_organization,
        "phone": row.phone,
        "phone_type": "",
        "phone_verified": row.phone_verified,
        "primary_individual_id": row.individual_id,
        "registered": row.registered,
        "registration_completed_time": row.registration_completed_at,
        "registration_invite": row.registration_invite,
        "shared_with": [
            documents.SharedWith.model_construct(
                display_name=share.display_name, id=share.id, name=share.name, type=share.type
            )
            for share in shares
        ],
        "status": _status(row),
        "tz": row.tz or row.assumed_tz,
        "tz_explicit": row.tz is not None,
    }
