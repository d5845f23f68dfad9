"""Sizes at which a list of individuals is answered in another way."""

from typing import NamedTuple


class ListLimits(NamedTuple):
    """The answer is the same on each side of a limit; only the time that it takes differs.

    `few` candidates of a filter are checked one by one, and of so many grants a page reads all. `spare` more ids than
    needed are read, because ids are not spread evenly. With more than `outside_delta` changed individuals outside it a
    new delta is made; at most `looked_up` of them are looked up one by one, with more the tables answer. With more than
    `changed` individuals a new base set is made. An index that is `behind` by more events is not used.
    """

    few: int = 2_000
    spare: int = 100
    outside_delta: int = 25
    looked_up: int = 1_000
    changed: int = 2_000
    behind: int = 50_000


LIMITS = ListLimits()
