"""The command that creates onboarding requests."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID, uuid4

from domain.core.audited import Audited
from domain.core.errors import LostRace
from domain.core.permissions import Permissions
from domain.core.ports import Store, retry_on_conflict, save_resting_on
from domain.core.principal import Principal
from domain.onboarding.admissions import Admission, Admissions, NewIds, Onboarding
from domain.onboarding.destinations import Destination, Destinations
from domain.onboarding.invitations import Invitation, require_consistent
from domain.onboarding.provisional_users import MatchedUsers, NameHolders, match_user
from domain.onboarding.referral_codes import ReferralCodes
from domain.onboarding.registration_invitations import claimed_invitations
from domain.onboarding.request_changes import invite
from domain.onboarding.requests import OnboardingRequest
from domain.people.confirmations import CONFIRM_TEMPLATES
from domain.people.directory import Directory
from domain.people.individuals import Individual
from domain.people.login_names import names_of
from domain.people.passwords import PasswordPolicy, words_about
from domain.people.users import IdentifierTaken, User
from domain.people.verification_codes import CodeCheck, VerificationCodes


class KnownAddresses(Protocol):
    """Limits how many answers tell a caller that an address is known (ruling O3)."""

    async def count(self, caller_id: UUID) -> None:
        """Count one more such answer to the caller. Raises TooMany when there were too many lately."""
        ...


class OnboardingRequests:
    """Commands on onboarding requests."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        permissions: Permissions,
        password_policy: PasswordPolicy,
        known_addresses: KnownAddresses,
        codes: ReferralCodes,
        verification: CodeCheck,
    ) -> None:
        self._store = store
        self._directory = directory
        self._password_policy = password_policy
        self._known_addresses = known_addresses
        self.codes = codes
        self._verification = verification
        self._destinations = Destinations(store, permissions)
        self._admissions = Admissions(store)

    async def create(self, principal: Principal, invitation: Invitation) -> tuple[OnboardingRequest, int]:
        """Create a request. Return it and the position of its events.

        The request is claimed at once when the invitation asks for that and the person is new or belongs to the
        organization already. System administrators and services may also onboard people who have accounts (ruling A1):
        that claims the organization's open request for the same person, if there is one (ruling O6), and takes over an
        account without a verified contact (ruling O1).

        Raises Invalid, the refusals of `PasswordPolicy.require`, OrganizationNotFound, StaffOrganization, Forbidden,
        InvalidState, the refusals of `GroupPermissions.require_changeable`, IndividualNotFound, Conflict,
        OnboardingRequestOpen, IdentifierTaken; TooMany when the answer would tell another principal of too many known
        addresses.
        """
        require_consistent(invitation)
        destination = await self._destinations.find(principal, invitation)
        # after the permission: a password costs more than the checks
        password_hash = await self._hash_password(principal, invitation)
        ids = NewIds(uuid4(), uuid4(), uuid4())
        return await self._decide(Onboarding(principal, invitation, destination, password_hash, ids))

    @retry_on_conflict
    async def _decide(self, onboarding: Onboarding) -> tuple[OnboardingRequest, int]:
        invitation = onboarding.invitation
        onboarding = onboarding._replace(destination=await self._destinations.reload(onboarding.destination))
        holders = await self._holders(invitation)
        if holders.meant and await self._may_claim(onboarding, holders.meant):
            matched = match_user(holders)
            await self._require_free_username(invitation, matched.user)
            return await self._onboard_existing_user(matched, onboarding)
        await self._require_free_username(invitation)
        if holders.meant:
            await self._count_known_address(onboarding)
            request = self._open(onboarding, holders.meant[0].id, new_user=False)
            invite(request, invitation.channels, self.codes)
            rests_on = onboarding.destination.rests_on
            return request, await self._store.save(request, unchanged=rests_on, result=request.id)
        if holders.others and not onboarding.vouched:
            await self._count_known_address(onboarding)
            return await self._invite_new_user(onboarding, holders)
        return await self._onboard_new_user(onboarding, holders)

    async def _count_known_address(self, onboarding: Onboarding) -> None:
        """Count an answer that tells that an address is known: the request is not as far as it would be otherwise."""
        caller = onboarding.principal
        if caller is not None and onboarding.invitation.auto_sign_up and not caller.unlimited:
            await self._known_addresses.count(caller.user_id)

    async def _invite_new_user(self, onboarding: Onboarding, holders: NameHolders) -> tuple[OnboardingRequest, int]:
        """Create the user without the names that the holders have, who did not prove them.

        The user gets those that they prove, when they sign up with the code of the invitation.
        """
        invitation = onboarding.invitation
        request = self._open(onboarding, onboarding.ids.user, new_user=True)
        invite(request, invitation.channels, self.codes)
        ahead = invitation._replace(
            contacts=holders.left_of(invitation.contacts), password=None, auto_sign_up=False, auto_confirm=False
        )
        admission = await self._admissions.admit_new_user(onboarding._replace(invitation=ahead))
        return request, await self._save(onboarding.destination, admission, request, result=request.id)

    async def _onboard_new_user(self, onboarding: Onboarding, holders: NameHolders) -> tuple[OnboardingRequest, int]:
        """Create the user. `holders` lose the names, which they did not prove, to a person who is vouched for."""
        invitation = onboarding.invitation
        request = self._open(onboarding, onboarding.ids.user, new_user=True)
        holders.release(invitation.contacts.login_names)
        admission = (await self._admissions.admit_new_user(onboarding))._replace(released=holders.others)
        codes: Sequence[Audited] = ()
        if invitation.claimed_at_once:
            request.claim(admission.user.id, admission.individual.id)
        elif invitation.auto_sign_up:
            request.register()
            codes = self._verify(admission.user.id, invitation)
        else:
            invite(request, invitation.channels, self.codes)
        return request, await self._save(onboarding.destination, admission, request, *codes, result=request.id)

    async def _onboard_existing_user(
        self, matched: MatchedUsers, onboarding: Onboarding
    ) -> tuple[OnboardingRequest, int]:
        """Claim the open requests for the user, or a new one. Return the first of them that has the same type."""
        invitation, destination = onboarding.invitation, onboarding.destination
        open_requests = await self._open_requests(invitation) if onboarding.unlimited else []
        same_type = [request for request in open_requests if request.onboard_type == invitation.onboard_type]
        for request in same_type:
            destination = await self._destinations.merge(destination, request, matched.user)
        if not same_type:
            same_type = [self._open(onboarding, matched.user.id, new_user=False)]
            open_requests += same_type
        onboarding = onboarding._replace(destination=destination)
        admission = await self._admissions.admit_existing_user(matched, onboarding)
        for request in open_requests:
            request.claim(admission.user.id, admission.individual.id)
        return same_type[0], await self._save(destination, admission, *open_requests, result=same_type[0].id)

    @staticmethod
    def _open(onboarding: Onboarding, user_id: UUID, *, new_user: bool) -> OnboardingRequest:
        principal, invitation, ids = onboarding.principal, onboarding.invitation, onboarding.ids
        by = None if principal is None else principal.user_id
        return OnboardingRequest.open(ids.request, invitation, user_id, new_user=new_user, created_by=by)

    def _verify(self, user_id: UUID, invitation: Invitation) -> list[Audited]:
        """Send a confirmation code over each channel to a user who has a password already (ruling K95)."""
        codes = VerificationCodes.create(user_id)
        for channel in invitation.channels:
            codes.issue(self._verification.derivation, "confirm", channel, CONFIRM_TEMPLATES[channel])
        return [codes] if invitation.channels else []

    async def _save(self, destination: Destination, admission: Admission, *others: Audited, result: UUID) -> int:
        invitations = await claimed_invitations(self._store, self._directory, admission.user)
        # the user first: projections need the user before the individuals and the request
        admitted: list[Audited] = [
            *admission.released, admission.user, *admission.ended, *admission.individuals, *admission.roles,
            *admission.entries, *invitations,
        ]  # fmt: skip
        try:
            return await save_resting_on(self._store, *admitted, *others, unchanged=destination.rests_on, result=result)
        except IdentifierTaken:  # a concurrent command created the person: decide again about an existing user
            raise LostRace from None

    async def _may_claim(self, onboarding: Onboarding, users: Sequence[User]) -> bool:
        """Return whether the request for existing users is claimed at once.

        Only system administrators and services may do that for a user who does not belong to the organization (I7).
        """
        invitation, destination = onboarding.invitation, onboarding.destination
        if onboarding.unlimited or not invitation.claimed_at_once:
            return invitation.claimed_at_once
        user = users[0]
        if len(users) > 1 or not user.live or destination.individual is not None:
            return False
        if invitation.onboard_type == "provider":
            return destination.organization.id in user.organizations
        primary = await self._store.get(Individual, user.individuals[0])
        return destination.organization.id in primary.organizations

    async def _holders(self, invitation: Invitation) -> NameHolders:
        """Return the users who have one of the login names, in the order of the names."""
        names = invitation.contacts.login_names
        ids = await self._directory.users_named(names)
        return NameHolders.of((await self._store.get_many(User, ids)).values(), names)

    async def _open_requests(self, invitation: Invitation) -> list[OnboardingRequest]:
        ids = await self._directory.open_requests(invitation.organization_id, invitation.contacts.login_names)
        return list((await self._store.get_many(OnboardingRequest, ids)).values())

    async def _require_free_username(self, invitation: Invitation, user: User | None = None) -> None:
        """Raise IdentifierTaken when another user has the user name.

        Nobody may have it when the answer may not tell whether the person is known.
        """
        name = names_of(None, None, invitation.contacts.username)
        holders = await self._directory.users_named(name) if name else []
        if any(user is None or holder != user.id for holder in holders):
            raise IdentifierTaken(argument="username")

    async def _hash_password(self, principal: Principal, invitation: Invitation) -> str | None:
        if invitation.password is None:
            return None
        words = list(invitation.contacts.given)
        if principal.unlimited:  # the only ones who set a password of somebody who has a name already
            words += [word for user in (await self._holders(invitation)).meant for word in words_about(user)]
        await self._password_policy.require(invitation.password, words)
        return await self._password_policy.passwords.hash(invitation.password)
