"""How large the worlds are in which is measured."""

from typing import NamedTuple


class Size(NamedTuple):
    """Counts over all organizations; the first one has half of everything, and one roster of `roster` individuals.

    `seconds` is how long each rate is measured unless the command line says otherwise.
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
