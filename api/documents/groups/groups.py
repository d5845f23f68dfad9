"""Groups: /v1/individual-groups/ and /v2/individual-groups/ (semantics 5, rulings F1 to F15)."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool

from api.documents.addresses import SomeRosterEmails
from api.documents.common import Attributes, Listing, Resource, Single, Strict
from api.documents.envelope import CreateRequest, UpdateRequest
from api.documents.fields import (
    Ids,
    Name,
    Omittable,
    RosterIds,
    SomeRosterIds,
    Tags,
    Text255,
    UuidText,
    exactly_one,
)
from api.documents.parameters import Bounds, Flag, Page, Parameters
from api.documents.people.people import (
    GroupLeader,
    GroupMember,
    IndividualSummary,
    ProviderSummary,
    RegistrationInvite,
)
from api.documents.times import ContractDatetime
from domain.groups.roster_commands import UserSelection

NodeType = Literal["division", "group"]
GroupType = Literal["all_participants", "provider_only", "regular", "unassigned"]
MemberType = Literal["individual", "leader", "member"]


class GroupListV2Query(Page):
    """GET /v2/individual-groups/: all filters must hold; of an array filter any value."""

    exclude_individual_id: Annotated[Omittable[UuidText], Field(alias="exclude[individual-id]")] = None
    modified: Annotated[Bounds, Field(alias="filter[cmp-last-modified-time]")] = ()
    eligible_individual_id: Annotated[Omittable[UuidText], Field(alias="filter[eligible-individual-id]")] = None
    exclude_ids: Annotated[Ids, Field(alias="filter[exclude-ids]")] = ()
    include_inactive: Annotated[Flag, Field(alias="filter[include-inactive]")] = False
    individual_id: Annotated[Omittable[UuidText], Field(alias="filter[individual-id]")] = None
    leader_id: Annotated[Omittable[UuidText], Field(alias="filter[leader-id]")] = None
    node_type: Annotated[Omittable[NodeType], Field(alias="filter[node-type]")] = None
    parent_group_id: Annotated[Omittable[UuidText], Field(alias="filter[parent-group-id]")] = None
    tags: Annotated[Tags, Field(alias="filter[tags]")] = ()
    text: Annotated[Omittable[Text255], Field(alias="filter[text]")] = None
    tree_node_type: Annotated[Omittable[Literal["leaf", "non-leaf"]], Field(alias="filter[tree-node-type]")] = None
    ids: Ids = ()
    name: Omittable[Text255] = None
    organization_id: Omittable[UuidText] = None
    type: tuple[GroupType, ...] = ("regular", "provider_only")


class GroupListQuery(GroupListV2Query):
    """GET /v1/individual-groups/."""

    with_individuals: Flag = False


class GroupQuery(Parameters):
    """GET /v1/individual-groups/{id}/."""

    with_individuals: Flag = False
    with_members: Flag = False


class GroupV2Query(Parameters):
    """GET /v2/individual-groups/{id}/."""

    include_inactive: Annotated[Flag, Field(alias="filter[include-inactive]")] = False


class EligibleMembersQuery(Page):
    """GET /v1/individual-groups/{id}/eligible-members/."""

    registration_invite: Annotated[Omittable[RegistrationInvite], Field(alias="filter[registration-invite]")] = None
    text: Annotated[Omittable[Text255], Field(alias="filter[text]")] = None
    verified: Annotated[Omittable[Flag], Field(alias="filter[verified]")] = None
    for_children: Omittable[Flag] = None
    member_type: MemberType = "leader"


class GroupToCreate(Strict):
    name: Name
    organization_id: UuidText
    node_type: NodeType = "group"
    type: Literal["provider_only", "regular"] = "regular"
    tags: Tags = ()
    leader_ids: RosterIds = ()
    individual_ids: RosterIds = ()


class CreateGroup(CreateRequest[Literal["individual-groups"], GroupToCreate]):
    """POST /v1/individual-groups/: a top-level node; move-group nests it."""


class GroupChanges(Strict):
    """What is to change; arrays are replaced whole. `given()` tells which were sent."""

    name: Omittable[Name] = None
    tags: Omittable[Tags] = None
    leader_ids: Omittable[RosterIds] = None


class UpdateGroup(UpdateRequest[Literal["individual-groups"], GroupChanges]):
    """PATCH /v1/individual-groups/{id}/."""


class _Shown(Strict):
    with_individuals: StrictBool = False
    with_members: StrictBool = False


class RemoveIndividuals(_Shown):
    """POST /v1/individual-groups/{id}/remove-individuals/."""

    individual_ids: SomeRosterIds


class AddIndividuals(RemoveIndividuals):
    """POST /v1/individual-groups/{id}/add-individuals/."""

    remove_from_group: Omittable[UuidText] = None


class RemoveUsers(_Shown):
    """POST …/remove-leaders/ and …/remove-members/: users by id or by e-mail address, never both (ruling F14)."""

    user_ids: Omittable[SomeRosterIds] = None
    user_emails: Omittable[SomeRosterEmails] = None

    _one_way_to_name_the_users = exactly_one("user-ids", "user-emails")

    @property
    def users(self) -> UserSelection:
        """Return the users as commands take them."""
        return UserSelection(self.user_ids, self.user_emails)


class AddUsers(RemoveUsers):
    """POST …/add-leaders/ and …/add-members/."""

    remove_from_group: Omittable[UuidText] = None


class MoveGroup(Strict):
    """POST /v1/individual-groups/{id}/move-group/; null, an extension, lifts the node to the top level."""

    to_parent_group_id: Annotated[UuidText | None, Field(description="null is an extension")]


class ParentGroup(Attributes):
    id: UUID
    name: str


class GroupV2Attributes(Attributes):
    """A group without its people."""

    child_count: int
    individuals_count: int
    is_active: bool
    last_modified_time: ContractDatetime
    name: str
    node_type: NodeType
    organization_id: UUID
    parent_group: ParentGroup | None = None
    tags: list[str]
    type: GroupType


class GroupAttributes(GroupV2Attributes):
    """A group with its people; those that were not asked for are null (rulings D18 and F13)."""

    individual_ids: list[UUID] | None = None
    individuals: list[IndividualSummary] | None = None
    leader_ids: list[UUID]
    leaders: list[GroupLeader]
    members: list[GroupMember] | None = None
    self_can_write: bool


class GroupV2Resource(Resource[GroupV2Attributes]):
    type: Literal["individual-groups"] = "individual-groups"


class GroupResource(Resource[GroupAttributes]):
    type: Literal["individual-groups"] = "individual-groups"


class GroupV2Document(Single[GroupV2Resource]):
    """Answers GET /v2/individual-groups/{id}/."""


class GroupV2List(Listing[GroupV2Resource]):
    """Answers GET /v2/individual-groups/."""


class GroupDocument(Single[GroupResource]):
    """Answers v1 creation, detail, PATCH and each change of a roster."""


class GroupList(Listing[GroupResource]):
    """Answers GET /v1/individual-groups/."""


class EligibleMember(ProviderSummary):
    """A person who could be added; flat, not a JSON:API resource."""

    member_type: MemberType


class EligibleMemberList(Listing[EligibleMember]):
    """Answers GET /v1/individual-groups/{id}/eligible-members/."""


class MoveTask(Attributes):
    task_id: UUID


class MoveGroupAnswer(Attributes):
    """Answers move-group: the task to watch at /v1/tasks/{id}/."""

    data: MoveTask
