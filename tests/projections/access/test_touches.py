"""When the access of a user was last touched (semantics 6.5)."""

from dataclasses import replace
from uuid import uuid4

from domain.access.roles import Role
from domain.core.audited import Audited
from domain.groups.trees import GroupTree
from domain.people.individuals import Individual
from domain.people.users import User
from tests.projections.access.test_authorization import (
    START,
    Log,
    a_group,
    a_log,
    a_user,
    an_organization,
    entry,
    moved,
)


class Told:
    """Two branches of a tree with leaders and members, a patient in a leaf; who was touched by what?"""

    def __init__(self) -> None:
        self.clinic = an_organization()
        self.left, self.right, self.leaf, self.below = (a_group(self.clinic) for _ in range(4))
        self.admin, self.lefty, self.righty, self.leafy, self.lower, self.other = (
            a_user(self.clinic) for _ in range(6)
        )
        self.owner, self.stranger = a_user(), a_user()
        self.patient = Individual.create(uuid4(), "user", self.owner.id)
        self.patient.share("organization", self.clinic.id)
        self.role = Role.create(self.clinic.id, "org.admin", "Administrator")
        self.role.grant(self.admin.id, live=True)
        self.tree = GroupTree.create(self.clinic.id)
        moved(self.tree, self.leaf, self.left)
        moved(self.tree, self.below, self.leaf)
        self.place = entry(self.leaf, "individual", self.patient)
        self.entries = [
            entry(self.left, "leader", self.lefty),
            entry(self.right, "leader", self.righty),
            entry(self.leaf, "member", self.leafy),
            entry(self.below, "leader", self.lower),
        ]

    @property
    def names(self) -> dict[str, User]:
        return {name: value for name, value in vars(self).items() if isinstance(value, User)}

    async def begin(self, log: Log) -> None:
        groups = [self.left, self.right, self.leaf, self.below]
        await log.save(self.clinic, self.role, *self.names.values(), *groups, self.tree, self.patient, *self.entries)
        await log.save(self.place)

    async def touched_by(self, log: Log, *aggregates: Audited) -> set[str]:
        """Whose latest event one append is."""
        before = {name: await log.latest(user) for name, user in self.names.items()}
        start = log.now
        await log.save(*aggregates)
        after = {name: await log.latest(user) for name, user in self.names.items()}
        assert all(after[name] in (before[name], log.now) or after[name] > start for name in after)
        return {name for name in after if after[name] > start}


async def test_a_move_touches_people_of_ancestors_and_descendants(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        touched = await told.touched_by(log, moved(told.tree, told.leaf, told.right))
        # the patient's owner is contained in other groups now
        assert touched == {"lefty", "righty", "leafy", "lower", "owner", "admin"}
        assert await told.touched_by(log, moved(told.tree, told.leaf, None)) == touched - {"lefty"}


async def test_a_place_touches_those_up_the_tree_and_the_owner(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        told.place.remove()
        assert await told.touched_by(log, told.place) == {"lefty", "leafy", "owner", "admin"}
        told.place.add_again()
        assert await told.touched_by(log, told.place) == {"lefty", "leafy", "owner", "admin"}


async def test_a_roster_entry_touches_its_subject(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        assert await told.touched_by(log, entry(told.below, "member", told.other)) == {"other"}
        told.entries[0].remove()
        assert await told.touched_by(log, told.entries[0]) == {"lefty"}


async def test_shares_and_owners_touch_both_sides(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        told.patient.share("user", told.stranger.id, "read")
        assert await told.touched_by(log, told.patient) == {"owner", "stranger"}
        told.patient.unshare("user", told.stranger.id)
        assert await told.touched_by(log, told.patient) == {"owner", "stranger"}
        told.patient.change_owner("user", told.stranger.id)
        assert await told.touched_by(log, told.patient) == {"owner", "stranger"}
        told.place.remove()
        told.patient.unshare("organization", told.clinic.id)
        assert await told.touched_by(log, told.place, told.patient) == {"stranger", "lefty", "leafy", "admin"}


async def test_a_former_owner_is_touched_also_when_it_is_an_organization(database_url: str) -> None:
    told = Told()
    theirs = Individual.create(uuid4(), "organization", told.clinic.id)
    async with a_log(database_url) as log:
        await told.begin(log)
        assert await told.touched_by(log, theirs) == {"admin"}
        theirs.change_owner("user", told.stranger.id)
        assert await told.touched_by(log, theirs) == {"admin", "stranger"}


async def test_changes_of_an_organization_touch_its_providers(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        providers = {"admin", "lefty", "righty", "leafy", "lower", "other"}
        told.clinic.change({"authorization_type": "open"})
        assert await told.touched_by(log, told.clinic) == providers
        told.place.remove()
        assert await told.touched_by(log, told.place) == {
            *providers,
            "owner",
        }  # an open one: they lose nothing, but may


async def test_a_deactivation_touches_those_in_it_and_above_it(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        told.below.deactivate()
        told.tree.remove_node(told.below.id)
        assert await told.touched_by(log, told.below, told.tree) == {"lower", "leafy", "lefty", "admin", "owner"} - {
            "owner"
        }


async def test_a_clock_that_is_behind_takes_no_stamp_back(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        before = {name: await log.latest(user) for name, user in told.names.items()}
        told.stranger.disable()
        told.place.remove()
        late = log.recorded(told.stranger, told.place)
        await log.apply([each._replace(event=replace(each.event, timestamp=START)) for each in late])  # type: ignore[type-var]
        for name, user in told.names.items():
            assert await log.latest(user) >= before[name]


async def test_accounts_touch_themselves(database_url: str) -> None:
    told = Told()
    async with a_log(database_url) as log:
        await told.begin(log)
        told.lefty.disable()
        assert await told.touched_by(log, told.lefty) == {"lefty"}
        told.role.grant(told.other.id, live=True)
        assert await told.touched_by(log, told.role) == {"other"}
        told.other.leave(told.clinic.id)
        assert await told.touched_by(log, told.other) == {"other"}
