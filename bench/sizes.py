"""The sizes of the worlds in which benchmarks run."""

from typing import NamedTuple


class Size(NamedTuple):
    """Totals over all organizations. The first has half of everything, and one roster of `roster` individuals.

    `seconds` is the time to measure each rate, unless the command line gives another.
    """

    name: str
    organizations: int
    groups: int
    users: int
    individuals: int
    roster: int
    seconds: float


SIZES = {
    size.name: size
    for size in (
        Size("small", 3, 300, 300, 1_000, 400, 0.4),
        Size("10k", 10, 10_000, 5_000, 10_000, 4_000, 5.0),
        Size("1m", 10, 10_000, 5_000, 1_000_000, 100_000, 5.0),
    )
}
