"""Connections that do nothing leave room for those of others (ruling O15): `rollbook up` with few open files."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import httpx2
import pytest

from tests.support.running import ROLLBOOK, Running, a_folder, environment

pytestmark = pytest.mark.slow

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


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """250 connections where the shell allows 200 open files."""
    with a_folder() as data:
        running = Running(data, command=with_open_files("-Sn 200"), ROLLBOOK_CONNECTIONS="250")
        try:
            running.until_ready()
            yield running
        finally:
            running.stop()


def test_a_crowd_that_does_nothing_keeps_only_itself_out(running: Running) -> None:
    with ExitStack() as held:
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


def test_ways_to_a_session_take_small_bodies_only(running: Running) -> None:
    transport = httpx2.HTTPTransport(local_address="127.0.0.6")
    with httpx2.Client(transport=transport, base_url=running.url) as client:
        for path in ("/v1/login/", "/v1/refresh-token/", "/v1/internal-auth/", "/v2/internal-auth/"):
            refused = client.post(path, json={"password": "x" * 16 * 1024})
            assert (refused.status_code, refused.json()["errors"][0]["code"]) == (413, "payload-too-large")


def test_connections_that_cannot_all_be_open_refuse_the_start() -> None:
    with a_folder() as data:
        given = environment(ROLLBOOK_DATA=str(data), ROLLBOOK_PORT="0")
        done = subprocess.run(
            with_open_files("-n 1000"), env=given, check=False, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 1
    assert done.stderr.startswith("rollbook: ROLLBOOK_CONNECTIONS: 1000 connections need 1420 open files")
    assert "ulimit -Hn" in done.stderr
