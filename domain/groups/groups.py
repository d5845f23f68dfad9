"""Groups and divisions: the nodes of an organization's care-team tree, without their rosters and parents."""

from collections.abc import Iterable
from typing import Literal
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.core.audited import Audited
from domain.core.errors import Conflict, InvalidState, NotFound

NodeType = Literal["division", "group"]
GroupType = Literal["regular", "provider_only", "all_participants", "unassigned"]
SYSTEM_TYPES: tuple[GroupType, ...] = ("all_participants", "unassigned")


class GroupNotFound(NotFound):
    """The group does not exist, or the caller may not see it."""


class GroupSystemManaged(Conflict, code="group-system-managed"):
    """The service manages this group; it cannot be changed."""


class GroupInactive(InvalidState):
    """The group is no longer active."""


class GroupNotEmpty(Conflict, code="group-not-empty"):
    """The group contains other groups."""


class GroupProviderOnly(Conflict, code="group-provider-only"):
    """The group is for providers only and cannot contain individuals."""


def system_group_id(organization_id: UUID, group_type: GroupType) -> UUID:
    """Return the id of the organization's computed group of this type."""
    return uuid5(organization_id, f"group:{group_type}")


class Group(Audited):
    """A node of the tree: its name, tags and types. An inactive group never becomes active again."""

    TOPIC = "group"

    organization_id: UUID
    name: str
    node_type: NodeType
    type: GroupType
    tags: list[str]
    active: bool = True

    class Created(Audited.Created):
        """A group was created at the top of its organization's tree."""

        TOPIC = "group.created"
        organization_id: UUID
        name: str
        node_type: NodeType
        type: GroupType
        tags: list[str]

    class Renamed(Audited.Event):
        """The group got another name."""

        TOPIC = "group.renamed"
        name: str

    class TagsChanged(Audited.Event):
        """The tags of the group were replaced by these."""

        TOPIC = "group.tags-changed"
        tags: list[str]

    class LeadersReplaced(Audited.Event):
        """All leaders of the group were replaced.

        The events of the roster entries tell who leads. This event makes two concurrent replacements conflict.
        """

        TOPIC = "group.leaders-replaced"

    class Deactivated(Audited.Event):
        """The group was deactivated for ever."""

        TOPIC = "group.deactivated"
        organization_id: UUID

    @classmethod
    def create(
        cls,
        group_id: UUID,
        organization_id: UUID,
        name: str,
        *,
        node_type: NodeType = "group",
        type: GroupType = "regular",  # noqa: A002
        tags: Iterable[str] = (),
    ) -> "Group":
        """Return a new group at the top of the organization's tree."""
        return cls._create(
            cls.Created,
            id=group_id,
            organization_id=organization_id,
            name=name,
            node_type=node_type,
            type=type,
            tags=list(tags),
        )

    @classmethod
    def create_computed(cls, organization_id: UUID, group_type: GroupType, name: str) -> "Group":
        """Return a new computed group; an organization has one of each of the two types."""
        return cls.create(system_group_id(organization_id, group_type), organization_id, name, type=group_type)

    @property
    def system_managed(self) -> bool:
        """Return whether the service computes the individuals of the group, which no caller may change."""
        return self.type in SYSTEM_TYPES

    def rename(self, name: str) -> None:
        """Give the group this name. Record no event when it has the name already."""
        if name != self.name:
            self._renamed(name)

    def change_tags(self, tags: Iterable[str]) -> None:
        """Replace the tags. Record no event when they are equal already."""
        if list(tags) != self.tags:
            self._tags_changed(list(tags))

    def record_leaders_replaced(self) -> None:
        """Record that all leaders are replaced."""
        self._leaders_replaced()

    def deactivate(self) -> None:
        """Deactivate the group for ever. Record no event when it is inactive already."""
        if self.active:
            self._deactivated(self.organization_id)

    @event(Renamed)
    def _renamed(self, name: str) -> None:
        self.name = name

    @event(TagsChanged)
    def _tags_changed(self, tags: list[str]) -> None:
        self.tags = tags

    @event(LeadersReplaced)
    def _leaders_replaced(self) -> None:
        pass

    @event(Deactivated)
    def _deactivated(self, organization_id: UUID) -> None:  # noqa: ARG002 - for projections
        self.active = False
