"""The world in which benchmarks run. All ids are computed from numbers, so none has to be stored.

Each organization has one tree of groups, in which group (n - 1) // branching is the parent of group n; in the large
worlds it has seven levels. Beside the tree is one group with a large roster. Individuals are spread evenly over the
groups; one in ten is in two groups.
"""

from collections.abc import Iterator
from itertools import count
from uuid import NAMESPACE_URL, UUID, uuid5

from bench.sizes import Size

LEVELS = 7
NAMESPACE = uuid5(NAMESPACE_URL, "rollbook:bench")
DIVISION_LEADER, LEAF_LEADER, ADMIN, FIRST_WING_LEADER, SECOND_WING_LEADER, OTHERS = range(6)
"""Numbers of an organization's providers; from OTHERS on, they are leaders and members of groups in turn."""


class Ward:
    """One organization. A `place` is the number of a group, provider, patient or individual in it."""

    def __init__(self, number: int, groups: int, users: int, individuals: int, roster: int) -> None:
        self.number = number
        self.groups = groups
        self.patients = users // 5
        self.providers = users - self.patients
        self.individuals = individuals
        self.roster = roster
        self.id = uuid5(NAMESPACE, f"organization:{number}")
        self.branching = next(width for width in count(2) if sum(width**level for level in range(LEVELS)) >= groups)

    def group(self, place: int) -> UUID:
        """Return the id of the group at that place in the tree; 0 is the top."""
        return uuid5(self.id, f"group:{place}")

    def parent(self, place: int) -> int:
        """Return the place of the parent group, for all groups but the top."""
        return (place - 1) // self.branching

    def is_leaf(self, place: int) -> bool:
        """Return whether the group has no children."""
        return place * self.branching + 1 >= self.groups

    @property
    def full_roster(self) -> UUID:
        """Return the id of the group beside the tree, which has `roster` individuals."""
        return uuid5(self.id, "group:roster")

    def provider(self, place: int) -> UUID:
        return uuid5(self.id, f"provider:{place % self.providers}")

    def providers_individual(self, place: int) -> UUID:
        """Return the id of the provider's own individual, which is in no group."""
        return uuid5(self.id, f"provider's individual:{place}")

    def leader(self, group: int) -> UUID:
        """Return the id of the leader of the group at that place."""
        fixed = {1: DIVISION_LEADER, self.groups - 1: LEAF_LEADER}
        return self.provider(fixed.get(group, OTHERS + group % (self.providers - OTHERS)))

    def member(self, group: int) -> UUID:
        """Return the id of the member of the group at that place."""
        return self.provider(OTHERS + (group * 7 + 3) % (self.providers - OTHERS))

    def patient(self, place: int) -> UUID:
        return uuid5(self.id, f"patient:{place}")

    def individual(self, place: int) -> UUID:
        """Return the id of the individual; the first ones belong to the patients."""
        return uuid5(self.id, f"individual:{place}")

    def places(self, individual: int) -> list[int]:
        """Return the places of the groups that the individual is in."""
        first = individual % self.groups
        second = (individual * 7 + 1) % self.groups
        return [first] if individual % 10 or second == first else [first, second]

    def free_places(self) -> Iterator[tuple[UUID, UUID]]:
        """Yield pairs of a group and an individual that is not in it, without end."""
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
        """Return the organization with half of everything."""
        return self.wards[0]

    def individuals(self) -> Iterator[tuple[Ward, int]]:
        """Yield all individuals, as organization and place in it."""
        for ward in self.wards:
            for place in range(ward.individuals):
                yield ward, place
