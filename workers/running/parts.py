"""One child process of the supervisor, which is started again whenever it ends."""

import asyncio
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

MIN_PAUSE = 0.2  # seconds
MAX_PAUSE = 10.0
HEALTHY_AFTER = 30.0  # seconds of running after which the back-off begins again
STOP_PATIENCE = 4.5


class PartCommand(NamedTuple):
    """The command of a part. `listens` tells whether it gets the listening socket, `secrets` which secrets it gets."""

    name: str
    command: Sequence[str]
    listens: bool = False
    secrets: frozenset[str] = frozenset()


class Part:
    """A process in its own session, so that Ctrl-C and signals to the process group reach only the supervisor."""

    def __init__(
        self, part: PartCommand, environment: Mapping[str, str], descriptors: Sequence[int], say: Callable[[str], None]
    ) -> None:
        self._name = part.name
        self._command = part.command
        self._environment = environment
        self._descriptors = tuple(descriptors)
        self._say = say
        self._process: asyncio.subprocess.Process | None = None

    async def keep_running(self) -> None:
        """Start the process, and again with back-off whenever it ends, until this task is cancelled."""
        pause = MIN_PAUSE
        while True:
            started = time.monotonic()
            status = await self._run_once()
            if time.monotonic() - started > HEALTHY_AFTER:
                pause = MIN_PAUSE
            self._say(f"{self._name} ended ({_described(status)}); starting it again in {pause:.1f} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE)

    async def stop(self) -> None:
        """End the process and wait until it has ended. Cancel `keep_running` first."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_PATIENCE)
        except TimeoutError:
            self._say(f"{self._name} did not stop in {STOP_PATIENCE:.1f} s and was killed")
            process.kill()
            await process.wait()

    async def _run_once(self) -> int:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            env=self._environment,
            pass_fds=self._descriptors,
            start_new_session=True,
        )
        return await self._process.wait()


def _described(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"
