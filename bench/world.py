"""The world in which is measured: who and what is in it follows from numbers, so that nothing has to be remembered.

Each organization has one tree of groups in which group n stands under group (n - 1) // branching, seven levels deep in
the large worlds, and one roster beside it. Individuals are spread evenly over the groups, one in ten stands in two.
"""

from collections.abc import Iterator
from itertools import count
from uuid import NAMESPACE_URL, UUID, uuid5

from bench.sizes import Size

LEVELS = 7
NAMESPACE = uuid5(NAMESPACE_URL, "rollbook:bench")
DIVISION_LEADER, LEAF_LEADER, ADMIN, FIRST_WING_LEADER, SECOND_WING_LEADER, OTHERS = range(6)
"""Places among an organization's providers; the others lead and belong to groups in turn."""


class Ward:
    """One organization."""

    def __init__(self, number: int, groups: int, users: int, individuals: int, roster: int) -> None:
        self.number = number
        self.groups = groups
        self.patients = users // 5
        self.providers = users - self.patients
        self.individuals = individuals
        self.roster = roster
        self.id = uuid5(NAMESPACE, f"organization:{number}")
        self.branching = next(wide for wide in count(2) if sum(wide**level for level in range(LEVELS)) >= groups)

    def group(self, place: int) -> UUID:
        """The group at that place in the tree; 0 is the top."""
        return uuid5(self.id, f"group:{place}")

    def parent(self, place: int) -> int:
        """The place of the group above, for all but the top."""
        return (place - 1) // self.branching

    def is_leaf(self, place: int) -> bool:
        """Whether nothing stands below."""
        return place * self.branching + 1 >= self.groups

    @property
    def full_roster(self) -> UUID:
        """The group beside the tree with `roster` individuals."""
        return uuid5(self.id, "group:roster")

    def provider(self, place: int) -> UUID:
        return uuid5(self.id, f"provider:{place % self.providers}")

    def providers_individual(self, place: int) -> UUID:
        """The provider's own, which is in no group."""
        return uuid5(self.id, f"provider's individual:{place}")

    def leader(self, group: int) -> UUID:
        """Who leads the group at that place."""
        known = {1: DIVISION_LEADER, self.groups - 1: LEAF_LEADER}
        return self.provider(known.get(group, OTHERS + group % (self.providers - OTHERS)))

    def member(self, group: int) -> UUID:
        """Who belongs to the group at that place."""
        return self.provider(OTHERS + (group * 7 + 3) % (self.providers - OTHERS))

    def patient(self, place: int) -> UUID:
        return uuid5(self.id, f"patient:{place}")

    def individual(self, place: int) -> UUID:
        """The first ones are those of the patients."""
        return uuid5(self.id, f"individual:{place}")

    def places(self, individual: int) -> list[int]:
        """The groups, by place in the tree, in which the individual stands."""
        first = individual % self.groups
        second = (individual * 7 + 1) % self.groups
        return [first] if individual % 10 or second == first else [first, second]

    def free_places(self) -> Iterator[tuple[UUID, UUID]]:
        """(group, individual) of which no entry is taken, as many as are wanted."""
        for further in count(2):
            for individual in range(self.individuals):
                if individual % 10:
                    yield self.group((individual + further) % self.groups), self.individual(individual)


class World:
    """All organizations of a size; the first one has half of everything."""

    def __init__(self, size: Size) -> None:
        self.size = size
        others = size.organizations - 1
        shares = [2 * others, *([2] * others)]
        whole = 4 * others
        self.wards = [
            Ward(
                number,
                size.groups * share // whole,
                size.users * share // whole,
                size.individuals * share // whole,
                size.roster if number == 0 else 0,
            )
            for number, share in enumerate(shares)
        ]

    @property
    def large(self) -> Ward:
        """The organization with half of everything."""
        return self.wards[0]

    def individuals(self) -> Iterator[tuple[Ward, int]]:
        """All of them, as organization and place in it."""
        for ward in self.wards:
            for place in range(ward.individuals):
                yield ward, place
