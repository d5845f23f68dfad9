"""Changes of rosters: who may be in a roster, and the entries that change."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from domain.core.errors import Conflict, Forbidden
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Operation, Store
from domain.core.principal import Principal
from domain.core.turns import InTurns, filter_in_turns, in_turns
from domain.groups.groups import Group, GroupProviderOnly
from domain.groups.rosters import RosterEntry, RosterKind, roster_entry_id
from domain.people.individuals import Individual, IndividualNotFound
from domain.people.users import User, UserNotFound


class NotEligible(Conflict, code="not-eligible"):
    """At least one of these people cannot be in this roster."""


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
    """Individuals to add, without those that do not exist, and the entries that they have or once had, by their ids."""

    individuals: dict[UUID, Individual]
    entries: dict[UUID, RosterEntry]


@dataclass(frozen=True, eq=False)
class RosterEditor:
    """Checks who may be in a roster, and changes its entries. The commands on groups and on rosters share it."""

    store: Store
    permissions: Permissions

    async def group_with_candidates(
        self, group_id: UUID, individual_ids: Sequence[UUID] | None
    ) -> tuple[Group | None, Candidates | None]:
        """Return the group, if it exists, and what `candidates` returns, from one read; without ids only the group."""
        if individual_ids is None:
            return await self.store.find(Group, group_id), None
        group, *others = await self.store.find_each(
            (Group, group_id),
            *((Individual, individual_id) for individual_id in individual_ids),
            *((RosterEntry, roster_entry_id(group_id, "individual", each)) for each in individual_ids),
        )
        individuals = {each.id: each for each in others if isinstance(each, Individual)}
        entries = {each.subject_id: each for each in others if isinstance(each, RosterEntry)}
        assert group is None or isinstance(group, Group)
        return group, Candidates(individuals, entries)

    async def candidates(self, group_id: UUID, individual_ids: Sequence[UUID]) -> Candidates:
        """Return these individuals and their entries in the group, loaded concurrently."""
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
            writable = await self.permissions.allows(principal, *await individual_queries(individual_ids, "write"))
            await self.require_all_writable(principal, individual_ids, writable, argument)

    async def require_all_writable(
        self, principal: Principal, individual_ids: Sequence[UUID], writable: Sequence[bool], argument: str
    ) -> None:
        """Raise as `require_writable` does. `writable` tells which of them the principal may write and thus read."""
        unwritable = _denied(individual_ids, writable)
        if not unwritable:
            return
        readable = await self.permissions.allows(principal, *await individual_queries(unwritable, "read"))
        unreadable = _denied(unwritable, readable)
        if unreadable:
            raise IndividualNotFound(argument=argument, meta={"individual-ids": _as_texts(unreadable)})
        raise Forbidden(argument=argument, meta={"individual-ids": _as_texts(unwritable)})


NO_CHANGE = RosterChange([], [])


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


async def individual_queries(individual_ids: Sequence[UUID], operation: Operation) -> list[AccessQuery]:
    """Return one query for each individual."""
    return await in_turns(lambda subject: AccessQuery("individual", subject, operation), individual_ids)


def _denied(subject_ids: Sequence[UUID], answers: Sequence[bool]) -> list[UUID]:
    return [subject_id for subject_id, allowed in zip(subject_ids, answers, strict=True) if not allowed]


def _as_texts(ids: Iterable[UUID]) -> list[str]:
    return [str(subject_id) for subject_id in ids]
