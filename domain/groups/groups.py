"""Groups and divisions: the nodes of an organization's care-team tree, without their rosters and places."""

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
    """There is no such group, or the caller may not see it."""


class GroupSystemManaged(Conflict, code="group-system-managed"):
    detail = "The service keeps this group itself."


class GroupInactive(InvalidState):
    detail = "The group is not active any more."


class GroupNotEmpty(Conflict, code="group-not-empty"):
    detail = "Other groups stand under it."


class GroupProviderOnly(Conflict, code="group-provider-only"):
    detail = "The group is for providers only and takes no individuals."


def system_group_id(organization_id: UUID, group_type: GroupType) -> UUID:
    """The id of an organization's computed group."""
    return uuid5(organization_id, f"group:{group_type}")


class Group(Audited):
    """A node: its name, tags and kind. An inactive one never becomes active again."""

    TOPIC = "group"

    organization_id: UUID
    name: str
    node_type: NodeType
    type: GroupType
    tags: list[str]
    active: bool = True

    class Created(Audited.Created):
        TOPIC = "group.created"
        organization_id: UUID
        name: str
        node_type: NodeType
        type: GroupType
        tags: list[str]

    class Renamed(Audited.Event):
        TOPIC = "group.renamed"
        name: str

    class TagsChanged(Audited.Event):
        """All tags, as they are from now on."""

        TOPIC = "group.tags-changed"
        tags: list[str]

    class LeadersReplaced(Audited.Event):
        """The leaders were set as a whole; their entries tell who. Of two callers who do that at once one is later."""

        TOPIC = "group.leaders-replaced"

    class Deactivated(Audited.Event):
        TOPIC = "group.deactivated"
        organization_id: UUID

    @classmethod
    def make(
        cls,
        group_id: UUID,
        organization_id: UUID,
        name: str,
        *,
        node_type: NodeType = "group",
        type: GroupType = "regular",  # noqa: A002
        tags: Iterable[str] = (),
    ) -> "Group":
        """A new node at the top of the organization's tree."""
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
    def computed(cls, organization_id: UUID, group_type: GroupType, name: str) -> "Group":
        """One of the organization's two groups whose individuals are computed."""
        return cls.make(system_group_id(organization_id, group_type), organization_id, name, type=group_type)

    @property
    def system_managed(self) -> bool:
        """Whether its individuals are computed and nobody changes it."""
        return self.type in SYSTEM_TYPES

    def rename(self, name: str) -> None:
        if name != self.name:
            self._renamed(name)

    def tag(self, tags: Iterable[str]) -> None:
        """From now on these tags and no others."""
        if list(tags) != self.tags:
            self._tags_changed(list(tags))

    def leaders_replaced(self) -> None:
        self._leaders_replaced()

    def deactivate(self) -> None:
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
