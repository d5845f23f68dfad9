"""Commands on rosters: who may be seated by whom, and the seating."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from domain.core.errors import Conflict, Forbidden, Invalid
from domain.groups.permissions import GroupPermissions
from domain.groups.groups import Group, GroupProviderOnly
from domain.people.individuals import Individual, IndividualNotFound
from domain.core.ports import Access, AccessQuery, Directory, Store, decided_again
from domain.groups.rosters import RosterKind, Seat, seat_id
from domain.core.turns import InTurns, filter_in_turns, in_turns
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
    """Seats to be saved, and the users whose membership of the organization this rests on."""

    seats: list[Seat]
    rests_on: list[User]


class Seating:
    """Who may take a seat, and the seats: what adding, creating and replacing have in common."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    async def seat_individuals(self, roster: Roster, individual_ids: Sequence[UUID], pointer: str) -> list[Seat]:
        """The seats that change when these, which the caller may write, are there.

        Raises GroupProviderOnly, NotEligible.
        """
        if roster.provider_only and individual_ids:
            raise GroupProviderOnly(pointer=pointer)
        seats = await self.seats(roster, individual_ids)
        missing = await filter_in_turns(lambda each: not _seated(seats.get(each)), individual_ids)
        individuals = await self._store.get_many(Individual, missing)
        strangers = await filter_in_turns(
            lambda each: not _belongs(individuals.get(each), roster.organization_id), missing
        )
        if strangers:
            raise NotEligible(pointer=pointer, meta={"individual-ids": _texts(strangers)})
        return await _taken(roster, missing, seats)

    async def seat_users(self, roster: Roster, users: Mapping[UUID, User], pointer: str) -> Change:
        """The seats that change when these users, whom the caller may read, are there. Raises NotEligible."""
        seats = await self.seats(roster, users)
        missing = await filter_in_turns(lambda each: not _seated(seats.get(each)), users)
        refused = await filter_in_turns(
            lambda each: not _is_enabled_provider(users[each], roster.organization_id), missing
        )
        if refused:
            raise NotEligible(pointer=pointer, meta={"user-ids": _texts(refused)})
        return Change(await _taken(roster, missing, seats), await in_turns(users.__getitem__, missing))

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

    async def seats(self, roster: Roster, subject_ids: Collection[UUID]) -> dict[UUID, Seat]:
        """Seats that they have or once had, by subject."""
        ids = await in_turns(lambda each: seat_id(roster.group_id, roster.kind, each), subject_ids)
        found = await self._store.get_many(Seat, ids)
        return dict(await in_turns(lambda seat: (seat.subject_id, seat), found.values()))

    async def remove(self, roster: Roster, subject_ids: Collection[UUID]) -> list[Seat]:
        """The seats, given up; whoever has none is passed over."""
        seats = await self.seats(roster, subject_ids)
        async for batch in InTurns(seats.values()):
            for seat in batch:
                seat.leave()
        return list(seats.values())

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
        self._seating = Seating(store, access)

    @decided_again
    async def add_individuals(
        self, caller_id: UUID, group_id: UUID, individual_ids: Sequence[UUID], *, remove_from: UUID | None = None
    ) -> int:
        """Seat them, all or none, and at once take them out of the other group.

        Raises IndividualNotFound, NotEligible, GroupProviderOnly, SameGroup, OtherOrganization.
        """
        _refuse_same(group_id, remove_from)
        group = await self._permissions.changeable(caller_id, group_id)
        other = await self._other(caller_id, group, remove_from)
        await self._seating.refuse_unwritable(caller_id, individual_ids, "/individual-ids")
        roster = Roster.of(group, "individual")
        added = Change(await self._seating.seat_individuals(roster, individual_ids, "/individual-ids"), [])
        return await self._save(group, added, await self._removed(other, "individual", individual_ids), other)

    @decided_again
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
        """Seat providers named by id or by e-mail address as leaders or members, all or none.

        Raises UserNotFound, NotEligible, SameGroup, OtherOrganization.
        """
        _refuse_same(group_id, remove_from)
        group = await self._permissions.changeable(caller_id, group_id)
        other = await self._other(caller_id, group, remove_from)
        if user_emails is None:
            pointer = "/user-ids"
            users = await self._seating.known(caller_id, list(user_ids or ()), pointer)
        else:
            pointer = "/user-emails"
            users = await self._by_email(caller_id, user_emails, pointer)
        added = await self._seating.seat_users(Roster.of(group, kind), users, pointer)
        return await self._save(group, added, await self._removed(other, kind, users), other)

    @decided_again
    async def remove_individuals(self, caller_id: UUID, group_id: UUID, individual_ids: Sequence[UUID]) -> int:
        """Take them out; whoever is not in is ignored."""
        group = await self._permissions.changeable(caller_id, group_id)
        return await self._save(group, NOTHING, await self._removed(group, "individual", individual_ids))

    @decided_again
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
        users = await self._seating.readable(caller_id, found.values() or NOBODY)
        unknown = await filter_in_turns(lambda email: found.get(email) not in users, emails)
        if unknown:
            raise UserNotFound(pointer=pointer, meta={"user-emails": unknown})
        return users

    async def _removed(self, group: Group | None, kind: RosterKind, subject_ids: Collection[UUID]) -> list[Seat]:
        return [] if group is None else await self._seating.remove(Roster.of(group, kind), subject_ids)

    async def _save(self, group: Group, added: Change, removed: Sequence[Seat], other: Group | None = None) -> int:
        # `unchanged`: nobody is seated in or taken out of a group that is deactivated, or while he leaves the
        # organization
        groups = [group] if other is None else [group, other]
        return await self._store.save(*removed, *added.seats, unchanged=[*groups, *added.rests_on])


def _refuse_same(group_id: UUID, remove_from: UUID | None) -> None:
    """Before everything that needs a state (ruling A10)."""
    if remove_from == group_id:
        raise SameGroup(pointer="/remove-from-group")


def _seated(seat: Seat | None) -> bool:
    return seat is not None and seat.taken


async def _taken(roster: Roster, subject_ids: Collection[UUID], seats: Mapping[UUID, Seat]) -> list[Seat]:
    taken = []
    async for batch in InTurns(subject_ids):
        for each in batch:
            seat = seats.get(each)
            if seat is None:
                seat = Seat.take(roster.group_id, roster.organization_id, roster.kind, each)
            else:
                seat.take_again()
            taken.append(seat)
    return taken


def _belongs(individual: Individual | None, organization_id: UUID) -> bool:
    return individual is not None and individual.belongs_to(organization_id)


def _is_enabled_provider(user: User, organization_id: UUID) -> bool:
    return organization_id in user.organizations and user.enabled and not user.archived


def _refused(subject_ids: Sequence[UUID], answers: Sequence[bool]) -> list[UUID]:
    return [each for each, allowed in zip(subject_ids, answers, strict=True) if not allowed]


def _texts(ids: Iterable[UUID]) -> list[str]:
    return [str(each) for each in ids]
