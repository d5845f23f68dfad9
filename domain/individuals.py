"""Individuals: the records of persons, who owns them and with whom they are shared."""

from functools import lru_cache
from typing import Any, ClassVar, Literal, Self
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.audited import Audited
from domain.errors import AlreadyExists, Conflict, Forbidden, InvalidState, NotFound
from domain.organizations import Organization
from domain.ports import Access, AccessQuery, Directory, Store, decided_again
from domain.recorded import Event
from domain.rosters import Seat, seat_id
from domain.users import User

Party = Literal["user", "organization"]
Parties = User | Organization


class IndividualNotFound(NotFound):
    detail = "There is no such individual, or you may not see it."


class OwnerNotFound(NotFound):
    detail = "There is no such user or organization."


class IndividualTaken(AlreadyExists):
    detail = "The individual has another owner."


class ProviderOwner(Conflict):
    detail = "A provider has exactly one individual, his own."


class ProvidersIndividual(InvalidState):
    detail = "A provider's own individual is not shared."


class NotTheOwner(Forbidden):
    detail = "Only its owner may share an individual."


@lru_cache(maxsize=10_000)
def individual_stream(aggregate_id: UUID) -> UUID:
    """Clients choose the ids of individuals, perhaps one that something else has: only individuals are compared."""
    return uuid5(aggregate_id, "individual")


class OfIndividual:
    """Events in a stream that is not named after the individual carry its id."""

    NAMED_BY: ClassVar[str | None] = "individual_id"
    stream_of = staticmethod(individual_stream)


class Individual(Audited):
    """`organizations` are those it is shared with; `users` those it is shared with, by id: "read" or "write"."""

    TOPIC = "individual"
    stream_of = staticmethod(individual_stream)

    owner_type: Party
    owner_id: UUID
    provider: bool
    organizations: dict[UUID, bool]
    users: dict[UUID, str]

    class Created(OfIndividual, Audited.Created):
        """`provider` marks a provider's own individual, which is never shared."""

        TOPIC = "individual.created"
        individual_id: UUID
        owner_type: Party
        owner_id: UUID
        provider: bool

    class OwnerChanged(OfIndividual, Audited.Event):
        TOPIC = "individual.owner-changed"
        individual_id: UUID
        owner_type: Party
        owner_id: UUID

    class MarkedProvider(OfIndividual, Audited.Event):
        """Its owner became a provider (or ceased to be one)."""

        TOPIC = "individual.marked-provider"
        individual_id: UUID
        provider: bool

    class SharedWithOrganization(OfIndividual, Audited.Event):
        TOPIC = "individual.shared-with-organization"
        individual_id: UUID
        organization_id: UUID

    class UnsharedFromOrganization(OfIndividual, Audited.Event):
        TOPIC = "individual.unshared-from-organization"
        individual_id: UUID
        organization_id: UUID

    class SharedWithUser(OfIndividual, Audited.Event):
        """A later share with the same user replaces the operation."""

        TOPIC = "individual.shared-with-user"
        individual_id: UUID
        user_id: UUID
        operation: str

    class UnsharedFromUser(OfIndividual, Audited.Event):
        TOPIC = "individual.unshared-from-user"
        individual_id: UUID
        user_id: UUID

    @event(Created)
    def __init__(self, owner_type: Party, owner_id: UUID, provider: bool) -> None:
        self.owner_type = owner_type
        self.owner_id = owner_id
        self.provider = provider
        self.organizations = {}
        self.users = {}

    @classmethod
    def create(cls, individual_id: UUID, owner_type: Party, owner_id: UUID, *, provider: bool = False) -> "Individual":
        return cls._create(cls.Created, id=individual_id, owner_type=owner_type, owner_id=owner_id, provider=provider)

    def trigger_event(self, event_class: type[Event], **fields: Any) -> None:
        super().trigger_event(event_class, individual_id=self.id, **fields)

    @classmethod
    def _create(cls, event_class: Any, **fields: Any) -> Self:
        return super()._create(event_class, individual_id=fields["id"], **fields)

    @property
    def shared(self) -> bool:
        return bool(self.organizations or self.users)

    def share(self, party: Party, party_id: UUID, operation: str | None = None) -> None:
        """Share with an organization, or with a user for the operation; its owner needs no share.

        Raises ProvidersIndividual.
        """
        if self.provider:
            raise ProvidersIndividual
        if party_id == self.owner_id:
            return
        if party == "organization" and party_id not in self.organizations:
            self._shared_with_organization(party_id)
        if party == "user" and operation is not None and self.users.get(party_id) != operation:
            self._shared_with_user(party_id, operation)

    def unshare(self, party: Party, party_id: UUID) -> None:
        if party == "organization" and party_id in self.organizations:
            self._unshared_from_organization(party_id)
        if party == "user" and party_id in self.users:
            self._unshared_from_user(party_id)

    def change_owner(self, owner_type: Party, owner_id: UUID) -> None:
        if owner_id != self.owner_id:
            self._owner_changed(owner_type, owner_id)

    def mark_provider(self, *, provider: bool) -> None:
        """It is its owner's, who is a provider from now on (or no more). Raises InvalidState while it is shared."""
        if provider and self.shared:
            raise InvalidState
        if provider != self.provider:
            self._marked_provider(provider)

    def belongs_to(self, organization_id: UUID) -> bool:
        """Whether the organization owns it or it is shared with the organization."""
        return self.owner_id == organization_id or organization_id in self.organizations

    @event(OwnerChanged)
    def _owner_changed(self, owner_type: Party, owner_id: UUID) -> None:
        self.owner_type = owner_type
        self.owner_id = owner_id

    @event(MarkedProvider)
    def _marked_provider(self, provider: bool) -> None:
        self.provider = provider

    @event(SharedWithOrganization)
    def _shared_with_organization(self, organization_id: UUID) -> None:
        self.organizations[organization_id] = True

    @event(UnsharedFromOrganization)
    def _unshared_from_organization(self, organization_id: UUID) -> None:
        del self.organizations[organization_id]

    @event(SharedWithUser)
    def _shared_with_user(self, user_id: UUID, operation: str) -> None:
        self.users[user_id] = operation

    @event(UnsharedFromUser)
    def _unshared_from_user(self, user_id: UUID) -> None:
        del self.users[user_id]


class Individuals:
    """Commands on individuals. Each answers the individual as it is then, and the position that shows it."""

    def __init__(self, store: Store, directory: Directory, access: Access) -> None:
        self._store = store
        self._directory = directory
        self._access = access

    @decided_again
    async def create(self, individual_id: UUID, owner_id: UUID) -> tuple[Individual, int]:
        """Register the owner of an individual.

        Raises OwnerNotFound, IndividualTaken, ProviderOwner, InvalidState when the owner is archived.
        """
        user, organization, individual = await self._store.find_each(
            (User, owner_id), (Organization, owner_id), (Individual, individual_id)
        )
        owner = _party(user, organization)
        if owner is None:
            raise OwnerNotFound(pointer="/data/attributes/owner-id")
        if individual is not None:
            if individual.owner_id != owner_id:
                raise IndividualTaken(pointer="/data/attributes/individual-id")
            return individual, await self._store.save(individual)
        refuse_as_further_owner(owner)
        individual = Individual.create(individual_id, party_type(owner), owner_id)
        return individual, await self._save_owned(individual, owner)

    @decided_again
    async def share(
        self, individual_id: UUID, party: Party, party_id: UUID, operation: str | None, *, caller_id: UUID
    ) -> tuple[Individual, int]:
        """Share the individual. `operation` is "read" or "write", for users only; a later one replaces it.

        Raises IndividualNotFound, NotTheOwner, OwnerNotFound (the other party), ProvidersIndividual, InvalidState.
        """
        individual = await self._owned_by(caller_id, individual_id)
        other = await self._other(party, party_id)
        if isinstance(other, User) and other.archived:
            raise InvalidState(pointer="/with/id")
        individual.share(party, party_id, operation)
        return individual, await self._store.save(individual)

    @decided_again
    async def unshare(
        self, individual_id: UUID, party: Party, party_id: UUID, *, caller_id: UUID
    ) -> tuple[Individual, int]:
        """End a share; an organization's groups lose the individual with it.

        Raises IndividualNotFound, NotTheOwner, OwnerNotFound (the other party).
        """
        individual = await self._owned_by(caller_id, individual_id)
        await self._other(party, party_id)
        individual.unshare(party, party_id)
        left = await self._left_behind(individual, party_id) if party == "organization" else []
        return individual, await self._store.save(*left, individual)

    @decided_again
    async def change_owner(self, individual_id: UUID, owner_id: UUID) -> tuple[Individual, int]:
        """Hand the individual to another owner; groups of an organization that has no more part in it lose it.

        Raises NotFound, OwnerNotFound, ProviderOwner, InvalidState.
        """
        individual = await self._store.get(Individual, individual_id)
        owner = await self._find_party(owner_id)
        if owner is None:
            raise OwnerNotFound
        if individual.owner_id == owner_id:
            return individual, await self._store.save()
        refuse_as_further_owner(owner)
        former = individual.owner_id
        individual.change_owner(party_type(owner), owner_id)
        left: list[Audited] = [*await self._left_behind(individual, former), *await self._given_up(individual, former)]
        return individual, await self._save_owned(individual, owner, *left)

    async def _save_owned(self, individual: Individual, owner: Parties, *left: Audited) -> int:
        """A user knows what he owns, so that nobody becomes a provider while he gets a further individual."""
        if isinstance(owner, User):
            owner.take_on(individual.id)
        return await self._store.save(*left, owner, individual)

    async def _owned_by(self, caller_id: UUID, individual_id: UUID) -> Individual:
        """The individual, if the caller decides with whom it is shared."""
        individual = await self._store.find(Individual, individual_id)
        if individual is None:
            raise IndividualNotFound
        reads, governs, owns = await self._access.decide(
            caller_id,
            [
                AccessQuery("individual", individual_id, "read"),
                AccessQuery("system", "", "write"),
                AccessQuery("organization", individual.owner_id, "write"),
            ],
        )
        if governs or owns or caller_id == individual.owner_id:
            return individual
        raise NotTheOwner if reads else IndividualNotFound

    async def _find_party(self, party_id: UUID) -> Parties | None:
        return _party(*await self._store.find_each((User, party_id), (Organization, party_id)))

    async def _other(self, party: Party, party_id: UUID) -> Parties:
        found = await self._find_party(party_id)
        if found is None or party_type(found) != party:
            raise OwnerNotFound(pointer="/with/id")
        return found

    async def _given_up(self, individual: Individual, owner_id: UUID) -> list[User]:
        owner = await self._store.find(User, owner_id)
        if owner is None:
            return []
        owner.give_up(individual.id)
        return [owner]

    async def _left_behind(self, individual: Individual, organization_id: UUID) -> list[Seat]:
        """Its places in the groups of an organization that has no more part in it, left."""
        if individual.belongs_to(organization_id):
            return []
        groups = await self._directory.placements(individual.id, organization_id)
        seats = await self._store.get_many(Seat, [seat_id(group, "individual", individual.id) for group in groups])
        for seat in seats.values():
            seat.leave()
        return list(seats.values())


def _party(user: User | None, organization: Organization | None) -> Parties | None:
    """Which of the two may own individuals."""
    return user if user is not None and user.kind == "person" else organization


def party_type(party: Parties) -> Party:
    """What the contract calls the owner or the other side of a share."""
    return "user" if isinstance(party, User) else "organization"


def refuse_as_further_owner(owner: Parties) -> None:
    """Raises ProviderOwner for a provider, InvalidState for an archived user."""
    if isinstance(owner, User):
        if owner.archived:
            raise InvalidState
        if owner.organizations:
            raise ProviderOwner
