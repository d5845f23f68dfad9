"""Resources of groups with their people."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import Depends
from psycopg import AsyncCursor
from starlette.requests import Request
from starlette.responses import Response

from api.documents.groups.groups import (
    GroupAttributes,
    GroupDocument,
    GroupResource,
    GroupV2Attributes,
    GroupV2Resource,
    ParentGroup,
)
from api.documents.people.people import (
    CommunicationPreferences,
    GroupLeader,
    GroupMember,
    IndividualSummary,
    Owner,
)
from api.edge.execution import Outcome, require_still_readable
from api.edge.reading import Read, Reading, reading, single
from api.services import Services, services_of
from domain.core.errors import Forbidden
from domain.core.ports import AccessQuery
from domain.core.principal import Principal
from domain.core.turns import in_turns
from domain.groups.groups import Group, GroupNotFound
from projections.core.visibility import groups_with_people, permitted
from projections.groups import lists as group_lists
from projections.groups import rosters
from projections.groups.lists import GroupRow
from projections.groups.rosters import IndividualRow, ProviderRow

MODELS = ("groups", "users")
"""The read models that a group with its people needs."""


class PeopleToShow(Protocol):
    """Which people an answer shows besides the leaders."""

    with_individuals: bool
    with_members: bool


class ShowGroup:
    """Renders the answer to a command on a group."""

    def __init__(self, services: Services, reading: Reading) -> None:
        self._services = services
        self._reading = reading

    async def __call__(self, principal: Principal, outcome: Outcome, people: PeopleToShow | None = None) -> Response:
        """Return the group with its leaders and with the other people that `people` selects.

        Raises NotFound when the caller of a repeated request may no longer read the group.
        """
        group_id = outcome.made
        await require_still_readable(self._services.identity.permissions, principal, outcome, "group", group_id)
        individuals, members = (people.with_individuals, people.with_members) if people else (False, False)
        if not (individuals or members) and (resource := await self._led(principal, outcome)) is not None:
            return single(GroupDocument, resource, outcome.position, outcome.status)

        async def respond(read: Read) -> Response:
            with_individuals = individuals and (
                not outcome.repeated or group_id in await groups_with_people(read.cursor, principal.user_id, [group_id])
            )
            row = await group_lists.known(read.cursor, group_id) if read.current else None
            row = row or await self._recorded(read.cursor, outcome)
            (resource,) = await resources(read.cursor, principal, [row], individuals=with_individuals, members=members)
            return read.single(GroupDocument, resource, outcome.status)

        return await self._reading.read_after(outcome, MODELS, respond)

    async def _led(self, principal: Principal, outcome: Outcome) -> GroupResource | None:
        """Return the group with its leaders in one round trip; None while its read models lag."""
        group_id = outcome.made
        models = outcome.models.intersection(MODELS)
        led, decided = await asyncio.gather(
            self._services.pool.ask(lambda cursor: rosters.led_group(cursor, group_id, list(models))),
            self._services.access.decided(principal.user_id, [AccessQuery("group", group_id, "write")]),
        )
        if led.row is None or (models and (led.position is None or led.position < outcome.position)):
            return None
        return await _resource(led.row, all(decided.allowed), led.leaders, None, None)

    async def _recorded(self, cursor: AsyncCursor, outcome: Outcome) -> GroupRow:
        """Return the group from its events and the inline tables, while the read models of lists lag (A5)."""
        group_id = outcome.made
        facts = await group_lists.facts(cursor, group_id)
        ids = [group_id] if facts.parent_id is None else [group_id, facts.parent_id]
        groups = await self._services.identity.store.get_many(Group, ids)
        parent = None if facts.parent_id is None else groups[facts.parent_id]
        row = GroupRow.of(groups[group_id], facts, parent)
        return row if outcome.recorded_at is None else row._replace(modified_at=outcome.recorded_at)


async def show_group(request: Request) -> ShowGroup:
    """Return what renders the answers to commands on groups."""
    return ShowGroup(services_of(request), await reading(request))


ShowGroupDep = Annotated[ShowGroup, Depends(show_group)]


async def require_readable_people(cursor: AsyncCursor, principal: Principal, group_id: UUID, *, argument: str) -> None:
    """Raise Forbidden when the principal may not see the individuals for which `argument` asks (ruling A2)."""
    if group_id not in await groups_with_people(cursor, principal.user_id, [group_id]):
        raise Forbidden(argument=argument)


def existing(row: GroupRow | None) -> GroupRow:
    """Return the row. Raises GroupNotFound when there is none."""
    if row is None:
        raise GroupNotFound
    return row


async def resources(
    cursor: AsyncCursor, principal: Principal, rows: Sequence[GroupRow], *, individuals: bool, members: bool = False
) -> list[GroupResource]:
    """Return groups with their leaders, and with their individuals and members if requested (ruling F13)."""
    ids = [row.group_id for row in rows]
    writable = await permitted(cursor, principal.user_id, "group", "write", ids)
    leaders = await rosters.providers(cursor, ids, "leader")
    members_of = await rosters.providers(cursor, ids, "member") if members else None
    rows_of_individuals = None
    if individuals:
        sources = [rosters.RosterSource(row.group_id, row.organization_id, row.type) for row in rows]
        rows_of_individuals = await rosters.individuals(cursor, sources)
    return [
        await _resource(
            row,
            row.group_id in writable,
            leaders[row.group_id],
            None if members_of is None else members_of[row.group_id],
            None if rows_of_individuals is None else rows_of_individuals[row.group_id],
        )
        for row in rows
    ]


def resource_v2(row: GroupRow) -> GroupV2Resource:
    """Return a group without its people."""
    attributes = GroupV2Attributes.model_construct(**_attributes(row))
    return GroupV2Resource.model_construct(id=row.group_id, attributes=attributes, type="individual-groups")


def individual_summary(row: IndividualRow) -> IndividualSummary:
    """Return an individual as an element of a roster."""
    return IndividualSummary.model_construct(
        id=row.id,
        owner=Owner.model_construct(id=row.owner_id, type=row.owner_type),
        birth_date=row.birth_date,
        communication_preferences=CommunicationPreferences.stored(row.communication_preferences),
        email_verified=row.email_verified,
        first_name=row.first_name,
        last_name=row.last_name,
        name=" ".join(filter(None, (row.first_name, row.last_name))) or None,
        phone_verified=row.phone_verified,
        preferred_name=None,
        registered=row.registered,
        registration_invite=row.registration_invite,
        tz=row.tz,
        verified=row.verified,
    )


async def _resource(
    row: GroupRow,
    can_write: bool,
    leaders: Sequence[ProviderRow],
    members: Sequence[ProviderRow] | None,
    individuals: Sequence[IndividualRow] | None,
) -> GroupResource:
    attributes = GroupAttributes.model_construct(
        **_attributes(row),
        individual_ids=None if individuals is None else [individual.id for individual in individuals],
        individuals=None if individuals is None else await in_turns(individual_summary, individuals),
        leader_ids=[leader.id for leader in leaders],
        leaders=await in_turns(_leader, leaders),
        members=None if members is None else await in_turns(_member, members),
        self_can_write=can_write,
    )
    return GroupResource.model_construct(id=row.group_id, attributes=attributes, type="individual-groups")


def _attributes(row: GroupRow) -> dict[str, Any]:
    parent = None
    if row.parent_id is not None:
        parent = ParentGroup.model_construct(id=row.parent_id, name=row.parent_name)
    return {
        "child_count": row.child_count,
        "individuals_count": row.individuals_count,
        "is_active": row.active,
        "last_modified_time": row.modified_at,
        "name": row.name,
        "node_type": row.node_type,
        "organization_id": row.organization_id,
        "parent_group": parent,
        "tags": row.tags,
        "type": row.type,
    }


def _leader(row: ProviderRow) -> GroupLeader:
    return GroupLeader.model_construct(**_provider(row), enabled=row.enabled)


def _member(row: ProviderRow) -> GroupMember:
    return GroupMember.model_construct(**_provider(row))


def _provider(row: ProviderRow) -> dict[str, Any]:
    return {
        "communication_preferences": CommunicationPreferences.stored(row.communication_preferences),
        "created_by_id": row.created_by_id,
        "email": row.email,
        "email_verified": row.email_verified,
        "first_name": row.first_name,
        "id": row.id,
        "individual_id": row.individual_id,
        "last_name": row.last_name,
        "phone_verified": row.phone_verified,
        "registration_invite": row.registration_invite,
        "verified": row.verified,
    }
