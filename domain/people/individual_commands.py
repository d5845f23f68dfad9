"""Commands on individuals: registering them, handing them to another owner, sharing them."""

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
    Party,
    ProviderOwner,
)
from domain.people.users import ProvisionalUser, User

Parties = User | Organization
OTHER_PARTY = "with_/id"
"""The argument that refusals about the other party of a share name."""


@dataclass(frozen=True, eq=False)
class Individuals:
    """Commands on individuals. Each answers the individual as it is then, and the position that shows it."""

    store: Store
    directory: Directory
    permissions: Permissions

    @retry_on_conflict
    async def create(self, principal: Principal, individual_id: UUID, owner_id: UUID) -> tuple[Individual, int]:
        """Register the owner of an individual.

        Raises Forbidden to all but service accounts, OwnerNotFound, IndividualTaken, ProviderOwner, InvalidState when
        the owner is archived.
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
        require_further_owner(owner)
        individual = Individual.create(individual_id, party_type(owner), owner_id)
        return individual, await self._save_owned(individual, owner)

    @retry_on_conflict
    async def share(
        self, principal: Principal, individual_id: UUID, party: Party, party_id: UUID, operation: str | None
    ) -> tuple[Individual, int]:
        """Share the individual. `operation` is "read" or "write", for users only; a later one replaces it.

        A provisional user takes part in one organization only, and so does what they own (ruling O1).

        Raises IndividualNotFound, NotTheOwner, OwnerNotFound (the other party), ProvidersIndividual, InvalidState
        (ProvisionalUser among others).
        """
        individual = await self._require_owned_by(principal, individual_id)
        other = await self._other(party, party_id)
        if isinstance(other, User):
            if other.archived:
                raise InvalidState(argument=OTHER_PARTY)
            if other.provisional and other.provisional_in not in individual.parts:
                raise ProvisionalUser(argument=OTHER_PARTY)
        elif (owner := await self.store.find(User, individual.owner_id)) is not None:
            owner.require_counting_in(party_id, argument=OTHER_PARTY)
        individual.share(party, party_id, operation)
        return individual, await self.store.save(individual, unchanged=[other])

    @retry_on_conflict
    async def unshare(
        self, principal: Principal, individual_id: UUID, party: Party, party_id: UUID
    ) -> tuple[Individual, int]:
        """End a share; an organization's groups lose the individual with it.

        Raises IndividualNotFound, NotTheOwner, OwnerNotFound (the other party).
        """
        individual = await self._require_owned_by(principal, individual_id)
        await self._other(party, party_id)
        individual.unshare(party, party_id)
        left = await self._left_behind(individual, party_id) if party == "organization" else []
        return individual, await self.store.save(*left, individual)

    @retry_on_conflict
    async def change_owner(self, principal: Principal, individual_id: UUID, owner_id: UUID) -> tuple[Individual, int]:
        """Hand the individual to another owner; groups of an organization that has no more part in it lose it.

        Raises Forbidden to all but service accounts, NotFound, OwnerNotFound, ProviderOwner, InvalidState.
        """
        principal.require_service()
        individual = await self.store.get(Individual, individual_id)
        owner = await self._find_party(owner_id)
        if owner is None:
            raise OwnerNotFound
        if individual.owner_id == owner_id:
            return individual, await self.store.save()
        require_further_owner(owner)
        if isinstance(owner, User) and owner.provisional and individual.parts != {owner.provisional_in}:
            raise ProvisionalUser
        former = individual.owner_id
        individual.change_owner(party_type(owner), owner_id)
        left: list[Audited] = [*await self._left_behind(individual, former), *await self._given_up(individual, former)]
        return individual, await self._save_owned(individual, owner, *left)

    async def _save_owned(self, individual: Individual, owner: Parties, *left: Audited) -> int:
        """A user knows what they own, so that they do not become a provider while they get a further individual."""
        if isinstance(owner, User):
            owner.acquire_individual(individual.id)
        return await save_resting_on(self.store, *left, owner, individual)

    async def _require_owned_by(self, principal: Principal, individual_id: UUID) -> Individual:
        """Return the individual, if the principal decides with whom it is shared."""
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

    async def _find_party(self, party_id: UUID) -> Parties | None:
        return _party(*await self.store.find_each((User, party_id), (Organization, party_id)))

    async def _other(self, party: Party, party_id: UUID) -> Parties:
        found = await self._find_party(party_id)
        if found is None or party_type(found) != party:
            raise OwnerNotFound(argument=OTHER_PARTY)
        return found

    async def _given_up(self, individual: Individual, owner_id: UUID) -> list[User]:
        owner = await self.store.find(User, owner_id)
        if owner is None:
            return []
        owner.release_individual(individual.id)
        return [owner]

    async def _left_behind(self, individual: Individual, organization_id: UUID) -> list[RosterEntry]:
        """Its places in the groups of an organization that has no more part in it, left.

        Shares with users who count in that organization only end too.
        """
        if individual.belongs_to(organization_id):
            return []
        for user in (await self.store.get_many(User, individual.users)).values():
            if user.provisional and user.provisional_in == organization_id:
                individual.unshare("user", user.id)
        groups = await self.directory.placements(individual.id, organization_id)
        entries = await self.store.get_many(
            RosterEntry, [roster_entry_id(group, "individual", individual.id) for group in groups]
        )
        for entry in entries.values():
            entry.remove()
        return list(entries.values())


def _party(user: User | None, organization: Organization | None) -> Parties | None:
    """Which of the two may own individuals."""
    return user if user is not None and user.kind == "person" else organization


def party_type(party: Parties) -> Party:
    """What the contract calls the owner or the other side of a share."""
    return "user" if isinstance(party, User) else "organization"


def require_further_owner(owner: Parties) -> None:
    """Raise ProviderOwner for a provider, InvalidState for an archived user."""
    if isinstance(owner, User):
        if owner.archived:
            raise InvalidState
        if owner.organizations:
            raise ProviderOwner
