"""Admissions: what an onboarding does to the user, their individuals, their roles and their roster entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from domain.access.roles import Role
from domain.core.audited import Audited
from domain.core.errors import Conflict, InvalidState
from domain.core.ports import Store
from domain.core.principal import Principal
from domain.groups.rosters import RosterEntry, RosterKind, roster_entry_id
from domain.onboarding.destinations import Destination
from domain.onboarding.invitations import Invitation, OnboardType
from domain.onboarding.provisional_users import MatchedUsers, confirm, is_unverified, take_over
from domain.organizations.memberships import require_no_participant
from domain.people.individuals import Individual
from domain.people.totp import end_totp
from domain.people.user_commands import update_admin_roles
from domain.people.users import ProvisionalUser, User
from domain.people.verification_codes import void_codes


class AlreadyProvider(Conflict):
    """The user is a provider; their individual cannot be shared."""


class NewIds(NamedTuple):
    """Ids of what an onboarding may create. They are chosen once, so that every attempt of the command has the same."""

    request: UUID
    user: UUID
    individual: UUID


class Onboarding(NamedTuple):
    """What the caller asks for, where it leads, and what was computed before the decision.

    `principal` is None when invited people bring in themselves.
    """

    principal: Principal | None
    invitation: Invitation
    destination: Destination
    password_hash: str | None
    ids: NewIds

    @property
    def vouched(self) -> bool:
        """Return whether a system administrator or a service vouches for the contacts of a new user."""
        return self.unlimited and self.invitation.claimed_at_once

    @property
    def unlimited(self) -> bool:
        """Return whether a system administrator or a service asks."""
        return self.principal is not None and self.principal.unlimited


class Admission(NamedTuple):
    """Everything that is saved with the request.

    `released` are users who lose login names to `user`. `ended` are codes and TOTP of a former holder of it.
    """

    user: User
    individuals: list[Individual]
    roles: list[Role]
    entries: list[RosterEntry]
    released: Sequence[User] = ()
    ended: Sequence[Audited] = ()

    @property
    def individual(self) -> Individual:
        """Return the individual that the request is about."""
        return self.individuals[0]


@dataclass(frozen=True, eq=False)
class Admissions:
    """Creates or changes the user of an onboarding request and everything that belongs to them. It saves nothing."""

    store: Store

    async def admit_new_user(self, onboarding: Onboarding) -> Admission:
        """Create the user. Until the claim the organization owns a patient's individual; a provider owns their own."""
        _, invitation, destination, password_hash, ids = onboarding
        organization = destination.organization
        if invitation.onboard_type == "provider":
            individual = Individual.create(ids.individual, "user", ids.user, provider=True)
        else:
            individual = destination.individual or Individual.create(ids.individual, "organization", organization.id)
        user = User.create(
            ids.user,
            classification=organization.details.classification,
            individual_id=individual.id,
            email=invitation.contacts.email,
            phone=invitation.contacts.phone,
            username=invitation.contacts.username,
            provisional_in=None if onboarding.vouched else organization.id,
        )
        if invitation.communication_preferences is not None:
            user.set_communication_preferences(invitation.communication_preferences)
        if invitation.auto_sign_up and password_hash is not None:
            user.set_password(password_hash)
        if invitation.claimed_at_once:
            confirm(user, invitation, vouched=onboarding.vouched)
            return await self.enter(user, individual, invitation.onboard_type, destination)
        entries = []
        if invitation.onboard_type == "patient":
            entries = await self._add_entries(destination, "individual", individual.id)
        return Admission(user, [individual], [], entries)

    async def admit_existing_user(self, matched: MatchedUsers, onboarding: Onboarding) -> Admission:
        """Admit a user who has an account, as if they claimed the request.

        The password stays, unless a system administrator or a service takes over an unverified account. Its password
        was chosen by the administrator who created it, or by the person who signed up with the contact.
        """
        _, invitation, destination, password_hash, _ = onboarding
        user = matched.user
        assert user.individual_id is not None, "only service accounts have none, and no contact finds them"
        if user.state not in {"confirmed", "init", "registered"}:
            raise InvalidState
        individuals = await self.store.get_many(Individual, user.individuals)
        ended: list[Audited] = []
        if onboarding.unlimited and is_unverified(user):
            take_over(matched, list(individuals.values()), invitation, password_hash)
            ended = [*await end_totp(self.store, user.id), *await void_codes(self.store, user.id)]
        primary = individuals[user.individual_id]
        if invitation.onboard_type == "provider":
            require_no_participant(list(individuals.values()))
        elif user.organizations:
            raise AlreadyProvider
        if destination.individual is not None and primary.owner_id != user.id:
            raise InvalidState(argument="individual_id")  # the user has not claimed their primary individual yet
        individual = destination.individual or primary
        admission = await self.enter(user, individual, invitation.onboard_type, destination)
        further = [individual for individual in individuals.values() if individual.id != admission.individual.id]
        return admission._replace(individuals=[*admission.individuals, *further], released=matched.others, ended=ended)

    async def enter(
        self, user: User, individual: Individual, onboard_type: OnboardType, destination: Destination
    ) -> Admission:
        """Make the user a provider or a patient of the organization now. Raises ProvisionalUser."""
        organization_id = destination.organization.id
        former_owner_id = individual.owner_id
        if user.provisional and individual.all_organizations - {organization_id}:
            raise ProvisionalUser(argument="individual_id")
        individual.change_owner("user", user.id)
        user.acquire_individual(individual.id)
        roles = {role.id: role for role in destination.roles}
        roles |= {role.id: role for role in await update_admin_roles(self.store, user)}
        if onboard_type == "patient":
            if former_owner_id != user.id:
                individual.share("organization", former_owner_id)
            individual.share("organization", organization_id)
            entries = await self._add_entries(destination, "individual", individual.id)
        else:
            individual.mark_provider(provider=True)
            user.join(organization_id)
            for role in [roles[role.id] for role in destination.roles]:
                role.grant(user.id, live=role.counts(user))
            entries = await self._add_entries(destination, "member", user.id)
        return Admission(user, [individual], list(roles.values()), entries)

    async def _add_entries(self, destination: Destination, kind: RosterKind, subject_id: UUID) -> list[RosterEntry]:
        """Add the subject to the groups of the destination. Return their roster entries."""
        ids = {group.id: roster_entry_id(group.id, kind, subject_id) for group in destination.groups}
        entries = await self.store.get_many(RosterEntry, ids.values())
        for entry in entries.values():
            entry.add_again()
        new_entries = [
            RosterEntry.add(group.id, group.organization_id, kind, subject_id)
            for group in destination.groups
            if ids[group.id] not in entries
        ]
        return [*entries.values(), *new_entries]
