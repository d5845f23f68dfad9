"""Scores how easily passwords are guessed, in a process of its own that can be killed (ruling O8).

Scoring is Python code that takes from 20 ms to many seconds. A thread would hold up the event loop and could not be
stopped.
"""

import json
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from domain.core.errors import TooMany
from domain.people.passwords import Rating

PROGRAM = Path(__file__).with_name("password_scoring.py")
PATIENCE = 10.0
"""Seconds, including the start of the process, after which it is killed. It limits its own work to far less."""


class PasswordScorer:
    """Scores one password at a time, for one thread. The process starts with the first password."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def rate(self, password: str, about: Sequence[str]) -> Rating:
        """Return the rating; its score is 0 if that takes too long. Raises TooMany if the process does not answer."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        answer = b""
        try:
            process.stdin.write(json.dumps([password, *about]).encode() + b"\n")
            if select.select([process.stdout], [], [], PATIENCE)[0]:
                answer = process.stdout.readline()
        except OSError:  # the process has just ended
            pass
        if not answer:
            self.stop()
            raise TooMany
        score, suggestions = json.loads(answer)
        return Rating(score, suggestions)

    def close(self) -> None:
        """Stop the process for good."""
        self._closed = True
        self.stop()

    def stop(self) -> None:
        """Kill the process; the next password starts another one."""
        process, self._process = self._process, None
        if process is not None:
            with process:  # closes the pipes and waits
                process.kill()

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._closed:
            raise TooMany
        if self._process is not None and self._process.poll() is not None:
            self.stop()
        if self._process is None:
            # isolated and without our environment, which contains secrets
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-I", str(PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                bufsize=0,
            )
        return self._process
