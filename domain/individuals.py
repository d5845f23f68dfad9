"""Individuals: the records of persons, who owns them and with whom they are shared."""

from typing import Literal
from uuid import UUID

from eventsourcing.domain import event

from domain.audited import Audited
from domain.errors import NotFound

Party = Literal["user", "organization"]


class IndividualNotFound(NotFound):
    detail = "There is no such individual, or you may not see it."


class Individual(Audited):
    """`organizations` are those it is shared with; `users` those it is shared with, by id: "read" or "write"."""

    TOPIC = "individual"

    owner_type: Party
    owner_id: UUID
    provider: bool
    organizations: dict[UUID, bool]
    users: dict[UUID, str]

    class Created(Audited.Created):
        """`provider` marks a provider's own individual, which is never shared."""

        TOPIC = "individual.created"
        owner_type: Party
        owner_id: UUID
        provider: bool

    class OwnerChanged(Audited.Event):
        TOPIC = "individual.owner-changed"
        owner_type: Party
        owner_id: UUID

    class MarkedProvider(Audited.Event):
        """Its owner became a provider (or ceased to be one)."""

        TOPIC = "individual.marked-provider"
        provider: bool

    class SharedWithOrganization(Audited.Event):
        TOPIC = "individual.shared-with-organization"
        organization_id: UUID

    class UnsharedFromOrganization(Audited.Event):
        TOPIC = "individual.unshared-from-organization"
        organization_id: UUID

    class SharedWithUser(Audited.Event):
        """A later share with the same user replaces the operation."""

        TOPIC = "individual.shared-with-user"
        user_id: UUID
        operation: str

    class UnsharedFromUser(Audited.Event):
        TOPIC = "individual.unshared-from-user"
        user_id: UUID

    @event(Created)
    def __init__(self, owner_type: Party, owner_id: UUID, provider: bool) -> None:
        self.owner_type = owner_type
        self.owner_id = owner_id
        self.provider = provider
        self.organizations = {}
        self.users = {}

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
