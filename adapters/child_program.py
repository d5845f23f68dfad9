"""Programs of ours that run in a process of their own, so that work that takes too long can be killed (ruling O8).

A thread would hold up the event loop and could not be stopped.
"""

import select
import subprocess
import sys
from pathlib import Path

PATIENCE = 10.0
"""Seconds, including the start of the process, after which it is killed. Programs limit their own work to far less."""


class ChildProgram:
    """Asks a program one line at a time, for one thread. The process starts with the first line."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def answer(self, line: bytes) -> bytes:
        """Return the line that the program answers; b"" if it ended or was killed, and then it is started anew."""
        process = self._running()
        if process is None:
            return b""
        assert process.stdin is not None
        assert process.stdout is not None
        answer = b""
        try:
            process.stdin.write(line + b"\n")
            if select.select([process.stdout], [], [], PATIENCE)[0]:
                answer = process.stdout.readline()
        except (OSError, ValueError):  # the process has just ended, or `close` has closed its pipes
            pass
        if not answer:
            self.stop()
        return answer

    def close(self) -> None:
        """Stop the process for good."""
        self._closed = True
        self.stop()

    def stop(self) -> None:
        """Kill the process; the next line starts another one."""
        process, self._process = self._process, None
        if process is not None:
            with process:  # closes the pipes and waits
                process.kill()

    def _running(self) -> "subprocess.Popen[bytes] | None":
        if self._closed:
            return None
        if self._process is not None and self._process.poll() is not None:
            self.stop()
        if self._process is None:
            # isolated and without our environment, which contains secrets
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-I", str(self._program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                bufsize=0,
            )
        return self._process
