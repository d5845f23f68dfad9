"""The command that opens onboarding requests: who it is about, and what happens at once."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol
from uuid import UUID, uuid4

from domain.access.roles import Role
from domain.core.audited import Audited
from domain.core.errors import Conflict, InvalidState, LostRace
from domain.core.permissions import Permissions
from domain.core.ports import Store, retry_on_conflict, save_resting_on
from domain.core.principal import Principal
from domain.groups.rosters import RosterEntry, RosterKind, roster_entry_id
from domain.onboarding.invitations import Invitation, require_consistent
from domain.onboarding.places import Place, Places
from domain.onboarding.referral_codes import ReferralCodes, hash_of_code
from domain.onboarding.requests import OnboardingRequest
from domain.organizations.memberships import require_no_participant
from domain.people.directory import Directory
from domain.people.individuals import Individual
from domain.people.login_names import names_of
from domain.people.passwords import Passwords, WeakPassword, is_strong
from domain.people.provisional_users import Found, confirm, meant, take_over, unproved
from domain.people.user_commands import update_admin_roles
from domain.people.users import IdentifierTaken, ProvisionalUser, User


class AlreadyProvider(Conflict):
    detail = "The user is a provider; a provider's record is not shared."


class NewIds(NamedTuple):
    """Of what may come into being; chosen before anything is decided, so that deciding again keeps them."""

    request: UUID
    user: UUID
    individual: UUID


class Arrival(NamedTuple):
    """Everything that is saved with the request. `released` are users who lose names to the one who arrives."""

    user: User
    individuals: list[Individual]
    roles: list[Role]
    entries: list[RosterEntry]
    released: Sequence[User] = ()

    @property
    def individual(self) -> Individual:
        """The one that the request is about."""
        return self.individuals[0]


class KnownAddresses(Protocol):
    """Counts how many known addresses a caller was told of (ruling O3)."""

    async def name(self, caller_id: UUID) -> None:
        """One more is told. Raises TooMany when the caller was told of too many lately."""
        ...


class OnboardingRequests:
    """Commands on onboarding requests."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        permissions: Permissions,
        passwords: Passwords,
        known_addresses: KnownAddresses,
        codes: ReferralCodes,
    ) -> None:
        self._store = store
        self._directory = directory
        self._passwords = passwords
        self._known_addresses = known_addresses
        self._codes = codes
        self._places = Places(store, permissions)

    async def create(self, principal: Principal, invitation: Invitation) -> tuple[OnboardingRequest, int]:
        """The request, claimed already when it asks for that and the person is new, or has come in this way before.

        System administrators and services may bring in people who have accounts already (ruling A1): an open request
        of the organization for the same person is claimed, if there is one (ruling O6), and an account that nobody has
        proved to be theirs is taken over (ruling O1).

        Raises Invalid (WeakPassword among others), OrganizationNotFound, StaffOrganization, Forbidden, InvalidState,
        what `GroupPermissions.require_changeable` raises, IndividualNotFound, Conflict, OnboardingRequestOpen,
        IdentifierTaken; TooMany when another principal would learn of too many known addresses.
        """
        require_consistent(invitation)
        place = await self._places.find(principal, invitation)
        # after permission: judging a password costs more than finding a place
        await self._require_strong_password(invitation)
        hashed = None if invitation.password is None else await self._passwords.hash(invitation.password)
        return await self._decide(principal, invitation, place, hashed, NewIds(uuid4(), uuid4(), uuid4()))

    @retry_on_conflict
    async def _decide(
        self,
        principal: Principal,
        invitation: Invitation,
        place: Place,
        hashed: str | None,
        ids: NewIds,
    ) -> tuple[OnboardingRequest, int]:
        place = await self._places.reloaded(place)
        users = await self._known_users(invitation)
        if users and not await self._may_claim(principal, invitation, users, place):
            if invitation.at_once and not principal.unlimited:  # only an answer at once differs for a known person
                await self._known_addresses.name(principal.user_id)
            request = self._open(ids, invitation, users[0].id, principal, new_user=False)
            self._invite(request, invitation)
            return request, await self._store.save(request, unchanged=place.grounds, result=request.id)
        if not users:
            await self._require_free_username(invitation)
            return await self._introduce(principal, invitation, place, hashed, ids)
        found = meant(users)
        await self._require_free_username(invitation, found.user)
        return await self._welcome(found, principal, invitation, place, hashed, ids)

    async def _introduce(
        self, principal: Principal, invitation: Invitation, place: Place, hashed: str | None, ids: NewIds
    ) -> tuple[OnboardingRequest, int]:
        """Bring in a new person."""
        request = self._open(ids, invitation, ids.user, principal, new_user=True)
        arrival = await self._make(ids, principal, invitation, place, hashed)
        if invitation.at_once:
            request.claim(arrival.user.id, arrival.individual.id)
        elif invitation.auto_sign_up:
            request.register()
        else:
            self._invite(request, invitation)
        return request, await self._save(place, arrival, request, result=request.id)

    async def _welcome(
        self, found: Found, principal: Principal, invitation: Invitation, place: Place, hashed: str | None, ids: NewIds
    ) -> tuple[OnboardingRequest, int]:
        """Bring in a known person. Open requests for them are claimed by it; one that asked for this is the answer."""
        opened = await self._open_requests(invitation) if principal.unlimited else []
        alike = [request for request in opened if request.onboard_type == invitation.onboard_type]
        for request in alike:
            place = await self._places.joined(place, request, found.user)
        if not alike:
            alike = [self._open(ids, invitation, found.user.id, principal, new_user=False)]
            opened += alike
        arrival = await self._bring_in(found, principal, invitation, place, hashed)
        for request in opened:
            request.claim(arrival.user.id, arrival.individual.id)
        return alike[0], await self._save(place, arrival, *opened, result=alike[0].id)

    @staticmethod
    def _open(
        ids: NewIds, invitation: Invitation, user_id: UUID, principal: Principal, *, new_user: bool
    ) -> OnboardingRequest:
        by = principal.user_id
        return OnboardingRequest.open(ids.request, invitation, user_id, new_user=new_user, created_by=by)

    async def _save(self, place: Place, arrival: Arrival, *requests: OnboardingRequest, result: UUID) -> int:
        # the user first: projections find the user when they come to the individuals and the request
        everything: list[Audited] = [
            *arrival.released, arrival.user, *arrival.individuals, *arrival.roles, *arrival.entries,
        ]  # fmt: skip
        try:
            return await save_resting_on(self._store, *everything, *requests, unchanged=place.grounds, result=result)
        except IdentifierTaken:  # the person came into being at this moment: decide again about a known person
            raise LostRace from None

    def _invite(self, request: OnboardingRequest, invitation: Invitation) -> None:
        for channel in invitation.channels:
            message_id = uuid4()
            request.invite(message_id, channel, hash_of_code(self._codes.code(message_id)), self._codes.lifetime)

    async def _make(
        self, ids: NewIds, principal: Principal, invitation: Invitation, place: Place, hashed: str | None
    ) -> Arrival:
        """Return a new person. Until the claim a patient's individual is the organization's; a provider's never is."""
        organization = place.organization
        if invitation.onboard_type == "provider":
            individual = Individual.create(ids.individual, "user", ids.user, provider=True)
        else:
            individual = place.individual or Individual.create(ids.individual, "organization", organization.id)
        vouched = principal.unlimited and invitation.at_once
        user = User.create(
            ids.user,
            classification=organization.classification,
            individual_id=individual.id,
            email=invitation.email,
            phone=invitation.phone,
            username=invitation.username,
            provisional_in=None if vouched else organization.id,
        )
        if invitation.communication_preferences is not None:
            user.set_communication_preferences(invitation.communication_preferences)
        if invitation.auto_sign_up and hashed is not None:
            user.set_password(hashed)
        if invitation.at_once:
            confirm(user, invitation, vouched=vouched)
            return await self._enter(user, individual, invitation, place)
        entries = (
            await self._entries(place, "individual", individual.id) if invitation.onboard_type == "patient" else []
        )
        return Arrival(user, [individual], [], entries)

    async def _bring_in(
        self, found: Found, principal: Principal, invitation: Invitation, place: Place, hashed: str | None
    ) -> Arrival:
        """A user who has an account, claimed for them.

        The password stays unless a system administrator or a service takes over an account that nobody has proved to be
        theirs: its password was chosen by the administrator who made it, or by the person who signed up with the
        contact.
        """
        user = found.user
        assert user.individual_id is not None, "only services have none, and they cannot be reached"
        if user.state not in {"confirmed", "init", "registered"}:
            raise InvalidState
        individuals = await self._store.get_many(Individual, user.individuals)
        if principal.unlimited and unproved(user):
            take_over(found, list(individuals.values()), invitation, hashed)
        own = individuals[user.individual_id]
        if invitation.onboard_type == "provider":
            require_no_participant(list(individuals.values()))
        elif user.organizations:
            raise AlreadyProvider
        if place.individual is not None and own.owner_id != user.id:
            raise InvalidState(argument="individual_id")  # the user has yet to claim their own
        arrival = await self._enter(user, place.individual or own, invitation, place)
        further = [each for each in individuals.values() if each.id != arrival.individual.id]
        return arrival._replace(individuals=[*arrival.individuals, *further], released=found.others)

    async def _enter(self, user: User, individual: Individual, invitation: Invitation, place: Place) -> Arrival:
        """Make the user a provider or a patient of the organization, now."""
        former = individual.owner_id
        if user.provisional and individual.all_organizations - {place.organization.id}:
            raise ProvisionalUser(argument="individual_id")  # another organization has a part in it
        individual.change_owner("user", user.id)
        user.acquire_individual(individual.id)
        roles = {role.id: role for role in place.roles}
        roles |= {role.id: role for role in await update_admin_roles(self._store, user)}
        if invitation.onboard_type == "patient":
            if former != user.id:
                individual.share("organization", former)
            individual.share("organization", place.organization.id)
            entries = await self._entries(place, "individual", individual.id)
        else:
            individual.mark_provider(provider=True)
            user.join(place.organization.id)
            for name in place.roles:
                roles[name.id].grant(user.id, live=roles[name.id].counts(user))
            entries = await self._entries(place, "member", user.id)
        return Arrival(user, [individual], list(roles.values()), entries)

    async def _may_claim(
        self, principal: Principal, invitation: Invitation, found: Sequence[User], place: Place
    ) -> bool:
        """Return whether a known person comes in at once.

        Only system administrators and services bring in those who are not in the organization yet (I7).
        """
        if principal.unlimited or not invitation.at_once:
            return invitation.at_once
        user = found[0]
        if len(found) > 1 or not user.live or place.individual is not None:
            return False
        if invitation.onboard_type == "provider":
            return place.organization.id in user.organizations
        own = await self._store.get(Individual, user.individuals[0])
        return place.organization.id in own.organizations

    async def _entries(self, place: Place, kind: RosterKind, subject_id: UUID) -> list[RosterEntry]:
        ids = {group.id: roster_entry_id(group.id, kind, subject_id) for group in place.groups}
        entries = await self._store.get_many(RosterEntry, ids.values())
        for each in entries.values():
            each.add_again()
        fresh = [
            RosterEntry.add(group.id, group.organization_id, kind, subject_id)
            for group in place.groups
            if ids[group.id] not in entries
        ]
        return [*entries.values(), *fresh]

    async def _known_users(self, invitation: Invitation) -> list[User]:
        """Users who have one of the contacts, the first of them first."""
        ids = await self._directory.users_named(invitation.names)
        return list((await self._store.get_many(User, ids)).values())

    async def _open_requests(self, invitation: Invitation) -> list[OnboardingRequest]:
        ids = await self._directory.open_requests(invitation.organization_id, invitation.names)
        return list((await self._store.get_many(OnboardingRequest, ids)).values())

    async def _require_free_username(self, invitation: Invitation, user: User | None = None) -> None:
        """Raises IdentifierTaken when another user has the user name."""
        name = [] if invitation.username is None else names_of(None, None, invitation.username)
        holders = await self._directory.users_named(name) if name else []
        if any(user is None or holder != user.id for holder in holders):
            raise IdentifierTaken(argument="username")

    async def _require_strong_password(self, invitation: Invitation) -> None:
        password = invitation.password
        if password is not None and not await is_strong(self._passwords, password, invitation.contacts):
            raise WeakPassword(argument="password")
