"""/v1/users/: users, as callers who work with them may see them."""

from dataclasses import replace

from starlette.responses import Response

from api.documents.people.users import (
    UserDetailDocument,
    UserDetailResource,
    UserDocument,
    UserList,
    UserListQuery,
    UserQuery,
    UserResource,
)
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, IdentityDep, PathId, ReadingDep
from api.edge.envelope import answer
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from api.people.rendering import MODEL, ShowUserDep, account, detail, listed_attributes
from domain.core.errors import Forbidden, InvalidParameter
from domain.core.principal import Principal
from domain.organizations.organizations import OrganizationNotFound
from domain.people.sign_ups import SignUp, sign_up_id
from domain.people.users import User
from projections.core.visibility import Viewer, viewer
from projections.people import user_lists
from projections.people.user_lists import UserFilter

router = contract_router("users", "Accounts of people and services.")


@router.get("/v1/users/", **answers(UserList))
async def list_users(query: FromQuery[UserListQuery], principal: Authenticated, reading: ReadingDep) -> Response:
    """Return the users of an organization, or all users for staff and services."""

    async def respond(read: Read) -> Response:
        caller = await viewer(read.cursor, principal.user_id)
        require_listable(principal, caller, query)
        whole = principal.reads_all or query.organization_id in caller.administers
        rows, total = await user_lists.users_page(
            read.cursor,
            visible_filter(await user_filter(read, query), caller, whole=whole),
            sort=query.sort_by[0] if query.sort_by else None,
            **query.page,
        )
        attributes = await listed_attributes(read, rows, query.organization_id, caller if whole else None)
        resources = [UserResource.model_construct(attributes=attributes[row.user_id], id=row.user_id) for row in rows]
        return read.listing(UserList, resources, query, total)

    return await reading.read((MODEL,), respond)


@router.get("/v1/users/{id}/", **answers(UserDetailDocument))
async def get_user(
    user_id: PathId, query: FromQuery[UserQuery], principal: Authenticated, identity: IdentityDep, reading: ReadingDep
) -> Response:
    """Return the caller, or a user in an organization that the caller works in."""
    await identity.permissions.require_readable_user(principal, user_id)
    service = await identity.store.get(User, user_id) if principal.service and user_id == principal.user_id else None

    sign_up = await identity.store.find(SignUp, sign_up_id(user_id)) if query.with_signups else None

    async def respond(read: Read) -> Response:
        attributes = account(service) if service else await detail(read, principal, user_id, query, sign_up)
        resource = UserDetailResource.model_construct(attributes=attributes, id=user_id)
        return read.single(UserDetailDocument, resource)

    return await reading.read(() if service else (MODEL,), respond)


@router.post("/v1/users/{id}/disable/", **answers(UserDocument, 201))
async def user_disable(
    user_id: PathId, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep, show: ShowUserDep
) -> Response:
    """Disable a user: end their sessions, suspend their rights, and refuse further logins."""
    return await show(principal, await execute(identity.users.disable(principal, user_id), about=user_id))


@router.post("/v1/users/{id}/enable/", **answers(UserDocument, 201))
async def user_enable(
    user_id: PathId, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep, show: ShowUserDep
) -> Response:
    """Enable a user, who may sign in again."""
    return await show(principal, await execute(identity.users.enable(principal, user_id), about=user_id))


@router.post("/v1/users/{id}/delete-service-document-agreements/", **answers(None, 201))
async def user_delete_service_document_agreements(
    user_id: PathId, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Forget the agreements of a member of the staff, for themselves: their next login must agree again."""
    outcome = await execute(identity.agreements.forget(principal, user_id), about=user_id)
    return answer(None, outcome.status, position=outcome.position)


def require_listable(principal: Principal, caller: Viewer, query: UserListQuery) -> None:
    """Raise Forbidden to participants, InvalidParameter for a query without an organization, OrganizationNotFound."""
    if principal.reads_all:
        return
    if not caller.works_in:
        raise Forbidden
    if query.organization_id is None:
        raise InvalidParameter("Input should name one of your organizations.", argument="organization_id")
    if query.organization_id not in caller.works_in:
        raise OrganizationNotFound(argument="organization_id")
    if query.classification is not None:
        raise Forbidden(argument="classification")


async def user_filter(read: Read, query: UserListQuery) -> UserFilter:
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


def visible_filter(filters: UserFilter, caller: Viewer, *, whole: bool) -> UserFilter:
    """Return the filter on the attributes that the caller may see; hidden attributes never match (ruling O9).

    Of archived users lists show the state and the dates, and to providers nothing (ruling K75).
    """
    if not whole:
        return replace(filters, matches_none=filters.hidden, testers=True, inactive=False)
    if filters.enabled is not None or replace(filters, modified=()).hidden:
        filters = replace(filters, inactive=False)
    sharee = filters.shared_with_organization or filters.shared_with_user
    return replace(filters, matches_none=sharee is not None and not caller.sees_shares_with(sharee))
