"""Fills an empty database with a world: saves aggregates through the product's store, many at a time."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from uuid import UUID

from adapters.log.event_store import EventStore
from bench.world import ADMIN, Ward, World
from domain.access.roles import ORGANIZATION_ADMIN, Role
from domain.core.audited import AuditContext, Audited, audited_as
from domain.groups.groups import Group, NodeType
from domain.groups.rosters import RosterEntry, RosterKind
from domain.groups.trees import GroupTree
from domain.organizations.organizations import Organization, system_groups
from domain.people.individuals import Individual
from domain.people.users import User

BATCH = 500  # aggregates of one save
CONCURRENT_SAVES = 3  # so that Postgres writes one batch while this process encodes the next
Say = Callable[[str], None]


async def populate(store: EventStore, world: World, say: Say) -> int:
    """Save the world and return the number of events."""
    began, before = time.perf_counter(), await store.head()
    with audited_as(AuditContext(actor=world.large.provider(ADMIN))):
        for name, aggregates in (
            ("organizations", map(_organization, world.wards)),
            ("people", (person for ward in world.wards for person in _people(ward))),
            ("individuals", _individuals(world)),
            ("groups", (group for ward in world.wards for group in _groups(ward))),
            ("entries", (entry for ward in world.wards for entry in _entries(ward))),
        ):
            await _save_all(store, aggregates)
            events, seconds = await store.head() - before, time.perf_counter() - began
            say(f"{name}: {events:,} events after {seconds:.0f} s")
        for ward in world.wards:
            await _save_tree(store, ward)
    events = await store.head() - before
    say(f"{events:,} events, {events / (time.perf_counter() - began):,.0f} events/s")
    return events


async def _save_all(store: EventStore, aggregates: Iterable[list[Audited]]) -> None:
    """Save all aggregates in batches; the aggregates of one list are saved together."""
    remaining = iter(aggregates)

    async def save() -> None:
        while batch := _next_batch(remaining):
            await store.save(*batch)

    await asyncio.gather(*(save() for _ in range(CONCURRENT_SAVES)))


def _next_batch(remaining: Iterator[list[Audited]]) -> list[Audited]:
    return [aggregate for together in islice(remaining, BATCH) for aggregate in together]


def _organization(ward: Ward) -> list[Audited]:
    name = f"bench-{ward.number}"
    organization = Organization.create(
        ward.id, name, display_name=name, classification="customer", provider_type="coach", timezone="UTC"
    )
    role = Role.create(ward.id, ORGANIZATION_ADMIN, "Organization administrator")
    role.grant(ward.provider(ADMIN), live=True)
    return [organization, role, *system_groups(ward.id)]


def _people(ward: Ward) -> Iterator[list[Audited]]:
    for place in range(ward.providers):
        own = Individual.create(ward.providers_individual(place), "user", ward.provider(place), provider=True)
        user = _user(ward.provider(place), own.id, f"provider-{place}@{ward.number}.bench.test")
        user.join(ward.id)
        yield [user, own]
    for place in range(ward.patients):
        yield [_user(ward.patient(place), ward.individual(place), f"patient-{place}@{ward.number}.bench.test")]


def _user(user_id: UUID, individual_id: UUID, email: str) -> User:
    user = User.create(user_id, classification="customer", individual_id=individual_id, email=email)
    user.set_password("not a hash, because no user logs in")
    user.confirm(email_verified=True)
    return user


def _individuals(world: World) -> Iterator[list[Audited]]:
    """Yield individuals; one in fifty is shared with the next organization, one in a hundred with a user of it."""
    for ward, place in world.individuals():
        individual_id = ward.individual(place)
        if place < ward.patients:
            individual = Individual.create(individual_id, "user", ward.patient(place))
            individual.share("organization", ward.id)
        else:
            individual = Individual.create(individual_id, "organization", ward.id)
        neighbour = world.wards[(ward.number + 1) % len(world.wards)]
        if place % 50 == 7:
            individual.share("organization", neighbour.id)
        if place % 100 == 9:
            individual.share("user", neighbour.provider(place), "read")
        yield [individual]


def _groups(ward: Ward) -> Iterator[list[Audited]]:
    for place in range(ward.groups):
        kind: NodeType = "group" if ward.is_leaf(place) else "division"
        yield [Group.create(ward.group(place), ward.id, f"Group {place}", node_type=kind, tags=[f"tag-{place % 20}"])]
    yield [Group.create(ward.full_roster, ward.id, "Roster")]


def _entries(ward: Ward) -> Iterator[list[Audited]]:
    for place in range(ward.groups):
        yield [_entry(ward, place, "leader"), _entry(ward, place, "member")]
    for individual in range(ward.individuals):
        subject = ward.individual(individual)
        yield [RosterEntry.add(ward.group(place), ward.id, "individual", subject) for place in ward.places(individual)]
    for individual in range(ward.roster):
        yield [RosterEntry.add(ward.full_roster, ward.id, "individual", ward.individual(individual))]


def _entry(ward: Ward, place: int, kind: RosterKind) -> RosterEntry:
    user = ward.leader(place) if kind == "leader" else ward.member(place)
    return RosterEntry.add(ward.group(place), ward.id, kind, user)


async def _save_tree(store: EventStore, ward: Ward) -> None:
    """Save the tree of groups, from its top down."""
    tree = GroupTree.create(ward.id)
    for place in range(1, ward.groups):
        group, parent = ward.group(place), ward.group(ward.parent(place))
        # not by `request_move`, which would enqueue a job for each group
        tree._moved(ward.id, group, group, None, parent)  # noqa: SLF001
        if place % BATCH == 0:
            await store.save(tree)
    await store.save(tree)
