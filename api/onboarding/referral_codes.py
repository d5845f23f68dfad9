"""/v1/onboarding-info/: which organization invites a person, for whoever has the code of the invitation."""

from uuid import UUID, uuid4

from starlette.responses import Response

from api.documents.onboarding import referral_codes as documents
from api.edge.bodies import MAX_CREDENTIALS_BODY
from api.edge.caller import KnownCaller
from api.edge.deps import PermissionsDep, ReadingDep
from api.edge.reading import Read
from api.edge.route import answers, contract_router
from api.edge.throttles import LOOKUP_MISSES
from api.onboarding.requests import MODEL
from domain.core.errors import NotFound
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery
from domain.core.principal import Principal
from domain.people.login_names import LoginName, names_of
from projections.onboarding import referral_codes, request_lists
from projections.onboarding.request_lists import RequestRow
from projections.organizations.names import display_name

router = contract_router("onboarding-info", "What an invitation is about, before a person signs up.")
NO_REQUEST = UUID(int=0)
"""What is looked up for an unknown code, so that the time of the answer does not reveal that (ruling K147)."""


@router.post(
    "/v1/onboarding-info/",
    **answers(documents.OnboardingInfoDocument, 201, reads=True, max_body=MAX_CREDENTIALS_BODY, throttle=LOOKUP_MISSES),
)
async def onboarding_info(
    body: documents.OnboardingInfoRequest, caller: KnownCaller, permissions: PermissionsDep, reading: ReadingDep
) -> Response:
    """Return the organization and the state of an invitation, by its code.

    By e-mail address or phone number it is found for those only who read the organization.
    """
    asked = body.attributes

    async def respond(read: Read) -> Response:
        if asked.code is not None:
            row = await _by_code(read, asked.code.get_secret_value())
        else:
            names = names_of(asked.email, asked.phone_number, None)
            row = None if caller is None else await _by_name(read, permissions, caller, names[0])
        name = await display_name(read.cursor, NO_REQUEST if row is None else row.organization_id)
        if row is None or name is None:
            raise NotFound
        attributes = documents.OnboardingInfoAttributes(
            onboarding_request=documents.FoundRequest(done=row.done, status=row.status),
            organization=documents.FoundOrganization(display_name=name, id=row.organization_id),
        )
        resource = documents.OnboardingInfoResource(attributes=attributes, id=uuid4())
        return read.single(documents.OnboardingInfoDocument, resource, 201)

    return await reading.read((MODEL,), respond)


async def _by_code(read: Read, code: str) -> RequestRow | None:
    found = await referral_codes.valid_code(read.cursor, code)
    return await request_lists.one(read.cursor, NO_REQUEST if found is None else found.request_id)


async def _by_name(read: Read, permissions: Permissions, caller: Principal, name: LoginName) -> RequestRow | None:
    """Return the newest request for the person in an organization that the caller reads (ruling K2)."""
    rows = await request_lists.named(read.cursor, name, claimed=True)
    queries = [AccessQuery("organization", row.organization_id, "read") for row in rows]
    allowed = await permissions.allows(caller, *queries) if queries else []
    return next((row for row, reads in zip(rows, allowed, strict=True) if reads), None)
