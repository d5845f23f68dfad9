"""Connections that do nothing leave room for those of others (ruling O15): `rollbook up` with few open files."""

import socket
import subprocess
from contextlib import ExitStack

import httpx2

from tests.support.running import ROLLBOOK, Running, a_folder, environment

SHARE = 100


def with_open_files(limit: str) -> list[str]:
    """`rollbook up` as a shell with that limit starts it."""
    return ["bash", "-c", f'ulimit {limit}; exec "$@"', "rollbook", *ROLLBOOK, "up"]


class Crowd:
    """Clients that connect and send nothing."""

    def __init__(self, held: ExitStack, url: str) -> None:
        self._held = held
        self._server = (httpx2.URL(url).host, httpx2.URL(url).port or 0)

    def joins(self, host: str, clients: int) -> socket.socket:
        """So many from one address; the last one."""
        for _ in range(clients):
            last = self._held.enter_context(
                socket.create_connection(self._server, timeout=10, source_address=(host, 0))
            )
        return last


def test_a_crowd_that_does_nothing_keeps_only_itself_out() -> None:
    with a_folder() as data, ExitStack() as held:
        running = Running(data, command=with_open_files("-Sn 200"), ROLLBOOK_CONNECTIONS="250")
        held.callback(running.stop)
        running.until_ready()
        crowd = Crowd(held, running.url)
        crowd.joins("127.0.0.1", SHARE)
        assert crowd.joins("127.0.0.1", 1).recv(1000).startswith(b"HTTP/1.1 503 ")
        crowd.joins("127.0.0.2", SHARE)
        transport = httpx2.HTTPTransport(local_address="127.0.0.3")
        with httpx2.Client(transport=transport, base_url=running.url) as client:
            assert client.get("/readyz").status_code == 200
            crowd.joins("127.0.0.4", 49)
            assert crowd.joins("127.0.0.5", 1).recv(1000).startswith(b"HTTP/1.1 503 ")
            assert client.get("/readyz").status_code == 200
        assert "connections-refused" in running.output.read_text()


def test_connections_that_cannot_all_be_open_refuse_the_start() -> None:
    with a_folder() as data:
        given = environment(ROLLBOOK_DATA=str(data), ROLLBOOK_PORT="0")
        done = subprocess.run(
            with_open_files("-n 1000"), env=given, check=False, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 1
    assert done.stderr.startswith("rollbook: ROLLBOOK_CONNECTIONS: 1000 connections take 1420 open files")
    assert "ulimit -Hn" in done.stderr
