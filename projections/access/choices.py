"""Which individuals a list shows, as a choice from any sets: those whom a user has, and what filters leave of them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor
from pyroaring import BitMap

from domain.core.ports import Operation
from projections.access.filters import FLAGS, IndividualFilter, IndividualList
from projections.access.policy import POLICIES
from projections.access.sets import NOBODY, Sets

Choice = Callable[[Sets], BitMap]

_GROUPS_OF_USER = "SELECT group_id FROM ({below}) b WHERE b.user_id = %(user)s"
_BELOW_GROUP = "SELECT descendant_id AS group_id FROM group_closure WHERE ancestor_id = %(group)s"
_LED = """
    SELECT c.descendant_id AS group_id FROM group_users s JOIN group_closure c ON c.ancestor_id = s.group_id
    WHERE s.user_id = %(leader)s AND s.kind = 'leader' AND {seen}"""
_REGULAR = """
    SELECT group_id FROM access_groups
    WHERE organization_id = %(group_organization)s AND active AND type = 'regular'"""
_IDS = "SELECT coalesce(string_agg(uuid_send(g.group_id), ''::bytea), '') FROM ({groups}) g"


async def choice_of(cursor: AsyncCursor, listing: IndividualList) -> Choice:
    """Return the choice. It leaves out the user's own individuals, and filters on texts and on users as owners."""
    filters, viewer, parameters = listing.filters, listing.viewer, listing.parameters
    reached = await _reached(cursor, listing)
    kept, dropped = _by_owner(filters, parameters)
    if filters.about_rosters(viewer):
        kept.append(await _in_rosters(cursor, listing))
    if organization_id := parameters["organization"]:
        kept.append(_of(organization_id))
        if not viewer.knows_members_of(organization_id):
            kept.append(_owned_by(*viewer.administers))
    if filters.leader_id is not None:
        kept.append(await _placed(cursor, _LED.format(seen=viewer.sees_leaders("s")), parameters))
    if filters.group_id is not None:
        await _add_group(cursor, parameters, kept, dropped)

    def choose(sets: Sets) -> BitMap:
        ranks = reached(sets)
        for choice in kept:
            ranks &= choice(sets)
        for choice in dropped:
            ranks -= choice(sets)
        return ranks

    return choose


async def _reached(cursor: AsyncCursor, listing: IndividualList) -> Choice:
    if listing.reach.unlimited:
        return Sets.everybody
    below = await _below(cursor, listing, listing.operation)
    user = listing.parameters["user"].bytes

    def reached(sets: Sets) -> BitMap:
        shared = sets.shared if listing.operation == "read" else sets.shared_to_write
        return sets.of(listing.reach.whole) | below(sets) | shared.get(user, NOBODY)

    return reached


async def _in_rosters(cursor: AsyncCursor, listing: IndividualList) -> Choice:
    """Choose those whose rosters the caller reads, and those owned by an organization that they administer."""
    below = await _below(cursor, listing, "read")
    return lambda sets: sets.of(listing.reach.whole) | below(sets) | sets.owned_by(listing.viewer.administers)


async def _below(cursor: AsyncCursor, listing: IndividualList, operation: Operation) -> Choice:
    """Choose those in the groups that give the user the operation."""
    groups = _GROUPS_OF_USER.format(below=POLICIES["individual", operation].below)
    return await _placed(cursor, groups, listing.parameters)


async def _placed(cursor: AsyncCursor, groups: str, parameters: dict[str, Any]) -> Choice:
    """Choose those who are in the groups that a query finds."""
    await cursor.execute(_IDS.format(groups=groups), parameters, prepare=True, binary=True)
    row = await cursor.fetchone()
    assert row is not None
    ids = bytes(row[0])
    return lambda sets: sets.placed(ids)


def _of(organization_id: UUID) -> Choice:
    return lambda sets: sets.of([organization_id])


def _by_owner(filters: IndividualFilter, parameters: dict[str, Any]) -> tuple[list[Choice], list[Choice]]:
    """Return the choices that keep, and those that drop, individuals by what their owners are."""
    yes = [name for name in sorted(FLAGS & filters.owner.keys()) if filters.owner[name]]
    no = [name for name in sorted(FLAGS & filters.owner.keys()) if not filters.owner[name]]
    if "account_type" in filters.owner:
        yes.append(parameters["account_type"])
    kept = [_owned_by_such(name) for name in yes]
    dropped = [_owned_by_such(name) for name in no]
    return kept, [*dropped, _owned_by(*filters.exclude_owner_ids)]


def _owned_by_such(name: str) -> Choice:
    return lambda sets: sets.owners.get(name, NOBODY)


def _owned_by(*organization_ids: UUID) -> Choice:
    return lambda sets: sets.owned_by(organization_ids)


async def _add_group(
    cursor: AsyncCursor, parameters: dict[str, Any], kept: list[Choice], dropped: list[Choice]
) -> None:
    """Add the choices of a group. A computed group is what its rule says; an unknown one has no individuals."""
    match parameters["group_type"]:
        case "regular" | "provider_only":
            kept.append(await _placed(cursor, _BELOW_GROUP, parameters))
        case "all_participants":
            kept.append(_of(parameters["group_organization"]))
        case "unassigned":
            kept.append(_of(parameters["group_organization"]))
            dropped.append(await _placed(cursor, _REGULAR, parameters))
        case _:
            kept.append(lambda _: NOBODY)
