"""Commands that add people to rosters and remove them."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from domain.core.errors import Conflict, Forbidden, Invalid
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Operation, Store, retry_on_conflict
from domain.core.principal import Principal
from domain.core.turns import InTurns, filter_in_turns, in_turns
from domain.groups.groups import Group, GroupProviderOnly
from domain.groups.permissions import GroupPermissions
from domain.groups.rosters import RosterEntry, RosterKind, roster_entry_id
from domain.people.directory import Directory
from domain.people.individuals import Individual, IndividualNotFound
from domain.people.users import User, UserNotFound


class NotEligible(Conflict, code="not-eligible"):
    """At least one of these people cannot be in this roster."""


class SameGroup(Invalid):
    """The group to remove people from must differ from the group to add them to."""


class OtherOrganization(Conflict):
    """The two groups belong to different organizations."""


class Roster(NamedTuple):
    """One roster of a group, with what decides who may be in it."""

    group_id: UUID
    organization_id: UUID
    kind: RosterKind
    provider_only: bool = False

    @classmethod
    def of(cls, group: Group, kind: RosterKind) -> "Roster":
        """Return the group's roster of this kind."""
        return cls(group.id, group.organization_id, kind, group.type == "provider_only")


class RosterChange(NamedTuple):
    """Changed roster entries, and the users on whose membership of the organization the change rests."""

    entries: list[RosterEntry]
    rests_on: list[User]


class Candidates(NamedTuple):
    """Individuals to be added, as far as they exist, and the entries that they have or once had, by individual."""

    individuals: dict[UUID, Individual]
    entries: dict[UUID, RosterEntry]


@dataclass(frozen=True, eq=False)
class RosterEditor:
    """Checks who may be in a roster, and changes its entries. The commands on groups and on rosters share it."""

    store: Store
    permissions: Permissions

    async def candidates(self, group_id: UUID, individual_ids: Sequence[UUID]) -> Candidates:
        """Return these individuals and their entries in the group. A few are loaded in one round trip."""
        individuals, entries = await asyncio.gather(
            self.store.get_many(Individual, individual_ids), self.entries(group_id, "individual", individual_ids)
        )
        return Candidates(individuals, entries)

    async def add_individual_entries(
        self, roster: Roster, individual_ids: Sequence[UUID], argument: str, candidates: Candidates | None = None
    ) -> list[RosterEntry]:
        """Add individuals whom the principal may write. Return the entries that change.

        Raises GroupProviderOnly, NotEligible.
        """
        if roster.provider_only and individual_ids:
            raise GroupProviderOnly(argument=argument)
        individuals, entries = candidates or await self.candidates(roster.group_id, individual_ids)
        absent = await filter_in_turns(lambda subject: not _is_present(entries.get(subject)), individual_ids)
        ineligible = await filter_in_turns(
            lambda subject: not _belongs_to(individuals.get(subject), roster.organization_id), absent
        )
        if ineligible:
            raise NotEligible(argument=argument, meta={"individual-ids": _as_texts(ineligible)})
        return await _add_entries(roster, absent, entries)

    async def add_user_entries(self, roster: Roster, users: Mapping[UUID, User], argument: str) -> RosterChange:
        """Add users whom the principal may read. Return the entries that change. Raises NotEligible."""
        entries = await self.entries(roster.group_id, roster.kind, users)
        absent = await filter_in_turns(lambda subject: not _is_present(entries.get(subject)), users)
        ineligible = await filter_in_turns(
            lambda subject: not _is_enabled_provider(users[subject], roster.organization_id), absent
        )
        if ineligible:
            raise NotEligible(argument=argument, meta={"user-ids": _as_texts(ineligible)})
        return RosterChange(await _add_entries(roster, absent, entries), await in_turns(users.__getitem__, absent))

    async def require_readable(self, principal: Principal, user_ids: Sequence[UUID], argument: str) -> dict[UUID, User]:
        """Return the users in the given order. Raises UserNotFound with the ids that the principal may not read."""
        users = await self.readable(principal, user_ids)
        unreadable = await filter_in_turns(lambda user_id: user_id not in users, user_ids)
        if unreadable:
            raise UserNotFound(argument=argument, meta={"user-ids": _as_texts(unreadable)})
        return users

    async def readable(self, principal: Principal, user_ids: Iterable[UUID]) -> dict[UUID, User]:
        """Return the users that exist and that the principal may read (ruling A8), in the given order."""
        ids = list(user_ids)
        readable = await self.permissions.readable_users(principal, ids) if ids else set()
        # `get_many` keeps the order of the ids
        return await self.store.get_many(User, await filter_in_turns(readable.__contains__, ids))

    async def entries(self, group_id: UUID, kind: RosterKind, subject_ids: Collection[UUID]) -> dict[UUID, RosterEntry]:
        """Return the entries that the subjects have or once had, by the id of the subject."""
        ids = await in_turns(lambda subject: roster_entry_id(group_id, kind, subject), subject_ids)
        entries = await self.store.get_many(RosterEntry, ids)
        return dict(await in_turns(lambda entry: (entry.subject_id, entry), entries.values()))

    async def remove(self, roster: Roster, subject_ids: Collection[UUID]) -> list[RosterEntry]:
        """Remove the subjects. Return their entries; ignore subjects who never had one."""
        entries = await self.entries(roster.group_id, roster.kind, subject_ids)
        async for batch in InTurns(entries.values()):
            for entry in batch:
                entry.remove()
        return list(entries.values())

    async def require_writable(self, principal: Principal, individual_ids: Sequence[UUID], argument: str) -> None:
        """Raise IndividualNotFound or Forbidden with the individuals that the principal may not read or write."""
        if individual_ids:
            writable = await self.permissions.allows(principal, *await _queries(individual_ids, "write"))
            await self.require_written(principal, individual_ids, writable, argument)

    async def require_written(
        self, principal: Principal, individual_ids: Sequence[UUID], writable: Sequence[bool], argument: str
    ) -> None:
        """Raise as `require_writable`. `writable` tells which of them the principal may write, and so may read."""
        unwritable = _denied(individual_ids, writable)
        if not unwritable:
            return
        readable = await self.permissions.allows(principal, *await _queries(unwritable, "read"))
        unreadable = _denied(unwritable, readable)
        if unreadable:
            raise IndividualNotFound(argument=argument, meta={"individual-ids": _as_texts(unreadable)})
        raise Forbidden(argument=argument, meta={"individual-ids": _as_texts(unwritable)})


NO_CHANGE = RosterChange([], [])
FEW = 50
"""So many individuals are loaded in the query of the group, before permission is checked: that costs one query."""
PLACEHOLDER_IDS = (UUID(int=0),)
"""Looked up when no e-mail address has an account, so that the time of the answer does not reveal that."""


class Rosters:
    """Commands on the rosters of a group. Each returns the position of its events.

    Every command may raise GroupNotFound, Forbidden, GroupSystemManaged, GroupInactive. Repeating a command records no
    event.
    """

    def __init__(self, store: Store, directory: Directory, permissions: Permissions) -> None:
        self._store = store
        self._directory = directory
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
        asking = self._groups.rights(principal, group_id, *await _queries(individual_ids, "write"))
        candidates = None
        if len(individual_ids) <= FEW:
            rights, candidates = await asyncio.gather(asking, self._editor.candidates(group_id, individual_ids))
        else:
            rights = await asking
        rights.require_changeable()
        other = await self._other_group(principal, rights.group, remove_from_group)
        await self._editor.require_written(principal, individual_ids, rights.others, "individual_ids")
        roster = Roster.of(rights.group, "individual")
        entries = await self._editor.add_individual_entries(roster, individual_ids, "individual_ids", candidates)
        removed = await self._remove_from(other, "individual", individual_ids)
        return await self._save(rights.group, RosterChange(entries, []), removed, other)

    @retry_on_conflict
    async def add_users(
        self,
        principal: Principal,
        group_id: UUID,
        kind: RosterKind,
        *,
        user_ids: Sequence[UUID] | None = None,
        user_emails: Sequence[str] | None = None,
        remove_from_group: UUID | None = None,
    ) -> int:
        """Add providers, given by id or by e-mail address, as leaders or members, all or none.

        Raises UserNotFound, NotEligible, SameGroup, OtherOrganization.
        """
        _require_different(group_id, remove_from_group)
        group = await self._groups.require_changeable(principal, group_id)
        other = await self._other_group(principal, group, remove_from_group)
        if user_emails is None:
            argument = "user_ids"
            users = await self._editor.require_readable(principal, list(user_ids or ()), argument)
        else:
            argument = "user_emails"
            users = await self._users_by_email(principal, user_emails, argument)
        added = await self._editor.add_user_entries(Roster.of(group, kind), users, argument)
        return await self._save(group, added, await self._remove_from(other, kind, users), other)

    @retry_on_conflict
    async def remove_individuals(self, principal: Principal, group_id: UUID, individual_ids: Sequence[UUID]) -> int:
        """Remove individuals; ignore individuals who are not in the group."""
        group = await self._groups.require_changeable(principal, group_id)
        return await self._save(group, NO_CHANGE, await self._remove_from(group, "individual", individual_ids))

    @retry_on_conflict
    async def remove_users(
        self,
        principal: Principal,
        group_id: UUID,
        kind: RosterKind,
        *,
        user_ids: Sequence[UUID] | None = None,
        user_emails: Sequence[str] | None = None,
    ) -> int:
        """Remove users from the leaders or members; ignore users who are unknown or not in the roster."""
        group = await self._groups.require_changeable(principal, group_id)
        ids = list(user_ids or ())
        if user_emails is not None:
            ids = list((await self._directory.users_by_email(user_emails)).values() or PLACEHOLDER_IDS)
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
        unreadable = await filter_in_turns(lambda email: user_ids.get(email) not in users, emails)
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


def _is_present(entry: RosterEntry | None) -> bool:
    return entry is not None and entry.present


async def _add_entries(
    roster: Roster, subject_ids: Collection[UUID], known_entries: Mapping[UUID, RosterEntry]
) -> list[RosterEntry]:
    added = []
    async for batch in InTurns(subject_ids):
        for subject_id in batch:
            entry = known_entries.get(subject_id)
            if entry is None:
                entry = RosterEntry.add(roster.group_id, roster.organization_id, roster.kind, subject_id)
            else:
                entry.add_again()
            added.append(entry)
    return added


def _belongs_to(individual: Individual | None, organization_id: UUID) -> bool:
    return individual is not None and individual.belongs_to(organization_id)


def _is_enabled_provider(user: User, organization_id: UUID) -> bool:
    return organization_id in user.organizations and user.enabled and not user.archived


async def _queries(individual_ids: Sequence[UUID], operation: Operation) -> list[AccessQuery]:
    return await in_turns(lambda subject: AccessQuery("individual", subject, operation), individual_ids)


def _denied(subject_ids: Sequence[UUID], answers: Sequence[bool]) -> list[UUID]:
    return [subject_id for subject_id, allowed in zip(subject_ids, answers, strict=True) if not allowed]


def _as_texts(ids: Iterable[UUID]) -> list[str]:
    return [str(subject_id) for subject_id in ids]
