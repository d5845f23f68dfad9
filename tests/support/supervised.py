"""`python -m tests.support.supervised`: the supervisor on the environment's settings, with stand-ins for its parts."""

import asyncio
import os
import sys

from adapters.environment import load_settings
from adapters.settings import Settings
from workers.running.folder_claim import FolderTakenError
from workers.running.listening import PortTakenError
from workers.running.parts import PartCommand
from workers.running.supervisor import Plan, Supervisor


def part(name: str, *, listens: bool = False) -> PartCommand:
    return PartCommand(name, [sys.executable, "-m", "tests.support.stand_in_part", name], listens)


async def bootstrap(settings: Settings) -> list[str]:
    assert settings.database_url
    assert settings.redis_url
    return [f"bootstrapped with a key of {len(settings.master_key_bytes())} bytes"]


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def up() -> None:
    parts = [part("api", listens=True), part(os.environ.get("STAND_IN_WORKER", "worker"))]

    async def run() -> None:
        await Supervisor(load_settings(), Plan(parts, bootstrap), say).run()

    try:
        asyncio.run(run())
    except (FolderTakenError, PortTakenError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    up()
