"""The users of onboarding requests that turn out to be about nobody who has an account yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from domain.core.audited import Audited
from domain.core.ports import Store
from domain.onboarding.admissions import Admission, Admissions, NewIds, Onboarding
from domain.onboarding.destinations import Destinations
from domain.onboarding.invitations import Contacts, Invitation
from domain.onboarding.requests import OnboardingRequest
from domain.organizations.organizations import Organization
from domain.people.users import User


class NewPerson(NamedTuple):
    """A user who was created for a request. `rests_on` are aggregates that may not change meanwhile."""

    admission: Admission
    rests_on: Sequence[Audited]

    @property
    def belongings(self) -> list[Audited]:
        """Return what was created beside the user: their individual and their roster entries."""
        return [*self.admission.individuals, *self.admission.entries]


@dataclass(frozen=True, eq=False)
class NewPeople:
    """Creates users as the creation of a request does. It saves nothing."""

    store: Store
    destinations: Destinations
    admissions: Admissions

    async def create(self, request: OnboardingRequest, contacts: Contacts, ids: NewIds) -> NewPerson:
        """Create the user of an open request, with these contacts and without a password."""
        former = await self.store.get(User, request.user_id)
        organization = await self.store.get(Organization, request.organization_id)
        destination = await self.destinations.left_of(request, former, organization)
        invitation = Invitation(request.organization_id, request.onboard_type, contacts)
        admission = await self.admissions.admit_new_user(Onboarding(None, invitation, destination, None, ids))
        return NewPerson(admission, destination.rests_on)
