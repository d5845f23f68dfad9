"""Commands that add people to rosters and remove them."""

import asyncio
from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from domain.core.errors import Conflict, Invalid
from domain.core.permissions import Permissions
from domain.core.ports import Store, retry_on_conflict
from domain.core.principal import Principal
from domain.core.turns import filter_in_turns
from domain.groups.groups import Group
from domain.groups.permissions import GroupPermissions, writing
from domain.groups.roster_editor import NO_CHANGE, Roster, RosterChange, RosterEditor, individual_queries
from domain.groups.rosters import RosterEntry, RosterKind
from domain.people.directory import Directory
from domain.people.login_names import parse_login_name
from domain.people.users import User, UserNotFound


class SameGroup(Invalid):
    """The group to remove people from must differ from the group to add them to."""


class OtherOrganization(Conflict):
    """The two groups belong to different organizations."""


FEW = 50
"""Individuals that are loaded together with the group and the permissions, before these are checked, to save a round
trip."""
PLACEHOLDER_IDS = (UUID(int=0),)
"""Looked up when no e-mail address has an account, so that the time of the answer does not reveal that."""


class UserSelection(NamedTuple):
    """Users, given by their ids or by their e-mail addresses."""

    ids: Sequence[UUID] | None = None
    emails: Sequence[str] | None = None


class Rosters:
    """Commands on the rosters of a group. Each returns the position of its events.

    Every command may raise GroupNotFound, Forbidden, GroupSystemManaged, GroupInactive. Repeating a command records no
    event.
    """

    def __init__(self, store: Store, directory: Directory, permissions: Permissions) -> None:
        self._store = store
        self._directory = directory
        self._permissions = permissions
        self._groups = GroupPermissions(store, permissions)
        self._editor = RosterEditor(store, permissions)

    @retry_on_conflict
    async def add_individuals(
        self,
        principal: Principal,
        group_id: UUID,
        individual_ids: Sequence[UUID],
        *,
        remove_from_group: UUID | None = None,
    ) -> int:
        """Add individuals, all or none, and remove them from the other group in the same transaction.

        Raises IndividualNotFound, NotEligible, GroupProviderOnly, SameGroup, OtherOrganization.
        """
        _require_different(group_id, remove_from_group)
        (found, candidates), (writes, *writable) = await asyncio.gather(
            self._editor.group_with_candidates(group_id, individual_ids if len(individual_ids) <= FEW else None),
            self._permissions.allows(principal, writing(group_id), *await individual_queries(individual_ids, "write")),
        )
        group = await self._groups.require_changeable_as_read(principal, found, writes=writes)
        other = await self._other_group(principal, group, remove_from_group)
        await self._editor.require_all_writable(principal, individual_ids, writable, "individual_ids")
        roster = Roster.of(group, "individual")
        entries = await self._editor.add_individual_entries(roster, individual_ids, "individual_ids", candidates)
        removed = await self._remove_from(other, "individual", individual_ids)
        return await self._save(group, RosterChange(entries, []), removed, other)

    @retry_on_conflict
    async def add_users(
        self,
        principal: Principal,
        group_id: UUID,
        kind: RosterKind,
        added: UserSelection,
        *,
        remove_from_group: UUID | None = None,
    ) -> int:
        """Add providers as leaders or members, all or none.

        Raises UserNotFound, NotEligible, SameGroup, OtherOrganization.
        """
        _require_different(group_id, remove_from_group)
        group = await self._groups.require_changeable(principal, group_id)
        other = await self._other_group(principal, group, remove_from_group)
        if added.emails is None:
            argument = "user_ids"
            users = await self._editor.require_readable(principal, list(added.ids or ()), argument)
        else:
            argument = "user_emails"
            users = await self._users_by_email(principal, added.emails, argument)
        change = await self._editor.add_user_entries(Roster.of(group, kind), users, argument)
        return await self._save(group, change, await self._remove_from(other, kind, users), other)

    @retry_on_conflict
    async def remove_individuals(self, principal: Principal, group_id: UUID, individual_ids: Sequence[UUID]) -> int:
        """Remove individuals; ignore individuals who are not in the group."""
        group = await self._groups.require_changeable(principal, group_id)
        return await self._save(group, NO_CHANGE, await self._remove_from(group, "individual", individual_ids))

    @retry_on_conflict
    async def remove_users(self, principal: Principal, group_id: UUID, kind: RosterKind, removed: UserSelection) -> int:
        """Remove users from the leaders or members; ignore users who are unknown or not in the roster."""
        group = await self._groups.require_changeable(principal, group_id)
        ids = list(removed.ids or ())
        if removed.emails is not None:
            ids = list((await self._directory.users_by_email(removed.emails)).values() or PLACEHOLDER_IDS)
        return await self._save(group, NO_CHANGE, await self._remove_from(group, kind, ids))

    async def _other_group(self, principal: Principal, group: Group, remove_from_group: UUID | None) -> Group | None:
        if remove_from_group is None:
            return None
        other = await self._groups.require_changeable(principal, remove_from_group, argument="remove_from_group")
        if other.organization_id != group.organization_id:
            raise OtherOrganization(argument="remove_from_group")
        return other

    async def _users_by_email(self, principal: Principal, emails: Sequence[str], argument: str) -> dict[UUID, User]:
        user_ids = await self._directory.users_by_email(emails)
        users = await self._editor.readable(principal, user_ids.values() or PLACEHOLDER_IDS)

        def unknown(email: str) -> bool:
            user = users.get(user_ids[email]) if email in user_ids else None
            return user is None or not user.is_meant_by(parse_login_name(email))

        unreadable = await filter_in_turns(unknown, emails)
        if unreadable:
            raise UserNotFound(argument=argument, meta={"user-emails": unreadable})
        return users

    async def _remove_from(
        self, group: Group | None, kind: RosterKind, subject_ids: Collection[UUID]
    ) -> list[RosterEntry]:
        return [] if group is None else await self._editor.remove(Roster.of(group, kind), subject_ids)

    async def _save(
        self, group: Group, added: RosterChange, removed: Sequence[RosterEntry], other: Group | None = None
    ) -> int:
        # `unchanged`: the command conflicts with a concurrent deactivation of a group, and with a concurrent end of a
        # user's membership of the organization
        groups = [group] if other is None else [group, other]
        return await self._store.save(*removed, *added.entries, unchanged=[*groups, *added.rests_on])


def _require_different(group_id: UUID, remove_from_group: UUID | None) -> None:
    """Raise SameGroup when the two ids are equal; checked before anything is loaded (ruling A10)."""
    if remove_from_group == group_id:
        raise SameGroup(argument="remove_from_group")
