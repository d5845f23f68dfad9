"""8. How soon `rollbook up` is ready: on a new data folder, and on one that it has used before."""

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
MOST = 5  # times each


async def measure(bench: Bench) -> list[Figure]:
    """Turn and turn about with what no start can do without: a Postgres on the same disk, and the code of the API."""
    took: dict[str, list[float]] = {}
    for number in range(max(1, min(MOST, round(bench.seconds)))):
        with _folder(bench.settings.data) as data:
            for start in ("first", "second"):
                took.setdefault(f"Postgres, {start}", []).append(await asyncio.to_thread(_bare_postgres, data / "bare"))
                took.setdefault(start, []).append(await _ready(data / "whole"))
            took.setdefault("code", []).append(await _loaded())
        bench.say(f"start {number + 1}: {took['first'][-1]:.1f} s, again {took['second'][-1]:.1f} s")
    return [_figure("first", took), _figure("second", took, SECOND_AIM)]


def _figure(start: str, took: dict[str, list[float]], aim: float | None = None) -> Figure:
    middle = {what: quantile(times, 0.5) for what, times in took.items()}
    postgres = Limit(f"bare start of Postgres, the {start} in its folder, s", middle[f"Postgres, {start}"])
    code = Limit("loading the code of the API, s", middle["code"])
    more = {"slowest s": max(took[start]), "times": len(took[start])}
    return Figure(f"`rollbook up` to ready, the {start} in its folder", middle[start], "s", [postgres, code], aim, more)


async def _ready(data: Path) -> float:
    began = time.perf_counter()
    async with everything(data):
        return time.perf_counter() - began


def _bare_postgres(folder: Path) -> float:
    server, began = EmbeddedPostgres(home_of(folder, "postgres")), time.perf_counter()
    with server:
        return time.perf_counter() - began


async def _loaded() -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import api.app", cwd=PROJECT)
    await process.wait()
    return time.perf_counter() - began


@contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=parent, prefix="starts-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # the user who runs servers for root passes through
        yield Path(folder)
