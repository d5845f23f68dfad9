"""/v1/users/: users, as callers who work with them may see them."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any
from uuid import UUID

from starlette.responses import Response

from api.documents.people import users as documents
from api.documents.people.people import CommunicationPreferences
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, IdentityDep, PathId, ReadingDep
from api.edge.execution import Outcome
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from domain.application import Identity
from domain.core.errors import Forbidden, InvalidParameter
from domain.core.principal import Principal
from domain.organizations.organizations import OrganizationNotFound
from domain.people.users import User, UserNotFound
from projections.core.visibility import Viewer, viewer
from projections.onboarding import requests as onboarding_requests
from projections.people import user_details, user_lists
from projections.people.user_details import Surroundings
from projections.people.user_lists import UserFilter, UserRow
from projections.people.users import UsersProjection

router = contract_router("users", "Accounts of people and services.")
MODEL = UsersProjection.name
STATUS = {"archived": "ARCHIVED", "force_reset_password": "RESET_REQUIRED"}


@router.get("/v1/users/", **answers(documents.UserList))
async def list_users(
    query: FromQuery[documents.UserListQuery], principal: Authenticated, reading: ReadingDep
) -> Response:
    """Return the users of an organization, or all users for staff and services."""

    async def respond(read: Read) -> Response:
        sees = await viewer(read.cursor, principal.user_id)
        require_listable(principal, sees, query)
        whole = principal.reads_all or query.organization_id in sees.administers
        rows, total = await user_lists.users_page(
            read.cursor,
            visible_filter(await user_filter(read, query), sees, whole=whole),
            sort=query.sort_by[0] if query.sort_by else "id",
            **query.page,
        )
        attributes = await attributes_of(read, rows, query.organization_id, sees if whole else None)
        resources = [
            documents.UserResource.model_construct(attributes=attributes[row.user_id], id=row.user_id) for row in rows
        ]
        return read.listing(documents.UserList, resources, query, total)

    return await reading.read((MODEL,), respond)


@router.get("/v1/users/{id}/", **answers(documents.UserDetailDocument))
async def get_user(
    user_id: PathId,
    query: FromQuery[documents.UserQuery],
    principal: Authenticated,
    identity: IdentityDep,
    reading: ReadingDep,
) -> Response:
    """Return the caller, or a user in an organization that the caller works in."""
    await identity.permissions.require_readable_user(principal, user_id)
    if principal.service and user_id == principal.user_id:
        return await _account(reading, await identity.store.get(User, user_id))

    async def respond(read: Read) -> Response:
        attributes = await _detail(read, principal, user_id, query)
        resource = documents.UserDetailResource.model_construct(attributes=attributes, id=user_id)
        return read.single(documents.UserDetailDocument, resource)

    return await reading.read((MODEL,), respond)


@router.post("/v1/users/{id}/disable/", **answers(documents.UserDocument, 201))
async def user_disable(
    user_id: PathId, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep, reading: ReadingDep
) -> Response:
    """Disable a user: end their sessions, suspend their rights, and refuse further logins."""
    outcome = await execute(identity.users.disable(principal, user_id), about=user_id)
    return await _shown(identity, reading, principal, outcome)


@router.post("/v1/users/{id}/enable/", **answers(documents.UserDocument, 201))
async def user_enable(
    user_id: PathId, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep, reading: ReadingDep
) -> Response:
    """Enable a user, who may sign in again."""
    outcome = await execute(identity.users.enable(principal, user_id), about=user_id)
    return await _shown(identity, reading, principal, outcome)


def require_listable(principal: Principal, sees: Viewer, query: documents.UserListQuery) -> None:
    """Raise Forbidden to participants, InvalidParameter for a query without an organization, OrganizationNotFound."""
    if principal.reads_all:
        return
    if not sees.works_in:
        raise Forbidden
    if query.organization_id is None:
        raise InvalidParameter("Input should name one of your organizations.", argument="organization_id")
    if query.organization_id not in sees.works_in:
        raise OrganizationNotFound(argument="organization_id")
    if query.classification is not None:
        raise Forbidden(argument="classification")


async def user_filter(read: Read, query: documents.UserListQuery) -> UserFilter:
    """Return the filters of the query. Testers are included unless the query excludes them."""
    sharee = query.shared_with_id
    with_organization = sharee is not None and await user_lists.is_organization(read.cursor, sharee)
    return UserFilter(
        organization=query.organization_id,
        participants=query.include_participants,
        inactive=query.include_inactive,
        unverified=query.include_unverified,
        testers=query.include_tester is not False,
        administrators=bool(query.organization_admin),
        email=query.email,
        phone=query.phone_number,
        username=query.username,
        text=query.text,
        classification=query.classification,
        email_verified=query.email_verified,
        enabled=query.enabled,
        shared_with_organization=sharee if with_organization else None,
        shared_with_user=None if with_organization else sharee,
        individuals=query.primary_individual_ids,
        invites=query.registration_invite,
        modified=[(bound.comparator, bound.moment) for bound in query.modified],
    )


def visible_filter(filters: UserFilter, sees: Viewer, *, whole: bool) -> UserFilter:
    """Return the filter on the attributes that the caller may see; hidden attributes never match (ruling O9)."""
    if not whole:
        return replace(filters, nobody=filters.hidden, testers=True)
    sharee = filters.shared_with_organization or filters.shared_with_user
    return replace(filters, nobody=sharee is not None and not sees.sees_shares_with(sharee))


async def attributes_of(
    read: Read, rows: list[UserRow], organization_id: UUID | None, sees: Viewer | None
) -> dict[UUID, documents.UserAttributes]:
    """Return the attributes by user id: all that `sees` may see, or the basic ones if it is None (E10)."""
    if sees is None or not rows:
        return {row.user_id: documents.UserAttributes.model_construct(**_basic(row)) for row in rows}
    around = await user_details.surroundings(read.cursor, [row.user_id for row in rows], sees)
    return {
        row.user_id: documents.UserAttributes.model_construct(**_whole(row, around, organization_id)) for row in rows
    }


async def _detail(
    read: Read, principal: Principal, user_id: UUID, query: documents.UserQuery
) -> documents.UserDetailAttributes:
    row = await _row(read, user_id)
    sees = await viewer(read.cursor, principal.user_id)
    unlimited = principal.reads_all or principal.user_id == user_id
    administered = sees.administers & await user_details.insides(read.cursor, user_id)
    if not (unlimited or administered):
        return documents.UserDetailAttributes.model_construct(**_basic(row))
    around = await user_details.surroundings(read.cursor, [user_id], sees)
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
        attributes["org_code_signup_requests"] = []
    return documents.UserDetailAttributes.model_construct(**attributes)


async def _account(reading: ReadingDep, service: User) -> Response:
    """Return a service account as it sees itself, from its events; attributes that only people have are null."""

    async def respond(read: Read) -> Response:
        attributes = documents.UserDetailAttributes.model_construct(
            classification=service.classification,
            enabled=service.enabled,
            organization_ids=[],
            state=service.state,
            username=service.login_name,
        )
        return read.single(
            documents.UserDetailDocument,
            documents.UserDetailResource.model_construct(attributes=attributes, id=service.id),
        )

    return await reading.read((), respond)


async def _row(read: Read, user_id: UUID) -> UserRow:
    row = await user_lists.user(read.cursor, user_id)
    if row is None:
        raise UserNotFound
    return row


async def _shown(identity: Identity, reading: ReadingDep, principal: Principal, outcome: Outcome) -> Response:
    """Return the user after the command; the answer to a repeated request shows what the caller may still read."""
    user_id = outcome.made
    if outcome.repeated:
        await identity.permissions.require_readable_user(principal, user_id)

    async def respond(read: Read) -> Response:
        row = await user_lists.user(read.cursor, user_id)
        if row is None or not read.current:
            row = UserRow.of(await identity.store.get(User, user_id), row)
        sees = await viewer(read.cursor, principal.user_id)
        whole = not outcome.repeated or await _reads_whole(read, principal, sees, user_id)
        attributes = await attributes_of(read, [row], None, sees if whole else None)
        resource = documents.UserResource.model_construct(attributes=attributes[user_id], id=user_id)
        return read.single(documents.UserDocument, resource, outcome.status)

    return await reading.read_after(outcome, (MODEL,), respond)


async def _reads_whole(read: Read, principal: Principal, sees: Viewer, user_id: UUID) -> bool:
    if principal.reads_all or principal.user_id == user_id:
        return True
    return bool(sees.administers & await user_details.insides(read.cursor, user_id))


def _basic(row: UserRow) -> dict[str, Any]:
    """Return the attributes that every caller who may see the user may see (ruling E10)."""
    return {
        "email": row.email,
        "enabled": row.enabled,
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
        "locale": row.locale,
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
        "status": STATUS.get(row.state, "CONFIRMED" if row.confirmed else "UNCONFIRMED"),
        "tz": row.tz,
        "tz_explicit": row.tz is not None,
    }
