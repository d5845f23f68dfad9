"""8. How soon is `rollbook up` ready, on a new data folder and on one that it has used before?"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.embedded.account import home_of
from adapters.embedded.postgres import EmbeddedPostgres
from bench.bench import Bench
from bench.figures import Figure, Limit, quantile
from bench.servers import PROJECT, everything

SECOND_AIM = 5.0  # seconds
MAX_STARTS = 5  # of each kind


async def measure(bench: Bench) -> list[Figure]:
    """Measure starts alternately with their limits: a start of Postgres on the same disk, and loading the API."""
    took: dict[str, list[float]] = {}
    for number in range(max(1, min(MAX_STARTS, round(bench.seconds)))):
        with _folder(bench.settings.data) as data:
            for start in ("first", "second"):
                took.setdefault(f"Postgres, {start}", []).append(await asyncio.to_thread(_bare_postgres, data / "bare"))
                took.setdefault(start, []).append(await _ready(data / "whole"))
            took.setdefault("code", []).append(await _load_code())
        bench.say(f"start {number + 1}: {took['first'][-1]:.1f} s, again {took['second'][-1]:.1f} s")
    return [_figure("first", took), _figure("second", took, SECOND_AIM)]


def _figure(start: str, took: dict[str, list[float]], aim: float | None = None) -> Figure:
    median = {name: quantile(times, 0.5) for name, times in took.items()}
    postgres = Limit(f"bare start of Postgres, the {start} in its folder, s", median[f"Postgres, {start}"])
    code = Limit("loading the code of the API, s", median["code"])
    more = {"slowest s": max(took[start]), "times": len(took[start])}
    return Figure(f"`rollbook up` to ready, the {start} in its folder", median[start], "s", [postgres, code], aim, more)


async def _ready(data: Path) -> float:
    began = time.perf_counter()
    async with everything(data):
        return time.perf_counter() - began


def _bare_postgres(folder: Path) -> float:
    server, began = EmbeddedPostgres(home_of(folder, "postgres")), time.perf_counter()
    with server:
        return time.perf_counter() - began


async def _load_code() -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import api.app", cwd=PROJECT)
    await process.wait()
    return time.perf_counter() - began


@contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=parent, prefix="starts-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # for root's servers, which run as another user
        yield Path(folder)
