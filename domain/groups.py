"""Groups and divisions: the nodes of an organization's care-team tree, without their rosters and places."""

from typing import Literal
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.audited import Audited
from domain.errors import NotFound

NodeType = Literal["division", "group"]
GroupType = Literal["regular", "provider_only", "all_participants", "unassigned"]
SYSTEM_TYPES: tuple[GroupType, ...] = ("all_participants", "unassigned")


class GroupNotFound(NotFound):
    detail = "There is no such group, or you may not see it."


def system_group_id(organization_id: UUID, group_type: GroupType) -> UUID:
    """The id of an organization's computed group."""
    return uuid5(organization_id, f"group:{group_type}")


class Group(Audited):
    TOPIC = "group"

    organization_id: UUID
    name: str
    node_type: NodeType
    type: GroupType
    tags: list[str]
    active: bool

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

    class Tagged(Audited.Event):
        """All tags, as they are from now on."""

        TOPIC = "group.tagged"
        tags: list[str]

    class Deactivated(Audited.Event):
        TOPIC = "group.deactivated"
        organization_id: UUID

    @event(Created)
    def __init__(
        self, organization_id: UUID, name: str, node_type: NodeType, type: GroupType, tags: list[str]  # noqa: A002
    ) -> None:
        self.organization_id = organization_id
        self.name = name
        self.node_type = node_type
        self.type = type
        self.tags = tags
        self.active = True

    @event(Renamed)
    def _renamed(self, name: str) -> None:
        self.name = name

    @event(Tagged)
    def _tagged(self, tags: list[str]) -> None:
        self.tags = tags

    @event(Deactivated)
    def _deactivated(self, organization_id: UUID) -> None:  # noqa: ARG002 - for projections
        self.active = False
