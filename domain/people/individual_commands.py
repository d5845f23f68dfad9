"""Commands that register individuals, share them and change their owner."""

from dataclasses import dataclass
from uuid import UUID

from domain.core.audited import Audited
from domain.core.errors import InvalidState
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store, retry_on_conflict, save_resting_on
from domain.core.principal import Principal
from domain.groups.rosters import RosterEntry, roster_entry_id
from domain.organizations.organizations import Organization
from domain.people.directory import Directory
from domain.people.individuals import (
    Individual,
    IndividualNotFound,
    IndividualTaken,
    NotTheOwner,
    OwnerNotFound,
    PartyType,
    ProviderOwner,
)
from domain.people.users import ProvisionalUser, User

Party = User | Organization
"""An owner of an individual, or the user or organization that it is shared with."""
OTHER_PARTY = "with_/id"
"""The argument that refusals about the other party of a share are about."""


@dataclass(frozen=True, eq=False)
class Individuals:
    """Commands on individuals. Each returns the changed individual and the position of its events."""

    store: Store
    directory: Directory
    permissions: Permissions

    @retry_on_conflict
    async def create(self, principal: Principal, individual_id: UUID, owner_id: UUID) -> tuple[Individual, int]:
        """Register an individual with its owner.

        Raises Forbidden unless the principal is a service account; OwnerNotFound, IndividualTaken, ProviderOwner;
        InvalidState when the owner is archived.
        """
        principal.require_service()
        user, organization, individual = await self.store.find_each(
            (User, owner_id), (Organization, owner_id), (Individual, individual_id)
        )
        owner = _party(user, organization)
        if owner is None:
            raise OwnerNotFound(argument="owner_id")
        if individual is not None:
            if individual.owner_id != owner_id:
                raise IndividualTaken(argument="individual_id")
            return individual, await self.store.save(individual)
        require_eligible_owner(owner)
        individual = Individual.create(individual_id, party_type(owner), owner_id)
        return individual, await self._save_owned(individual, owner)

    @retry_on_conflict
    async def share(
        self, principal: Principal, individual_id: UUID, party_type: PartyType, party_id: UUID, operation: str | None
    ) -> tuple[Individual, int]:
        """Share the individual. `operation` ("read" or "write") is for users only and replaces an earlier one.

        A provisional user and their individuals belong to one organization only (ruling O1).

        Raises IndividualNotFound, NotTheOwner, OwnerNotFound (the other party), ProvidersIndividual, InvalidState
        (ProvisionalUser among others).
        """
        individual = await self._require_owned_by(principal, individual_id)
        other = await self._require_party(party_type, party_id)
        if isinstance(other, User):
            if other.archived:
                raise InvalidState(argument=OTHER_PARTY)
            if other.provisional and other.provisional_in not in individual.all_organizations:
                raise ProvisionalUser(argument=OTHER_PARTY)
        elif (owner := await self.store.find(User, individual.owner_id)) is not None:
            owner.require_not_limited_to_another(party_id, argument=OTHER_PARTY)
        individual.share(party_type, party_id, operation)
        return individual, await self.store.save(individual, unchanged=[other])

    @retry_on_conflict
    async def unshare(
        self, principal: Principal, individual_id: UUID, party_type: PartyType, party_id: UUID
    ) -> tuple[Individual, int]:
        """End a share. If it was with an organization, remove the individual from the organization's groups.

        Raises IndividualNotFound, NotTheOwner, OwnerNotFound (the other party).
        """
        individual = await self._require_owned_by(principal, individual_id)
        await self._require_party(party_type, party_id)
        individual.unshare(party_type, party_id)
        entries = await self._leave_groups(individual, party_id) if party_type == "organization" else []
        return individual, await self.store.save(*entries, individual)

    @retry_on_conflict
    async def change_owner(self, principal: Principal, individual_id: UUID, owner_id: UUID) -> tuple[Individual, int]:
        """Change the owner. Remove the individual from the groups of an organization that it no longer belongs to.

        Raises Forbidden unless the principal is a service account; NotFound, OwnerNotFound, ProviderOwner,
        InvalidState.
        """
        principal.require_service()
        individual = await self.store.get(Individual, individual_id)
        owner = await self._find_party(owner_id)
        if owner is None:
            raise OwnerNotFound
        if individual.owner_id == owner_id:
            return individual, await self.store.save()
        require_eligible_owner(owner)
        if isinstance(owner, User) and owner.provisional and individual.all_organizations != {owner.provisional_in}:
            raise ProvisionalUser
        former_owner_id = individual.owner_id
        individual.change_owner(party_type(owner), owner_id)
        entries = await self._leave_groups(individual, former_owner_id)
        former_owners = await self._release_from(former_owner_id, individual)
        return individual, await self._save_owned(individual, owner, *entries, *former_owners)

    async def _save_owned(self, individual: Individual, owner: Party, *others: Audited) -> int:
        """Save the individual and its owner.

        A user records what they own, so that becoming a provider conflicts with getting another individual.
        """
        if isinstance(owner, User):
            owner.acquire_individual(individual.id)
        return await save_resting_on(self.store, *others, owner, individual)

    async def _require_owned_by(self, principal: Principal, individual_id: UUID) -> Individual:
        """Return the individual if the principal may share it. Raises IndividualNotFound, NotTheOwner."""
        individual = await self.store.find(Individual, individual_id)
        if individual is None:
            raise IndividualNotFound
        if principal.unlimited or principal.user_id == individual.owner_id:
            return individual
        reads, owns = await self.permissions.allows(
            principal,
            AccessQuery("individual", individual_id, "read"),
            AccessQuery("organization", individual.owner_id, "write"),
        )
        if owns:
            return individual
        raise NotTheOwner if reads else IndividualNotFound

    async def _find_party(self, party_id: UUID) -> Party | None:
        return _party(*await self.store.find_each((User, party_id), (Organization, party_id)))

    async def _require_party(self, expected_type: PartyType, party_id: UUID) -> Party:
        party = await self._find_party(party_id)
        if party is None or party_type(party) != expected_type:
            raise OwnerNotFound(argument=OTHER_PARTY)
        return party

    async def _release_from(self, owner_id: UUID, individual: Individual) -> list[User]:
        """Release the individual from its former owner. Return that user, if the owner was a user."""
        owner = await self.store.find(User, owner_id)
        if owner is None:
            return []
        owner.release_individual(individual.id)
        return [owner]

    async def _leave_groups(self, individual: Individual, organization_id: UUID) -> list[RosterEntry]:
        """Remove the individual from the organization's groups, unless it still belongs to it. Return the entries.

        End the shares with provisional users of that organization, too.
        """
        if individual.belongs_to(organization_id):
            return []
        for user in (await self.store.get_many(User, individual.users)).values():
            if user.provisional and user.provisional_in == organization_id:
                individual.unshare("user", user.id)
        return await leave_groups(self.store, self.directory, individual.id, organization_id)


def _party(user: User | None, organization: Organization | None) -> Party | None:
    """Return the user if it is a person, else the organization."""
    return user if user is not None and user.kind == "person" else organization


async def leave_groups(
    store: Store, directory: Directory, individual_id: UUID, organization_id: UUID
) -> list[RosterEntry]:
    """Remove an individual from all groups of the organization. Return the roster entries, which the caller saves."""
    groups = await directory.placements(individual_id, organization_id)
    ids = [roster_entry_id(group_id, "individual", individual_id) for group_id in groups]
    entries = list((await store.get_many(RosterEntry, ids)).values())
    for entry in entries:
        entry.remove()
    return entries


def party_type(party: Party) -> PartyType:
    """Return the contract's name for the type of the party."""
    return "user" if isinstance(party, User) else "organization"


def require_eligible_owner(owner: Party) -> None:
    """Raise ProviderOwner for a provider, InvalidState for an archived user; they cannot get another individual."""
    if isinstance(owner, User):
        if owner.archived:
            raise InvalidState
        if owner.organizations:
            raise ProviderOwner
