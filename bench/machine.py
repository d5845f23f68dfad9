"""The kind of this machine, and the processor time that processes use on it."""

import os
import platform
from collections.abc import Iterable
from pathlib import Path

from psycopg import AsyncConnection

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")


async def kind_of_machine(dsn: str) -> dict[str, str | int | float]:
    """Return cores, memory, processor and versions, without names or paths of this machine."""
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
    """Return the load average of the last minute; above 0.5 other processes disturb the measurement."""
    return round(os.getloadavg()[0], 1)


def cpu_seconds(processes: Iterable[int]) -> float:
    """Return the processor time of these processes and their running children; ended ones are left out."""
    ids = set(processes)
    return sum(ticks for process, (parent, ticks) in _processes().items() if process in ids or parent in ids) / TICK


def _processes() -> dict[int, tuple[int, int]]:
    """Return the parent and the processor ticks of each process."""
    processes = {}
    for folder in PROC.iterdir() if PROC.exists() else ():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            processes[int(folder.name)] = (int(fields[1]), int(fields[11]) + int(fields[12]))
    return processes


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
