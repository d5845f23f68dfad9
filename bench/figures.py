"""The results of benchmarks: figures, each beside limits that were measured in the same run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limit:
    """The best that this machine can do, in the figure's unit."""

    name: str
    value: float


@dataclass(frozen=True)
class Figure:
    """One measured value beside its limits. `more` are further values, by name with their unit."""

    name: str
    value: float
    unit: str
    beside: Sequence[Limit]
    aim: float | None = None
    more: dict[str, float] = field(default_factory=dict)

    @property
    def more_is_better(self) -> bool:
        """Return whether a higher value is better: for rates, not for times."""
        return self.unit.endswith("/s")

    @property
    def reached(self) -> bool | None:
        """Return whether the aim is met; None without an aim."""
        if self.aim is None:
            return None
        return self.value >= self.aim if self.more_is_better else self.value <= self.aim

    def ratios(self) -> dict[str, float]:
        """Return the figure as a multiple of each limit."""
        return {limit.name: self.value / limit.value if limit.value else math.nan for limit in self.beside}


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of all values do not exceed; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def milliseconds(latencies: Sequence[float]) -> dict[str, float]:
    """Return p50 and p99, in milliseconds, of latencies in seconds."""
    return {"p50 ms": quantile(latencies, 0.5) * 1000, "p99 ms": quantile(latencies, 0.99) * 1000}
