"""One child process of the supervisor, started again whenever it ends."""

import asyncio
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
STEADY = 30.0  # seconds after which a part counts as healthy and its next end as a first one
STOP_PATIENCE = 4.5


class PartCommand(NamedTuple):
    """What to run, by the name that messages use; `listens` hands it the listening socket, `secrets` are its own."""

    name: str
    command: Sequence[str]
    listens: bool = False
    secrets: frozenset[str] = frozenset()


class Part:
    """A process in a session of its own, so that Ctrl-C and signals to our group reach only the supervisor."""

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
        """Runs until cancelled; each end of the process is told, and followed by a start after a growing pause."""
        pause = FIRST_PAUSE
        while True:
            started = time.monotonic()
            status = await self._run_once()
            if time.monotonic() - started > STEADY:
                pause = FIRST_PAUSE
            self._say(f"{self._name} ended ({_told(status)}); starting it again in {pause:.1f} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def stop(self) -> None:
        """Returns when the process is gone; to be called after `keep_running` was cancelled."""
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


def _told(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"
