"""The tables that decide access: liveness, memberships, owners and shares, group closure and rosters (inline).

A batch is folded to the last state of each row, then written table by table; the other files here ask the tables.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from domain.core.errors import DomainError, LostRace
from domain.core.recorded import Recorded
from domain.core.turns import in_turns
from domain.groups.groups import SYSTEM_TYPES
from domain.groups.trees import GroupTree
from projections.access import authorization_sql as sql
from projections.access.fold import AccessFold
from projections.core.projection import InlineProjection, WriteCursor
from projections.core.rows import write


class AuthorizationProjection(InlineProjection):
    """Kept in the transaction of the append, and so never behind the log."""

    name = "authorization"
    version = 3
    tables = (
        "access_users",
        "access_organizations",
        "access_roles",
        "organization_users",
        "access_individuals",
        "individual_organizations",
        "individual_users",
        "access_groups",
        "group_closure",
        "group_users",
        "group_individuals",
        "unplaced_individuals",
        "access_totals",
    )
    events = AccessFold.events

    @property
    def unique_violations(self) -> Mapping[str, type[DomainError]]:
        # a user leaves the organization, or an individual is unshared from it, while an entry for them is added
        return {
            "group_users_of_the_organization": LostRace,
            "group_individuals_of_the_organization": LostRace,
        }

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        """Write the batch's outcome; the order of the tables is that of the foreign key."""
        fold = await AccessFold().add_all(events)
        await self._write_principals(cursor, fold)
        await self._write_individuals(cursor, fold)
        await self._write_groups(cursor, fold)
        await self._write_rosters(cursor, fold)
        await self._write_stamps(cursor, fold)

    async def _write_principals(self, cursor: WriteCursor, fold: AccessFold) -> None:
        await write(cursor, sql.ADD_ORGANIZATIONS, fold.new_organizations)
        await write(cursor, sql.SET_OPEN, fold.open.items())
        await write(cursor, sql.SET_ACTIVE, fold.active.items())
        await write(cursor, sql.SET_STAFFED, fold.staffed.items())
        await write(cursor, sql.ADD_ROLES, fold.new_roles)
        await write(cursor, sql.ADD_USERS, fold.new_users)
        await write(cursor, sql.CONFIRM_USERS, ((user_id,) for user_id in fold.confirmed))
        await write(cursor, sql.ENABLE_USERS, _keyed(fold.enabled))
        await write(cursor, sql.REQUIRE_RESET, fold.reset_required.items())
        await write(cursor, sql.ARCHIVE_USERS, ((user_id,) for user_id in fold.archived))
        await write(cursor, sql.END_SESSIONS, ((key, *ended) for key, ended in fold.ended_sessions.items()))
        await write(cursor, sql.SET_CLASSIFIED, fold.classified.items())
        await write(cursor, sql.SET_PROVIDERS, _keyed(fold.providers))
        await write(cursor, sql.SET_ADMINS, _keyed(fold.role_holders))
        await write(cursor, sql.SET_SYSTEM_ROLE, _keyed(fold.role_holders))
        if fold.providers or fold.staffed or fold.classified:
            members = {user_id for user_id, _ in fold.providers} | fold.classified.keys()
            changed = {"users": list(members), "organizations": list(fold.staffed)}
            await cursor.execute(sql.SET_STAFF, changed)
        await write(cursor, sql.DROP_MEMBERSHIPS, ((user_id,) for user_id in fold.leaving_users))

    async def _write_individuals(self, cursor: WriteCursor, fold: AccessFold) -> None:
        changed = fold.disowned
        former = [(individual_id, at, position) for individual_id, (at, position) in changed.items()]
        await write(cursor, sql.STAMP_FORMER_OWNERS, former)
        await write(cursor, sql.STAMP_FORMER_OWNING_ORGANIZATIONS, former)
        owned = ((key, owner, fold.touched_individuals[key]) for key, (_, owner, _) in fold.owners.items())
        await write(cursor, sql.SET_OWNERS, owned, len(fold.created))
        await write(cursor, sql.DISOWN, ((individual_id,) for individual_id in changed))
        await write(
            cursor,
            sql.ADD_INDIVIDUAL_ORGANIZATIONS,
            ((key, owner, True, False) for key, (party, owner, _) in fold.owners.items() if party == "organization"),
        )
        await write(cursor, sql.OWN, ((key, fold.owners[key][1]) for key in changed if fold.owners[key][0] != "user"))
        await write(
            cursor, sql.ADD_INDIVIDUAL_ORGANIZATIONS, ((*key, False, True) for key, yes in fold.shares.items() if yes)
        )
        await write(
            cursor, sql.SET_SHARED, ((*key, yes) for key, yes in fold.shares.items() if fold.may_be_there(*key))
        )
        await write(cursor, sql.SET_INDIVIDUAL_USERS, ((*k, op == "write") for k, op in fold.user_shares.items() if op))
        await write(cursor, sql.DROP_INDIVIDUAL_USERS, (key for key, op in fold.user_shares.items() if not op))

    async def _write_groups(self, cursor: WriteCursor, fold: AccessFold) -> None:
        await write(cursor, sql.ADD_GROUPS, fold.new_groups)
        stored = ((group_id,) for group_id, _, kind, _ in fold.new_groups if kind not in SYSTEM_TYPES)
        await write(cursor, sql.ADD_TO_CLOSURE, stored)
        for event in fold.tree_changes:  # in order: each starts from the tree that the one before left
            if isinstance(event, GroupTree.Moved):
                moved = {"group": event.group_id, "parent": event.parent_id, "at": event.timestamp}
                await cursor.execute(sql.STAMP_FORMER_PARENT, moved)
                await cursor.execute(sql.LEAVE_ANCESTORS, moved)
                await cursor.execute(sql.ENTER_ANCESTORS, moved)
                await cursor.execute(sql.SET_PARENT, moved)
            else:
                ended = {"group": event.originator_id, "at": event.timestamp}
                await cursor.execute(sql.STAMP_FORMER_PARENT, ended)
                await cursor.execute(sql.LEAVE_CLOSURE, ended)
                await cursor.execute(sql.DEACTIVATE, ended)

    async def _write_rosters(self, cursor: WriteCursor, fold: AccessFold) -> None:
        people, staff = fold.individual_entries, fold.user_entries
        await write(cursor, sql.DROP_GROUP_INDIVIDUALS, (entry for entry, org in people.items() if not org))
        await write(cursor, sql.ADD_GROUP_INDIVIDUALS, ((*entry, org) for entry, org in people.items() if org))
        await write(cursor, sql.DROP_GROUP_USERS, (entry for entry, org in staff.items() if not org))
        await write(cursor, sql.ADD_GROUP_USERS, ((*entry, org) for entry, org in staff.items() if org))
        # after the places, which refer to them
        await write(cursor, sql.DROP_INDIVIDUAL_ORGANIZATIONS, ((key,) for key in fold.may_lose_organizations))
        await write(cursor, sql.SET_SEVERAL, ((key,) for key in fold.may_have_several()))

    async def _write_stamps(self, cursor: WriteCursor, fold: AccessFold) -> None:
        individuals = {key: at for key, at in fold.touched_individuals.items() if key not in fold.created}
        touched, changed = fold.touched_organizations, fold.authorization_changed
        organizations = list(touched.keys() | changed.keys() | fold.losing_organizations.keys())
        users, groups = list(fold.touched_users.keys() | fold.losing_users.keys()), fold.touched_groups
        if users or individuals or groups or organizations:
            stamps = {
                "users": users,
                "users_at": await in_turns(fold.touched_users.get, users),
                "users_lost": await in_turns(fold.losing_users.get, users),
                "individuals": list(individuals), "individuals_at": list(individuals.values()),
                "groups": list(groups), "groups_at": list(groups.values()),
                "organizations": organizations,
                "touched": [touched.get(each) for each in organizations],
                "changed": [changed.get(each) for each in organizations],
                "lost": [fold.losing_organizations.get(each) for each in organizations],
            }  # fmt: skip
            await cursor.execute(sql.STAMP, stamps)


def _keyed(values: dict[Any, Any]) -> Iterable[tuple[Any, ...]]:
    return ((*(key if isinstance(key, tuple) else (key,)), value) for key, value in values.items())
