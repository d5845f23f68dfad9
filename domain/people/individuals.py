"""Individuals: the records of persons, who owns them and with whom they are shared."""

from dataclasses import field
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import AlreadyExists, Conflict, Forbidden, InvalidState, NotFound
from domain.core.recorded import Event

Party = Literal["user", "organization"]


class IndividualNotFound(NotFound):
    """There is no such individual, or the caller may not see it."""


class OwnerNotFound(NotFound):
    """There is no such user or organization."""


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
    organizations: dict[UUID, bool] = field(default_factory=dict)
    users: dict[UUID, str] = field(default_factory=dict)

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

    def unshare_users(self) -> None:
        """End the shares with all users."""
        for user_id in list(self.users):
            self._unshared_from_user(user_id)

    def change_owner(self, owner_type: Party, owner_id: UUID) -> None:
        if owner_id != self.owner_id:
            self._owner_changed(owner_type, owner_id)

    def mark_provider(self, *, provider: bool) -> None:
        """It is its owner's, who is a provider from now on (or no more). Raises InvalidState while it is shared."""
        if provider and self.shared:
            raise InvalidState
        if provider != self.provider:
            self._marked_provider(provider)

    @property
    def parts(self) -> set[UUID]:
        """Organizations that own it or that it is shared with."""
        return {*self.organizations, *([self.owner_id] if self.owner_type == "organization" else [])}

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
