"""Claims: a person enters the organization that invited them, when they are confirmed or with their code (K8, K99)."""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

from domain.core.audited import Audited
from domain.core.borrowed import require_own_session
from domain.core.errors import Conflict, InvalidState, NotFound
from domain.core.permissions import Permissions
from domain.core.personal import revealed
from domain.core.ports import Store, retry_on_conflict, save_resting_on
from domain.core.principal import Principal
from domain.onboarding.admissions import Admissions, AlreadyProvider
from domain.onboarding.destinations import Destinations, StaffPatient
from domain.onboarding.new_people import NewPeople
from domain.onboarding.registration_invitations import claimed_invitations
from domain.onboarding.requests import OnboardingRequest
from domain.organizations.memberships import require_no_participant
from domain.organizations.organizations import Organization
from domain.people.account_codes import kind_of
from domain.people.directory import Directory
from domain.people.individuals import Individual
from domain.people.login_names import parse_login_name
from domain.people.user_commands import update_admin_roles
from domain.people.users import User


class ReferralCodeNotFound(NotFound):
    """The code is unknown, expired or void, or the request is not about the caller."""


class Claimed(NamedTuple):
    """What a claim changed beside the user, to be saved after the user in the same append.

    `rests_on` are aggregates that may not change meanwhile.
    """

    changed: Sequence[Audited]
    rests_on: Sequence[Audited] = ()


class Claims:
    """Lets people claim their onboarding requests."""

    def __init__(self, store: Store, directory: Directory, permissions: Permissions) -> None:
        self._store = store
        self._directory = directory
        self._destinations = Destinations(store, permissions)
        self._admissions = Admissions(store)
        self.new_people = NewPeople(store, self._destinations, self._admissions)

    async def of_confirmed(
        self, user: User, request: OnboardingRequest | None = None, individuals: Sequence[Individual] = ()
    ) -> Claimed:
        """Claim the request for which a user who is being confirmed signed up, and their registration invitations.

        Call this after `user.prove`; it saves nothing. Without a request it is the one for which they signed up last;
        earlier ones, and those of a user who was confirmed before, stay open until they are claimed with their codes.
        `individuals` are those of the user that have changed already.

            claimed = await claims.of_confirmed(user)
            await save_resting_on(store, user, *claimed.changed, unchanged=claimed.rests_on)

        The changed aggregates include the roles that `update_admin_roles` returns, whether there is a request or not.
        The request stays open if its organization is inactive or cannot admit the user; nothing is refused (K99).
        """
        claimed = await self._of_request(user, request or await self._last_request(user), individuals)
        invitations = await claimed_invitations(self._store, self._directory, user)
        return claimed._replace(changed=[*claimed.changed, *invitations])

    async def _last_request(self, user: User) -> OnboardingRequest | None:
        """Return the request for which a user who is being confirmed signed up last."""
        if not any(isinstance(event, User.Confirmed) for event in user.pending_events):
            return None
        ids = await self._directory.unclaimed_requests(user.id)
        requests = (await self._store.get_many(OnboardingRequest, ids)).values()
        started = {request.registering_at: request for request in requests if request.is_registering(user.id)}
        return started[max(time for time in started if time is not None)] if started else None

    async def _of_request(
        self, user: User, request: OnboardingRequest | None, individuals: Sequence[Individual]
    ) -> Claimed:
        if request is not None:
            with suppress(Conflict):  # the user may claim it later, with the code
                return await self._accept(user, request, individuals)
        return Claimed(await update_admin_roles(self._store, user))

    @retry_on_conflict
    async def claim(self, principal: Principal, code: str) -> tuple[OnboardingRequest, int]:
        """Claim the request of a referral code for the principal. Return it and the position of the events.

        A request that the principal has claimed already stays as it is. The request is about the principal too if they
        have verified the contact that the code was sent to. Raises ImpersonationNotAllowed, ReferralCodeNotFound, and
        the refusals of `_accept`.
        """
        require_own_session(principal, "claim an onboarding request")
        found = await self._directory.referral_code(code)
        if found is None:
            raise ReferralCodeNotFound(argument="referral_code")
        request, user = await self._store.find_each((OnboardingRequest, found.request_id), (User, principal.user_id))
        if request is None or user is None or request.claimed_by not in {None, user.id}:
            raise ReferralCodeNotFound(argument="referral_code")
        if request.user_id != user.id:
            self._require_reached(request, found.message_id, user)
            request.repoint(user.id)
        if request.done:
            return request, await self._store.save(result=request.id)
        claimed = await self._accept(user, request)
        request.record_response(found.message_id)
        position = await save_resting_on(
            self._store, user, *claimed.changed, unchanged=claimed.rests_on, result=request.id
        )
        return request, position

    @staticmethod
    def _require_reached(request: OnboardingRequest, message_id: UUID, user: User) -> None:
        """Raise ReferralCodeNotFound unless the code was sent to a verified contact of the user."""
        kind = kind_of(request.invites[message_id].channel)
        contact = revealed(getattr(request.names, kind))
        if contact is None or not (user.is_verified(kind) and user.is_meant_by(parse_login_name(contact))):
            raise ReferralCodeNotFound(argument="referral_code")

    async def _accept(
        self, user: User, request: OnboardingRequest, changed_individuals: Sequence[Individual] = ()
    ) -> Claimed:
        """Let the user enter the organization: as the owner of the individual, with the groups and roles that are left.

        It saves nothing. Raises InvalidState, StaffPatient, ProvisionalUser, AlreadyProvider, UserIsParticipant.
        """
        organization = await self._store.get(Organization, request.organization_id)
        individuals = await self._store.get_many(Individual, user.individuals)
        individuals |= {individual.id: individual for individual in changed_individuals}
        _require_acceptable(user, list(individuals.values()), request, organization)
        assert user.individual_id is not None, "only service accounts have none, and no request is about them"
        primary = individuals[user.individual_id]
        destination = await self._destinations.left_of(request, user, organization)
        if destination.individual is not None and primary.owner_id != user.id:
            raise InvalidState  # the user has not claimed their primary individual yet
        individual = destination.individual or primary
        admission = await self._admissions.enter(user, individual, request.onboard_type, destination)
        request.claim(user.id, individual.id)
        changed = [*admission.individuals, *admission.roles, *admission.entries, request]
        return Claimed(changed, destination.rests_on)


def _require_acceptable(
    user: User, individuals: Sequence[Individual], request: OnboardingRequest, organization: Organization
) -> None:
    """Raise the refusals of `Claims._accept`."""
    if not organization.active:
        raise InvalidState
    user.require_not_limited_to_another(organization.id)
    if request.onboard_type == "provider":
        require_no_participant(individuals)
    elif organization.staffed:
        raise StaffPatient
    elif user.organizations:
        raise AlreadyProvider
