"""Sizes at which a list of individuals is answered in another way."""

from typing import NamedTuple


class ListLimits(NamedTuple):
    """The answer is the same on each side of a limit; only the time that it takes differs.

    `few` candidates of a filter are checked one by one, and of so many grants a page reads all. `spare` more ids than
    needed are read, because ids are not spread evenly. After `aged` changes younger sets of the index serve better.
    `late` changed individuals are looked up one by one; with more, the tables answer. After `worn` changes a new index
    is made. An index that is `behind` by more events is not used.
    """

    few: int = 2_000
    spare: int = 100
    aged: int = 25
    late: int = 1_000
    worn: int = 2_000
    behind: int = 50_000


LIMITS = ListLimits()
