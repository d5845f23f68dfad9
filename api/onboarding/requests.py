"""/v1/onboarding-requests/: requests that bring people into organizations."""

import orjson
from starlette.responses import Response

from api.documents.onboarding import requests as documents
from api.documents.people.people import GivenCommunicationPreferences
from api.edge.caller import Authenticated
from api.edge.deps import ExecuteDep, IdentityDep
from api.edge.reading import single
from api.edge.route import answers, contract_router
from domain.core.errors import NotFound
from domain.core.permissions import Permissions
from domain.core.personal import revealed
from domain.core.ports import AccessQuery, Operation
from domain.core.principal import Principal
from domain.onboarding.invitations import Contacts, Invitation
from domain.onboarding.requests import OnboardingRequest

router = contract_router("onboarding-requests", "Invitations of individuals and providers.")


@router.post("/v1/onboarding-requests/", **answers(documents.OnboardingRequestDocument, 201))
async def create_onboarding_request(
    body: documents.CreateOnboardingRequest, principal: Authenticated, identity: IdentityDep, execute: ExecuteDep
) -> Response:
    """Bring a person into an organization, at once or when they claim the request."""
    outcome = await execute(identity.onboarding_requests.create(principal, invitation(body.attributes)))
    request = await identity.store.get(OnboardingRequest, outcome.made)
    if outcome.repeated:
        await require_readable(identity.permissions, principal, request)
    return single(documents.OnboardingRequestDocument, resource(request), outcome.position, outcome.status)


async def require_readable(permissions: Permissions, principal: Principal, request: OnboardingRequest) -> None:
    """Raise NotFound when the principal may not read the request; administrators alone read a provider's."""
    operation: Operation = "read" if request.onboard_type == "patient" else "write"
    query = AccessQuery("organization", request.organization_id, operation)
    if not all(await permissions.allows(principal, query)):
        raise NotFound


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


def resource(request: OnboardingRequest) -> documents.OnboardingRequestResource:
    """Return the request as a resource of the contract; it shows the user only after they have claimed it (A1)."""
    attributes = documents.OnboardingRequestAttributes(
        claimed_by=request.claimed_by,
        claimed_time=request.claimed_at,
        created_by=request.created_by,
        created_time=request.created_on,
        done=request.done,
        last_invite=last_invite(request),
        onboard_type=request.onboard_type,
        organization=request.organization_id,
        patient=request.individual_id if request.done else None,
        patient_email=revealed(request.names.email),
        phone_number=revealed(request.names.phone),
        provider_roles=request.provider_roles,
        registering_time=request.registering_at,
        status=request.status,
    )
    return documents.OnboardingRequestResource(attributes=attributes, id=request.id)


def last_invite(request: OnboardingRequest) -> documents.LastInvite:
    """Return the last invitation over each channel."""
    invites = {
        channel: documents.Invite(
            created_time=invite.created_at,
            error=invite.reason,
            id=invite.id,
            respond_time=invite.responded_at,
            status=invite.status,
            type=channel,
        )
        for channel, invite in request.last_invites.items()
    }
    return documents.LastInvite(email=invites.get("email"), sms=invites.get("sms"))
