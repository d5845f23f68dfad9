"""Commands on rosters: who may be seated by whom, and the seating."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from domain.core.errors import Conflict, Forbidden, Invalid
from domain.core.ports import Access, AccessQuery, Directory, Store, retry_on_conflict
from domain.core.turns import InTurns, filter_in_turns, in_turns
from domain.groups.groups import Group, GroupProviderOnly
from domain.groups.permissions import GroupPermissions
from domain.groups.rosters import RosterEntry, RosterKind, roster_entry_id
from domain.people.individuals import Individual, IndividualNotFound
from domain.people.users import User, UserNotFound


class NotEligible(Conflict):
    code = "not-eligible"
    detail = "Somebody named cannot stand in this roster."


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


class RosterEditor:
    """Who may take an entry, and the entries: what adding, creating and replacing have in common."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    async def add_individual_entries(
        self, roster: Roster, individual_ids: Sequence[UUID], pointer: str
    ) -> list[RosterEntry]:
        """The entries that change when these, which the caller may write, are there.

        Raises GroupProviderOnly, NotEligible.
        """
        if roster.provider_only and individual_ids:
            raise GroupProviderOnly(pointer=pointer)
        entries = await self.entries(roster, individual_ids)
        missing = await filter_in_turns(lambda each: not _seated(entries.get(each)), individual_ids)
        individuals = await self._store.get_many(Individual, missing)
        strangers = await filter_in_turns(
            lambda each: not _belongs(individuals.get(each), roster.organization_id), missing
        )
        if strangers:
            raise NotEligible(pointer=pointer, meta={"individual-ids": _texts(strangers)})
        return await _taken(roster, missing, entries)

    async def add_user_entries(self, roster: Roster, users: Mapping[UUID, User], pointer: str) -> Change:
        """The entries that change when these users, whom the caller may read, are there. Raises NotEligible."""
        entries = await self.entries(roster, users)
        missing = await filter_in_turns(lambda each: not _seated(entries.get(each)), users)
        refused = await filter_in_turns(
            lambda each: not _is_enabled_provider(users[each], roster.organization_id), missing
        )
        if refused:
            raise NotEligible(pointer=pointer, meta={"user-ids": _texts(refused)})
        return Change(await _taken(roster, missing, entries), await in_turns(users.__getitem__, missing))

    async def known(self, caller_id: UUID, user_ids: Sequence[UUID], pointer: str) -> dict[UUID, User]:
        """The users, in the order given. Raises UserNotFound, naming whom the caller may not read."""
        users = await self.readable(caller_id, user_ids)
        unknown = await filter_in_turns(lambda each: each not in users, user_ids)
        if unknown:
            raise UserNotFound(pointer=pointer, meta={"user-ids": _texts(unknown)})
        return users

    async def readable(self, caller_id: UUID, user_ids: Iterable[UUID]) -> dict[UUID, User]:
        """Those of the users that exist and that the caller may read (ruling A8), in the order given."""
        wanted = list(user_ids)
        readable = await self._access.readable_users(caller_id, wanted) if wanted else set()
        # those found are in the order in which they were asked for
        return await self._store.get_many(User, await filter_in_turns(readable.__contains__, wanted))

    async def entries(self, roster: Roster, subject_ids: Collection[UUID]) -> dict[UUID, RosterEntry]:
        """RosterEntries that they have or once had, by subject."""
        ids = await in_turns(lambda each: roster_entry_id(roster.group_id, roster.kind, each), subject_ids)
        found = await self._store.get_many(RosterEntry, ids)
        return dict(await in_turns(lambda entry: (entry.subject_id, entry), found.values()))

    async def remove(self, roster: Roster, subject_ids: Collection[UUID]) -> list[RosterEntry]:
        """The entries, given up; whoever has none is passed over."""
        entries = await self.entries(roster, subject_ids)
        async for batch in InTurns(entries.values()):
            for entry in batch:
                entry.remove()
        return list(entries.values())

    async def refuse_unwritable(self, caller_id: UUID, individual_ids: Sequence[UUID], pointer: str) -> None:
        """Raises IndividualNotFound, Forbidden, naming the individuals that the caller may not read or write."""
        if not individual_ids:
            return
        reads = await in_turns(lambda each: AccessQuery("individual", each, "read"), individual_ids)
        writes = await in_turns(lambda each: AccessQuery("individual", each, "write"), individual_ids)
        answers = await self._access.decide(caller_id, [*reads, *writes])
        unread = _refused(individual_ids, answers[: len(reads)])
        if unread:
            raise IndividualNotFound(pointer=pointer, meta={"individual-ids": _texts(unread)})
        unwritten = _refused(individual_ids, answers[len(reads) :])
        if unwritten:
            raise Forbidden(pointer=pointer, meta={"individual-ids": _texts(unwritten)})


NOTHING = Change([], [])
NOBODY = (UUID(int=0),)
"""Looked up in the place of those who have no account, so that it takes as long as for those who have."""


class Rosters:
    """Commands on the rosters of a group. Each answers the position that shows it.

    All may raise GroupNotFound, Forbidden, GroupSystemManaged, GroupInactive. A repetition changes nothing.
    """

    def __init__(self, store: Store, directory: Directory, access: Access) -> None:
        self._store = store
        self._directory = directory
        self._permissions = GroupPermissions(store, access)
        self._editor = RosterEditor(store, access)

    @retry_on_conflict
    async def add_individuals(
        self, caller_id: UUID, group_id: UUID, individual_ids: Sequence[UUID], *, remove_from: UUID | None = None
    ) -> int:
        """RosterEntry them, all or none, and at once take them out of the other group.

        Raises IndividualNotFound, NotEligible, GroupProviderOnly, SameGroup, OtherOrganization.
        """
        _refuse_same(group_id, remove_from)
        group = await self._permissions.changeable(caller_id, group_id)
        other = await self._other(caller_id, group, remove_from)
        await self._editor.refuse_unwritable(caller_id, individual_ids, "/individual-ids")
        roster = Roster.of(group, "individual")
        added = Change(await self._editor.add_individual_entries(roster, individual_ids, "/individual-ids"), [])
        return await self._save(group, added, await self._removed(other, "individual", individual_ids), other)

    @retry_on_conflict
    async def add_users(
        self,
        caller_id: UUID,
        group_id: UUID,
        kind: RosterKind,
        *,
        user_ids: Sequence[UUID] | None = None,
        user_emails: Sequence[str] | None = None,
        remove_from: UUID | None = None,
    ) -> int:
        """RosterEntry providers named by id or by e-mail address as leaders or members, all or none.

        Raises UserNotFound, NotEligible, SameGroup, OtherOrganization.
        """
        _refuse_same(group_id, remove_from)
        group = await self._permissions.changeable(caller_id, group_id)
        other = await self._other(caller_id, group, remove_from)
        if user_emails is None:
            pointer = "/user-ids"
            users = await self._editor.known(caller_id, list(user_ids or ()), pointer)
        else:
            pointer = "/user-emails"
            users = await self._by_email(caller_id, user_emails, pointer)
        added = await self._editor.add_user_entries(Roster.of(group, kind), users, pointer)
        return await self._save(group, added, await self._removed(other, kind, users), other)

    @retry_on_conflict
    async def remove_individuals(self, caller_id: UUID, group_id: UUID, individual_ids: Sequence[UUID]) -> int:
        """Take them out; whoever is not in is ignored."""
        group = await self._permissions.changeable(caller_id, group_id)
        return await self._save(group, NOTHING, await self._removed(group, "individual", individual_ids))

    @retry_on_conflict
    async def remove_users(
        self,
        caller_id: UUID,
        group_id: UUID,
        kind: RosterKind,
        *,
        user_ids: Sequence[UUID] | None = None,
        user_emails: Sequence[str] | None = None,
    ) -> int:
        """Take them out of the leaders or members; whoever is unknown or not in is ignored."""
        group = await self._permissions.changeable(caller_id, group_id)
        ids = list(user_ids or ())
        if user_emails is not None:
            ids = list((await self._directory.users_by_email(user_emails)).values() or NOBODY)
        return await self._save(group, NOTHING, await self._removed(group, kind, ids))

    async def _other(self, caller_id: UUID, group: Group, remove_from: UUID | None) -> Group | None:
        if remove_from is None:
            return None
        other = await self._permissions.changeable(caller_id, remove_from, pointer="/remove-from-group")
        if other.organization_id != group.organization_id:
            raise OtherOrganization(pointer="/remove-from-group")
        return other

    async def _by_email(self, caller_id: UUID, emails: Sequence[str], pointer: str) -> dict[UUID, User]:
        found = await self._directory.users_by_email(emails)
        users = await self._editor.readable(caller_id, found.values() or NOBODY)
        unknown = await filter_in_turns(lambda email: found.get(email) not in users, emails)
        if unknown:
            raise UserNotFound(pointer=pointer, meta={"user-emails": unknown})
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


def _refuse_same(group_id: UUID, remove_from: UUID | None) -> None:
    """Before everything that needs a state (ruling A10)."""
    if remove_from == group_id:
        raise SameGroup(pointer="/remove-from-group")


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
