"""Which individuals a list shows, as a choice from any sets: those whom a user has, and what filters leave of them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from psycopg import AsyncCursor
from pyroaring import BitMap

from domain.core.ports import Operation
from projections.access.filters import FLAGS, IndividualFilter
from projections.access.pages import Reach
from projections.access.policy import POLICIES
from projections.access.sets import NOBODY, Sets
from projections.core.visibility import Viewer

Choice = Callable[[Sets], BitMap]

_READ_GROUPS = "SELECT group_id FROM ({below}) b WHERE b.user_id = %(user)s"
_BELOW = "SELECT descendant_id AS group_id FROM group_closure WHERE ancestor_id = %(group)s"
_LED = """
    SELECT c.descendant_id AS group_id FROM group_users s JOIN group_closure c ON c.ancestor_id = s.group_id
    WHERE s.user_id = %(leader)s AND s.kind = 'leader' AND {seen}"""
_REGULAR = """
    SELECT group_id FROM access_groups
    WHERE organization_id = %(group_organization)s AND active AND type = 'regular'"""
_IDS = "SELECT coalesce(string_agg(uuid_send(g.group_id), ''::bytea), '') FROM ({groups}) g"


async def choice_of(
    cursor: AsyncCursor,
    reach: Reach,
    operation: Operation,
    filters: IndividualFilter,
    parameters: dict[str, Any],
    sees: Viewer,
) -> Choice:
    """Return the choice. It leaves out the user's own individuals, and filters on texts and on users as owners."""
    reached = await _reached(cursor, reach, operation, parameters)
    kept, dropped = _by_owner(filters, parameters)
    if filters.about_rosters(sees):
        kept.append(await _in_rosters(cursor, reach, sees, parameters))
    if organization_id := parameters["organization"]:
        kept.append(_of(organization_id))
        if not sees.knows_members_of(organization_id):
            kept.append(_owned_by(*sees.administers))
    if filters.leader_id is not None:
        kept.append(await _placed(cursor, _LED.format(seen=sees.sees_leaders("s")), parameters))
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


async def _reached(cursor: AsyncCursor, reach: Reach, operation: Operation, parameters: dict[str, Any]) -> Choice:
    if reach.unlimited:
        return Sets.everybody
    below = await _placed(cursor, _READ_GROUPS.format(below=POLICIES["individual", operation].below), parameters)
    user = parameters["user"].bytes

    def reached(sets: Sets) -> BitMap:
        shared = sets.shared if operation == "read" else sets.shared_to_write
        return sets.of(reach.whole) | below(sets) | shared.get(user, NOBODY)

    return reached


async def _in_rosters(cursor: AsyncCursor, reach: Reach, sees: Viewer, parameters: dict[str, Any]) -> Choice:
    """Choose those whose rosters the caller reads, and those owned by an organization that they administer."""
    below = await _placed(cursor, _READ_GROUPS.format(below=POLICIES["individual", "read"].below), parameters)
    return lambda sets: sets.of(reach.whole) | below(sets) | sets.owned_by(sees.administers)


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
    """Add the choices of a group. A computed group is what its rule says; an unknown one has nobody."""
    match parameters["group_type"]:
        case "regular" | "provider_only":
            kept.append(await _placed(cursor, _BELOW, parameters))
        case "all_participants":
            kept.append(_of(parameters["group_organization"]))
        case "unassigned":
            kept.append(_of(parameters["group_organization"]))
            dropped.append(await _placed(cursor, _REGULAR, parameters))
        case _:
            kept.append(lambda _: NOBODY)
