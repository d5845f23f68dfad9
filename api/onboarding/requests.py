"""/v1/onboarding-requests/: requests that bring people into organizations."""

import orjson
from starlette.responses import Response

from api.documents.onboarding import requests as documents
from api.documents.people.people import GivenCommunicationPreferences
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, FromQuery, IdentityDep, PathId, ReadingDep
from api.edge.execution import Outcome
from api.edge.reading import Read, single
from api.edge.route import answers, contract_router
from api.onboarding.rendering import resource
from domain.application import Identity
from domain.core.errors import Forbidden, NotFound
from domain.core.principal import Principal
from domain.onboarding.invitations import Contacts, Invitation
from domain.onboarding.request_permissions import OnboardingRequestNotFound
from domain.onboarding.requests import OnboardingRequest
from projections.onboarding import request_lists
from projections.onboarding.request_lists import OnboardingRequestsProjection, RequestFilter, RequestRow

router = contract_router("onboarding-requests", "Invitations of individuals and providers.")
MODEL = OnboardingRequestsProjection.name


@router.post("/v1/onboarding-requests/", **answers(documents.OnboardingRequestDocument, 201))
async def create_onboarding_request(
    body: documents.CreateOnboardingRequest, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Bring a person into an organization, at once or when they claim the request."""
    outcome = await execute(identity.onboarding_requests.create(principal, invitation(body.attributes)))
    return await shown(identity, principal, outcome)


@router.get("/v1/onboarding-requests/", **answers(documents.OnboardingRequestList))
async def list_onboarding_requests(
    query: FromQuery[documents.OnboardingRequestListQuery],
    principal: Authenticated,
    identity: IdentityDep,
    reading: ReadingDep,
) -> Response:
    """Return a page of the requests of an organization, about patients or about providers, the newest first."""
    patients, providers = await identity.onboarding_permissions.reads(principal, query.organization_id)
    if not patients:
        raise NotFound(argument="organization_id")
    if query.onboard_type == "provider" and not providers:
        raise Forbidden(argument="onboard_type")
    chosen = RequestFilter(query.organization_id, query.onboard_type, query.email, query.patient_ids)

    async def respond(read: Read) -> Response:
        rows, total = await request_lists.page(read.cursor, chosen, **query.page)
        resources = [resource(row, with_invite=query.with_invite) for row in rows]
        return read.listing(documents.OnboardingRequestList, resources, query, total)

    return await reading.read((MODEL,), respond)


@router.get("/v1/onboarding-requests/{id}/", **answers(documents.OnboardingRequestDocument))
async def get_onboarding_request(
    request_id: PathId, principal: Authenticated, identity: IdentityDep, reading: ReadingDep
) -> Response:
    """Return one request."""

    async def respond(read: Read) -> Response:
        row = await request_lists.one(read.cursor, request_id)
        if row is None:
            raise OnboardingRequestNotFound
        await identity.onboarding_permissions.require_readable(principal, row)
        return read.single(documents.OnboardingRequestDocument, resource(row))

    return await reading.read((MODEL,), respond)


@router.patch("/v1/onboarding-requests/{id}/", **answers(documents.OnboardingRequestDocument))
async def update_onboarding_request(
    request_id: PathId,
    body: documents.UpdateOnboardingRequest,
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
) -> Response:
    """Replace the e-mail address of the person. A new invitation goes there, and earlier codes by e-mail are void."""
    command = identity.request_changes.change_email(principal, request_id, body.attributes.email)
    return await shown(identity, principal, await execute(command, about=request_id))


@router.post("/v1/onboarding-requests/{id}/email/", **answers(documents.OnboardingRequestDocument, 201))
async def resend_onboarding_email(
    request_id: PathId,
    body: documents.ResendOnboardingEmail,  # noqa: ARG001 - it says nothing more
    principal: Authenticated,
    identity: IdentityDep,
    execute: ExecuteDep,
) -> Response:
    """Send the invitation again, by e-mail and text message."""
    outcome = await execute(identity.request_changes.resend(principal, request_id), about=request_id)
    return await shown(identity, principal, outcome)


async def shown(identity: Identity, principal: Principal, outcome: Outcome) -> Response:
    """Answer with the request after a command; a repeated request shows what the caller may still read."""
    request = await identity.store.get(OnboardingRequest, outcome.made)
    if outcome.repeated:
        await identity.onboarding_permissions.require_readable(principal, request)
    row = RequestRow.of(request)
    return single(documents.OnboardingRequestDocument, resource(row), outcome.position, outcome.status)


def invitation(attributes: documents.OnboardingToRequest) -> Invitation:
    """Return the invitation that the attributes of the request describe."""
    return Invitation(
        organization_id=attributes.organization_id,
        onboard_type=attributes.onboard_type,
        contacts=Contacts(attributes.patient_email, attributes.phone_number, attributes.username),
        password=None if attributes.password is None else attributes.password.get_secret_value(),
        individual_id=attributes.individual_id,
        group_ids=attributes.all_group_ids,
        provider_roles=attributes.provider_roles,
        notifications=attributes.notifications,
        email_user_now=attributes.email_user_now,
        auto_sign_up=attributes.auto_sign_up,
        auto_confirm=attributes.auto_confirm,
        communication_preferences=preferences(attributes.communication_preferences),
    )


def preferences(given: GivenCommunicationPreferences | None) -> str | None:
    """Return the preferences as JSON."""
    return None if given is None else orjson.dumps(given.given(), option=orjson.OPT_SORT_KEYS).decode()
