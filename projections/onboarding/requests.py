"""Open onboarding requests, one for each person and organization: the unique index decides, inline."""

from collections.abc import Sequence
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.ports import Lookup
from domain.onboarding.requests import OnboardingRequest, OnboardingRequestOpen
from domain.people.login_names import LoginName, finding_names
from projections.core.fold import handler
from projections.core.unique_rows import UniqueProjection, UniqueTable
from projections.people.identifiers import HashedNamesFold, hash_of

TABLE = UniqueTable(
    name="open_onboarding_requests",
    columns={"organization_id": "uuid", "contact": "bytea", "request_id": "uuid"},
    key=("organization_id", "contact"),
    owner=("request_id",),
    constraints=("open_onboarding_requests_pkey",),
)


class OpenOnboardingRequestsFold(HashedNamesFold):
    table = TABLE
    refusal = OnboardingRequestOpen

    @handler
    def open(self, event: OnboardingRequest.Created) -> None:
        request = (event.originator_id,)
        rows = ((event.organization_id, contact, *request) for contact in self._contacts(event))
        self.hold(request, rows, new=True)

    @handler
    def readdress(self, event: OnboardingRequest.Readdressed) -> None:
        request = (event.originator_id,)
        self.hold(request, ((event.organization_id, contact, *request) for contact in self._contacts(event)))

    @handler
    def claim(self, event: OnboardingRequest.Claimed) -> None:
        self.hold((event.originator_id,), ())

    def _contacts(self, event: OnboardingRequest.Created | OnboardingRequest.Readdressed) -> set[bytes]:
        return {self.hashed(name) for name in finding_names(*event.names.revealed)}


class OpenOnboardingRequestsProjection(UniqueProjection):
    """A request that is claimed in the append that opens it is refused all the same while another one is open."""

    name = "open_onboarding_requests"
    version = 2
    events = OpenOnboardingRequestsFold.events

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def fold(self) -> OpenOnboardingRequestsFold:
        return OpenOnboardingRequestsFold(self._lookup)


async def open_requests(
    cursor: AsyncCursor, lookup: Lookup, organization_id: UUID, names: Sequence[LoginName]
) -> list[UUID]:
    """Return unclaimed requests of the organization for a person with one of the names, by id."""
    hashes = [hash_of(lookup, name) for name in names]
    await cursor.execute(
        "SELECT DISTINCT request_id FROM open_onboarding_requests WHERE organization_id = %s AND contact = ANY(%s)"
        " ORDER BY 1",
        [organization_id, hashes],
    )
    return [row[0] for row in await cursor.fetchall()]


async def requests_of(cursor: AsyncCursor, user_id: UUID, organization_ids: Sequence[UUID] | None) -> list[UUID]:
    """Return the requests that bring in the user, those of some organizations only unless None is given."""
    await cursor.execute(
        """
        SELECT request_id FROM user_onboarding_requests
        WHERE user_id = %(user)s AND (%(all)s OR organization_id = ANY(%(organizations)s)) ORDER BY 1
        """,
        {"user": user_id, "all": organization_ids is None, "organizations": list(organization_ids or ())},
    )
    return [row[0] for row in await cursor.fetchall()]
