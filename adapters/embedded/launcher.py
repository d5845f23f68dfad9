"""Embedded servers from wheels. The first process that needs a server starts it; it ends with its last user."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from adapters.embedded import account as accounts

GUARD = Path(__file__).with_name("guard.py")
START_PATIENCE = 300.0  # seconds; after a crash Postgres first replays its log, which may take minutes
REMAINS_PATIENCE = 15.0  # seconds
STOP_PATIENCE = 4.0  # seconds
LOG_LIMIT = 10_000_000  # bytes
# The caller's environment is not passed on: its PGPORT, PGDATA and the like belong to another server.
BARE_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


class ServerFailedError(Exception):
    """An embedded server did not start; the text ends with the server's own output."""


class EmbeddedServer(ABC):
    """One server in one folder, shared by all processes that call `start`: the first starts it, the last ends it.

    `home` is the server's own folder. With `discard`, for tests, it is removed when the server ends.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, home: Path, *, discard: bool = False) -> None:
        self.home = home.resolve()
        self.account = accounts.account_for(self.home / "cluster")
        self.sockets = accounts.socket_folder(self.home)
        self._discard = discard
        self._one_at_a_time = threading.Lock()
        self._ending = False
        self._users_lock: int | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def answers(self) -> bool:
        """Return whether a client gets an answer now, whatever process ids say."""

    @property
    def _password_file(self) -> Path:
        """The file with the server's password, which only the caller can read, not the server's user."""
        return self.home / "password"

    def _set_up(self) -> None:  # noqa: B027 - a server may need nothing
        """Create what the server needs once it answers, while other starting processes wait. Must be idempotent."""

    @abstractmethod
    def _prepare(self, package: Path) -> list[str]:
        """Create the files that the server needs, and return the command that runs it in the foreground."""

    def start(self) -> None:
        """Start the server, unless another process has, and return when it answers. Raises ServerFailedError."""
        with self._one_at_a_time, _locked(self.home / "start.lock", fcntl.LOCK_EX, START_PATIENCE):
            if self._users_lock is None:
                # waits while a guard ends a server whose last user has just ended
                self._users_lock = _lock(self.home / "users.lock", fcntl.LOCK_SH, REMAINS_PATIENCE)
            if not self.answers():
                self._reap()
                self._launch()
            self._set_up()

    def running(self) -> bool:
        """Return whether the server runs. Cheap enough to call several times per second."""
        return self._guard.poll() is None if self._guard is not None else self.answers()

    def leave(self) -> None:
        """Stop using the server. It ends when no other process uses it."""
        if self._users_lock is not None:
            os.close(self._users_lock)
            self._users_lock = None
        if self._guard is not None:
            self._guard.returncode = 0  # others may use the server; otherwise subprocess warns of a running child
            self._guard = None

    def stop(self) -> None:
        """End the server if this object started it, even if other processes use it, and return when it has ended.

        A `start` in another thread gives up, and this object never starts the server again.
        """
        self._ending = True
        with self._one_at_a_time:
            if self._guard is not None:
                self._guard.terminate()
                self._reap()
                with contextlib.suppress(ServerFailedError):  # the next start waits for them as well
                    self._wait_for_remains(1.0)
            self.leave()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _reap(self) -> None:
        if self._guard is None:
            return
        try:
            self._guard.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()
        self._guard = None

    def _launch(self) -> None:
        self._wait_for_remains(REMAINS_PATIENCE)
        accounts.private_folder(self.sockets, self.account, ours=self.sockets.parent == self.home)
        command = self._prepare(accounts.reachable_package(self.package, self.account))
        if self._ending:
            raise ServerFailedError(f"{self.name} was stopped while it was starting")
        log_path = self.home / f"{self.name}.log"
        with log_path.open("ab") as log:
            if log.tell() > LOG_LIMIT:
                log.truncate(0)
            begin = log.seek(0, os.SEEK_END)
            self._guard = self._start_guard(command, log.fileno())
        if not self._answers_in_time(self._guard):
            self._guard.terminate()
            self._reap()
            output = log_path.read_bytes()[begin:].decode(errors="replace")[-2000:]
            raise ServerFailedError(f"{self.name} did not start in {self.home}:\n{output}")

    def _answers_in_time(self, guard: subprocess.Popen[bytes]) -> bool:
        end = time.monotonic() + START_PATIENCE
        while guard.poll() is None and time.monotonic() < end and not self._ending:
            if self.answers():
                return True
            time.sleep(0.02)
        return False

    def _run_to_end(self, command: list[str], account: accounts.Account | None) -> None:
        """Run a command as that user to its end, or kill it when `stop` is called. Raises ServerFailedError."""
        uid, gid = account or (None, None)
        groups = None if account is None else list[int]()
        with tempfile.TemporaryFile() as output, subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", env=BARE_ENVIRONMENT,
            user=uid, group=gid, extra_groups=groups, start_new_session=True,
        ) as process:  # fmt: skip
            while process.poll() is None:
                if self._ending:
                    process.kill()
                time.sleep(0.02)
            output.seek(0)
            if process.returncode:
                raise ServerFailedError(
                    f"{Path(command[0]).name} failed in {self.home}:\n{output.read().decode()[-2000:]}"
                )

    def _wait_for_remains(self, patience: float) -> None:
        """Wait until all processes of an earlier server have ended; a killed server leaves children for a moment."""
        os.close(_lock(self.home / "server.lock", fcntl.LOCK_EX, patience))

    def _start_guard(self, command: list[str], log: int) -> subprocess.Popen[bytes]:
        options = ["--home", str(self.home), "--stop-signal", str(int(self.stop_signal))]
        if self.account is not None:
            options += ["--uid", str(self.account.uid), "--gid", str(self.account.gid)]
        if self._discard:
            options += ["--discard"]
        # a session of its own: Ctrl-C and a signal to the caller's group must not reach the server
        return subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-I", "-S", str(GUARD), *options, "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=BARE_ENVIRONMENT,
            start_new_session=True,
        )


def _lock(path: Path, kind: int, patience: float) -> int:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        accounts.open_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:  # otherwise the folder was removed meanwhile
                return descriptor
        os.close(descriptor)
        time.sleep(0.02)
    raise ServerFailedError(f"another process has held {path} for {patience:.0f} s")


@contextlib.contextmanager
def _locked(path: Path, kind: int, patience: float) -> Iterator[None]:
    descriptor = _lock(path, kind, patience)
    try:
        yield
    finally:
        os.close(descriptor)
