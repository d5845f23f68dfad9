"""Individuals: their owners, and the organizations and users that they are shared with."""

from dataclasses import field
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import AlreadyExists, Conflict, Forbidden, InvalidState, NotFound
from domain.core.ports import Store
from domain.core.recorded import Event
from domain.people.users import User

PartyType = Literal["user", "organization"]


class IndividualNotFound(NotFound):
    """The individual does not exist, or the caller may not see it."""


class OwnerNotFound(NotFound):
    """The user or organization does not exist."""


class IndividualTaken(AlreadyExists):
    """The individual has another owner."""


class ProviderOwner(Conflict):
    """A provider has exactly one individual, their own."""


class ProvidersIndividual(InvalidState):
    """The individual of a provider cannot be shared."""


class NotTheOwner(Forbidden):
    """Only the owner of an individual may share it."""


@lru_cache(maxsize=10_000)
def individual_stream(aggregate_id: UUID) -> UUID:
    """Return the id of the individual's stream.

    Clients choose the ids of individuals. A chosen id must not collide with the id of another kind of aggregate.
    """
    return uuid5(aggregate_id, "individual")


class OfIndividual:
    """Mixin for the events of individuals: they have the individual's id, because their stream has another id."""

    NAMED_BY: ClassVar[str | None] = "individual_id"
    stream_of = staticmethod(individual_stream)


class Individual(Audited):
    """A person whose health data the platform keeps.

    `organizations` are the organizations that the individual is shared with. `users` maps the ids of the users that it
    is shared with to "read" or "write". `provider` marks a provider's own individual, which is never shared.
    """

    TOPIC = "individual"
    stream_of = staticmethod(individual_stream)

    owner_type: PartyType
    owner_id: UUID
    provider: bool
    organizations: dict[UUID, bool] = field(default_factory=dict)
    users: dict[UUID, str] = field(default_factory=dict)

    class Created(OfIndividual, Audited.Created):
        """An individual was created; `provider` marks a provider's own individual, which is never shared."""

        TOPIC = "individual.created"
        individual_id: UUID
        owner_type: PartyType
        owner_id: UUID
        provider: bool

    class OwnerChanged(OfIndividual, Audited.Event):
        """The individual got another owner."""

        TOPIC = "individual.owner-changed"
        individual_id: UUID
        owner_type: PartyType
        owner_id: UUID

    class MarkedProvider(OfIndividual, Audited.Event):
        """The owner of the individual became a provider, or stopped being one."""

        TOPIC = "individual.marked-provider"
        individual_id: UUID
        provider: bool

    class SharedWithOrganization(OfIndividual, Audited.Event):
        """The individual was shared with an organization."""

        TOPIC = "individual.shared-with-organization"
        individual_id: UUID
        organization_id: UUID

    class UnsharedFromOrganization(OfIndividual, Audited.Event):
        """The share with an organization ended."""

        TOPIC = "individual.unshared-from-organization"
        individual_id: UUID
        organization_id: UUID

    class SharedWithUser(OfIndividual, Audited.Event):
        """The individual was shared with a user for the operation, which replaces the one of an earlier share."""

        TOPIC = "individual.shared-with-user"
        individual_id: UUID
        user_id: UUID
        operation: str

    class UnsharedFromUser(OfIndividual, Audited.Event):
        """The share with a user ended."""

        TOPIC = "individual.unshared-from-user"
        individual_id: UUID
        user_id: UUID

    @classmethod
    def create(
        cls, individual_id: UUID, owner_type: PartyType, owner_id: UUID, *, provider: bool = False
    ) -> "Individual":
        """Return a new individual that is not shared."""
        return cls._create(cls.Created, id=individual_id, owner_type=owner_type, owner_id=owner_id, provider=provider)

    def trigger_event(self, event_class: type[Event], **fields: Any) -> None:
        """Trigger the event with the individual's id."""
        super().trigger_event(event_class, individual_id=self.id, **fields)

    @classmethod
    def _create(cls, event_class: Any, **fields: Any) -> Self:
        return super()._create(event_class, individual_id=fields["id"], **fields)

    @property
    def shared(self) -> bool:
        """Return whether the individual is shared with an organization or a user."""
        return bool(self.organizations or self.users)

    def share(self, party_type: PartyType, party_id: UUID, operation: str | None = None) -> None:
        """Share the individual with an organization, or with a user for the operation. The owner needs no share.

        Raises ProvidersIndividual.
        """
        if self.provider:
            raise ProvidersIndividual
        if party_id == self.owner_id:
            return
        if party_type == "organization" and party_id not in self.organizations:
            self._shared_with_organization(party_id)
        if party_type == "user" and operation is not None and self.users.get(party_id) != operation:
            self._shared_with_user(party_id, operation)

    def unshare(self, party_type: PartyType, party_id: UUID) -> None:
        """End the share with an organization or a user, if there is one."""
        if party_type == "organization" and party_id in self.organizations:
            self._unshared_from_organization(party_id)
        if party_type == "user" and party_id in self.users:
            self._unshared_from_user(party_id)

    def unshare_users(self) -> None:
        """End the shares with all users."""
        for user_id in list(self.users):
            self._unshared_from_user(user_id)

    def change_owner(self, owner_type: PartyType, owner_id: UUID) -> None:
        """Give the individual to another owner."""
        if owner_id != self.owner_id:
            self._owner_changed(owner_type, owner_id)

    def mark_provider(self, *, provider: bool) -> None:
        """Record that the owner became or stopped being a provider. Raises InvalidState for a shared individual."""
        if provider and self.shared:
            raise InvalidState
        if provider != self.provider:
            self._marked_provider(provider)

    @property
    def all_organizations(self) -> set[UUID]:
        """Return the organizations that own the individual or that it is shared with."""
        return {*self.organizations, *([self.owner_id] if self.owner_type == "organization" else [])}

    def belongs_to(self, organization_id: UUID) -> bool:
        """Return whether the organization owns the individual or the individual is shared with it."""
        return self.owner_id == organization_id or organization_id in self.organizations

    @event(OwnerChanged)
    def _owner_changed(self, owner_type: PartyType, owner_id: UUID) -> None:
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


async def sharing_organizations(store: Store, user: User) -> set[UUID]:
    """Return the organizations with which the user shares an individual of their own."""
    individuals = await store.get_many(Individual, user.individuals)
    return {each for own in individuals.values() if own.owner_id == user.id for each in own.organizations}
