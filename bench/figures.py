"""What a question answers: figures, each beside limits that were measured in the same run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limit:
    """What this machine does when it does nothing else, in the figure's unit."""

    name: str
    value: float


@dataclass(frozen=True)
class Figure:
    """`more` are further facts about it, by name with their unit."""

    name: str
    value: float
    unit: str
    beside: Sequence[Limit]
    aim: float | None = None
    more: dict[str, float] = field(default_factory=dict)

    @property
    def more_is_better(self) -> bool:
        """A rate wants to be high, a time low."""
        return self.unit.endswith("/s")

    @property
    def reached(self) -> bool | None:
        """Whether the aim is met; None without one."""
        if self.aim is None:
            return None
        return self.value >= self.aim if self.more_is_better else self.value <= self.aim

    def ratios(self) -> dict[str, float]:
        """The figure as a multiple of each limit."""
        return {limit.name: self.value / limit.value if limit.value else math.nan for limit in self.beside}


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def milliseconds(latencies: Sequence[float]) -> dict[str, float]:
    """The usual quantiles of latencies given in seconds."""
    return {"p50 ms": quantile(latencies, 0.5) * 1000, "p99 ms": quantile(latencies, 0.99) * 1000}
