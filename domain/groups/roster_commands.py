"""Commands on rosters: who may be added by which principal, and the adding."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from domain.core.errors import Conflict, Forbidden, Invalid
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store, retry_on_conflict
from domain.core.principal import Principal
from domain.core.turns import InTurns, filter_in_turns, in_turns
from domain.groups.groups import Group, GroupProviderOnly
from domain.groups.permissions import GroupPermissions
from domain.groups.rosters import RosterEntry, RosterKind, roster_entry_id
from domain.people.directory import Directory
from domain.people.individuals import Individual, IndividualNotFound
from domain.people.users import User, UserNotFound


class NotEligible(Conflict, code="not-eligible"):
    detail = "One of the people named cannot stand in this roster."


class SameGroup(Invalid):
    detail = "It is the group that they are to be added to."


class OtherOrganization(Conflict):
    detail = "The two groups belong to different organizations."


class Roster(NamedTuple):
    """One roster of a group: what decides who may stand in it."""

    group_id: UUID
    organization_id: UUID
    kind: RosterKind
    provider_only: bool = False

    @classmethod
    def of(cls, group: Group, kind: RosterKind) -> "Roster":
        return cls(group.id, group.organization_id, kind, group.type == "provider_only")


class Change(NamedTuple):
    """RosterEntries to be saved, and the users whose membership of the organization this rests on."""

    entries: list[RosterEntry]
    rests_on: list[User]


@dataclass(frozen=True, eq=False)
class RosterEditor:
    """Who may take an entry, and the entries: what adding, creating and replacing have in common."""

    store: Store
    permissions: Permissions

    async def add_individual_entries(
        self, roster: Roster, individual_ids: Sequence[UUID], argument: str
    ) -> list[RosterEntry]:
        """The entries that change when these, which the caller may write, are there.

        Raises GroupProviderOnly, NotEligible.
        """
        if roster.provider_only and individual_ids:
            raise GroupProviderOnly(argument=argument)
        entries = await self.entries(roster, individual_ids)
        missing = await filter_in_turns(lambda each: not _seated(entries.get(each)), individual_ids)
        individuals = await self.store.get_many(Individual, missing)
        strangers = await filter_in_turns(
            lambda each: not _belongs(individuals.get(each), roster.organization_id), missing
        )
        if strangers:
            raise NotEligible(argument=argument, meta={"individual-ids": _texts(strangers)})
        return await _taken(roster, missing, entries)

    async def add_user_entries(self, roster: Roster, users: Mapping[UUID, User], argument: str) -> Change:
        """Return the entries that change when these readable users are added. Raises NotEligible."""
        entries = await self.entries(roster, users)
        missing = await filter_in_turns(lambda each: not _seated(entries.get(each)), users)
        refused = await filter_in_turns(
            lambda each: not _is_enabled_provider(users[each], roster.organization_id), missing
        )
        if refused:
            raise NotEligible(argument=argument, meta={"user-ids": _texts(refused)})
        return Change(await _taken(roster, missing, entries), await in_turns(users.__getitem__, missing))

    async def require_readable(self, principal: Principal, user_ids: Sequence[UUID], argument: str) -> dict[UUID, User]:
        """Return the users, in the order given. Raises UserNotFound, naming those the principal may not read."""
        users = await self.readable(principal, user_ids)
        unknown = await filter_in_turns(lambda each: each not in users, user_ids)
        if unknown:
            raise UserNotFound(argument=argument, meta={"user-ids": _texts(unknown)})
        return users

    async def readable(self, principal: Principal, user_ids: Iterable[UUID]) -> dict[UUID, User]:
        """Return those of the users that exist and that the principal may read (ruling A8), in the order given."""
        wanted = list(user_ids)
        readable = await self.permissions.readable_users(principal, wanted) if wanted else set()
        # those found are in the order in which they were asked for
        return await self.store.get_many(User, await filter_in_turns(readable.__contains__, wanted))

    async def entries(self, roster: Roster, subject_ids: Collection[UUID]) -> dict[UUID, RosterEntry]:
        """RosterEntries that they have or once had, by subject."""
        ids = await in_turns(lambda each: roster_entry_id(roster.group_id, roster.kind, each), subject_ids)
        found = await self.store.get_many(RosterEntry, ids)
        return dict(await in_turns(lambda entry: (entry.subject_id, entry), found.values()))

    async def remove(self, roster: Roster, subject_ids: Collection[UUID]) -> list[RosterEntry]:
        """Return the entries, removed; subjects without one are passed over."""
        entries = await self.entries(roster, subject_ids)
        async for batch in InTurns(entries.values()):
            for entry in batch:
                entry.remove()
        return list(entries.values())

    async def require_writable(self, principal: Principal, individual_ids: Sequence[UUID], argument: str) -> None:
        """Raise IndividualNotFound or Forbidden, naming the individuals that the principal may not read or write."""
        if not individual_ids:
            return
        reads = await in_turns(lambda each: AccessQuery("individual", each, "read"), individual_ids)
        writes = await in_turns(lambda each: AccessQuery("individual", each, "write"), individual_ids)
        answers = await self.permissions.allows(principal, *reads, *writes)
        unread = _refused(individual_ids, answers[: len(reads)])
        if unread:
            raise IndividualNotFound(argument=argument, meta={"individual-ids": _texts(unread)})
        unwritten = _refused(individual_ids, answers[len(reads) :])
        if unwritten:
            raise Forbidden(argument=argument, meta={"individual-ids": _texts(unwritten)})


NOTHING = Change([], [])
NOBODY = (UUID(int=0),)
"""Looked up in the place of those who have no account, so that it takes as long as for those who have."""


class Rosters:
    """Commands on the rosters of a group. Each answers the position that shows it.

    All may raise GroupNotFound, Forbidden, GroupSystemManaged, GroupInactive. A repetition changes nothing.
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
        """Add them, all or none, and at once take them out of the other group.

        Raises IndividualNotFound, NotEligible, GroupProviderOnly, SameGroup, OtherOrganization.
        """
        _require_different(group_id, remove_from_group)
        group = await self._groups.require_changeable(principal, group_id)
        other = await self._other(principal, group, remove_from_group)
        await self._editor.require_writable(principal, individual_ids, "individual_ids")
        roster = Roster.of(group, "individual")
        added = Change(await self._editor.add_individual_entries(roster, individual_ids, "individual_ids"), [])
        return await self._save(group, added, await self._removed(other, "individual", individual_ids), other)

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
        """Add providers named by id or by e-mail address as leaders or members, all or none.

        Raises UserNotFound, NotEligible, SameGroup, OtherOrganization.
        """
        _require_different(group_id, remove_from_group)
        group = await self._groups.require_changeable(principal, group_id)
        other = await self._other(principal, group, remove_from_group)
        if user_emails is None:
            argument = "user_ids"
            users = await self._editor.require_readable(principal, list(user_ids or ()), argument)
        else:
            argument = "user_emails"
            users = await self._by_email(principal, user_emails, argument)
        added = await self._editor.add_user_entries(Roster.of(group, kind), users, argument)
        return await self._save(group, added, await self._removed(other, kind, users), other)

    @retry_on_conflict
    async def remove_individuals(self, principal: Principal, group_id: UUID, individual_ids: Sequence[UUID]) -> int:
        """Remove them; those who are not in it are ignored."""
        group = await self._groups.require_changeable(principal, group_id)
        return await self._save(group, NOTHING, await self._removed(group, "individual", individual_ids))

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
        """Remove them from the leaders or members; those who are unknown or not in it are ignored."""
        group = await self._groups.require_changeable(principal, group_id)
        ids = list(user_ids or ())
        if user_emails is not None:
            ids = list((await self._directory.users_by_email(user_emails)).values() or NOBODY)
        return await self._save(group, NOTHING, await self._removed(group, kind, ids))

    async def _other(self, principal: Principal, group: Group, remove_from_group: UUID | None) -> Group | None:
        if remove_from_group is None:
            return None
        other = await self._groups.require_changeable(principal, remove_from_group, argument="remove_from_group")
        if other.organization_id != group.organization_id:
            raise OtherOrganization(argument="remove_from_group")
        return other

    async def _by_email(self, principal: Principal, emails: Sequence[str], argument: str) -> dict[UUID, User]:
        found = await self._directory.users_by_email(emails)
        users = await self._editor.readable(principal, found.values() or NOBODY)
        unknown = await filter_in_turns(lambda email: found.get(email) not in users, emails)
        if unknown:
            raise UserNotFound(argument=argument, meta={"user-emails": unknown})
        return users

    async def _removed(self, group: Group | None, kind: RosterKind, subject_ids: Collection[UUID]) -> list[RosterEntry]:
        return [] if group is None else await self._editor.remove(Roster.of(group, kind), subject_ids)

    async def _save(
        self, group: Group, added: Change, removed: Sequence[RosterEntry], other: Group | None = None
    ) -> int:
        # `unchanged`: nobody is seated in or taken out of a group that is deactivated, or while he leaves the
        # organization
        groups = [group] if other is None else [group, other]
        return await self._store.save(*removed, *added.entries, unchanged=[*groups, *added.rests_on])


def _require_different(group_id: UUID, remove_from_group: UUID | None) -> None:
    """Raise SameGroup; asked before everything that needs a state (ruling A10)."""
    if remove_from_group == group_id:
        raise SameGroup(argument="remove_from_group")


def _seated(entry: RosterEntry | None) -> bool:
    return entry is not None and entry.present


async def _taken(
    roster: Roster, subject_ids: Collection[UUID], entries: Mapping[UUID, RosterEntry]
) -> list[RosterEntry]:
    taken = []
    async for batch in InTurns(subject_ids):
        for each in batch:
            entry = entries.get(each)
            if entry is None:
                entry = RosterEntry.add(roster.group_id, roster.organization_id, roster.kind, each)
            else:
                entry.add_again()
            taken.append(entry)
    return taken


def _belongs(individual: Individual | None, organization_id: UUID) -> bool:
    return individual is not None and individual.belongs_to(organization_id)


def _is_enabled_provider(user: User, organization_id: UUID) -> bool:
    return organization_id in user.organizations and user.enabled and not user.archived


def _refused(subject_ids: Sequence[UUID], answers: Sequence[bool]) -> list[UUID]:
    return [each for each, allowed in zip(subject_ids, answers, strict=True) if not allowed]


def _texts(ids: Iterable[UUID]) -> list[str]:
    return [str(each) for each in ids]
