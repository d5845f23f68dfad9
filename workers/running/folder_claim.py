"""Two file locks: a data folder has one supervisor, which waits until the parts of a killed supervisor have ended."""

import asyncio
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

ORPHANS_PATIENCE = 10.0  # seconds; parts without a supervisor end by themselves within 5 s


class FolderTakenError(Exception):
    """Another process uses the data folder; the text says which."""


class FolderClaim:
    """The claim of this process on the data folder, from `take` to the end of the `with` block.

    `parts` is a file descriptor that the parts inherit. The next supervisor waits while any of them runs.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._supervisor = os.open(data / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
        self.parts = os.open(data / "parts.lock", os.O_RDWR | os.O_CREAT, 0o600)

    async def take(self) -> None:
        """Wait until this process alone uses the folder. Raises FolderTakenError."""
        if not _locked(self._supervisor):
            other = os.pread(self._supervisor, 20, 0).decode().strip()
            raise FolderTakenError(f"another `rollbook up` (process {other}) already runs on {self._data}")
        os.ftruncate(self._supervisor, 0)
        os.pwrite(self._supervisor, str(os.getpid()).encode(), 0)
        end = time.monotonic() + ORPHANS_PATIENCE
        while not _locked(self.parts):
            if time.monotonic() > end:
                raise FolderTakenError(f"parts of an earlier `rollbook up` on {self._data} have not ended yet")
            await asyncio.sleep(0.05)
        fcntl.flock(self.parts, fcntl.LOCK_SH)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self.parts)
        os.close(self._supervisor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
