"""Rosters: /v1/individual-group-individuals/ and /v1/individual-group-leaders/ (semantics 11)."""

from typing import Literal
from uuid import UUID

from api.documents.common import Attributes, Listing
from api.documents.fields import UuidText
from api.documents.parameters import Page
from api.documents.people.people import IndividualSummary, UserNames


class RosterQuery(Page):
    """GET of either roster."""

    individual_group_id: UuidText


class GroupIndividualAttributes(Attributes):
    individual: IndividualSummary
    individual_group_id: UUID


class GroupIndividualResource(Attributes):
    attributes: GroupIndividualAttributes
    type: Literal["individual-group-individuals"] = "individual-group-individuals"


class GroupIndividualList(Listing[GroupIndividualResource]):
    """Answers GET /v1/individual-group-individuals/."""


class LeaderSummary(UserNames):
    id: UUID


class GroupLeaderAttributes(Attributes):
    individual_group_id: UUID
    leader: LeaderSummary


class GroupLeaderResource(Attributes):
    attributes: GroupLeaderAttributes
    type: Literal["individual-group-leaders"] = "individual-group-leaders"


class GroupLeaderList(Listing[GroupLeaderResource]):
    """Answers GET /v1/individual-group-leaders/."""
