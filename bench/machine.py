"""The machine by its kind only, and how busy processes are on it."""

import os
import platform
from collections.abc import Iterable
from pathlib import Path

from psycopg import AsyncConnection

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")


async def kind_of_machine(dsn: str) -> dict[str, str | int | float]:
    """Cores, memory, processor, versions; neither names nor paths."""
    async with await AsyncConnection.connect(dsn) as connection:
        durable = [await _setting(connection, name) for name in ("fsync", "synchronous_commit", "full_page_writes")]
        version = await _setting(connection, "server_version")
        buffers = await _setting(connection, "shared_buffers")
    return {
        "cores": os.cpu_count() or 0,
        "memory GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "processor": _processor(),
        "system": platform.system(),
        "python": platform.python_version(),
        "postgres": version,
        "postgres settings": f"fsync, synchronous_commit, full_page_writes {'/'.join(durable)}; buffers {buffers}",
    }


def others_load() -> float:
    """Processes that wanted to run in the last minute, before we measure: above 0.5 somebody else is at work."""
    return round(os.getloadavg()[0], 1)


def cpu_seconds(processes: Iterable[int]) -> float:
    """Processor time used so far by these processes and their living children; those that have gone are left out."""
    wanted = set(processes)
    return sum(ticks for process, (parent, ticks) in _all().items() if process in wanted or parent in wanted) / TICK


def _all() -> dict[int, tuple[int, int]]:
    found = {}
    for folder in PROC.iterdir() if PROC.exists() else ():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            found[int(folder.name)] = (int(fields[1]), int(fields[11]) + int(fields[12]))
    return found


def _processor() -> str:
    try:
        lines = (PROC / "cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


async def _setting(connection: AsyncConnection, name: str) -> str:
    cursor = await connection.execute("SELECT current_setting(%s)", (name,))
    row = await cursor.fetchone()
    assert row is not None
    return str(row[0])
