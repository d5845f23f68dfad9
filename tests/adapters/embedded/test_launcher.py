import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psycopg
import pytest
import redis

from adapters.embedded.account import (
    open_folder,
    socket_folder,
)
from adapters.embedded.launcher import EmbeddedServer, ServerFailedError
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from tests.support.processes import processes, wait_until

pytestmark = pytest.mark.slow


def a_postgres(folder: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder / "postgres", durable=False)


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.home / "cluster" / "postmaster.pid").read_text().splitlines()[0])


def write(server: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(statement.encode())


def test_postgres_keeps_its_data_over_a_stop_and_leaves_no_process(folder: Path) -> None:
    with a_postgres(folder) as server:
        write(server, "CREATE TABLE kept AS SELECT 1 AS one")
    assert processes(str(folder)) == {}
    with a_postgres(folder) as server, psycopg.connect(server.dsn()) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_the_product_is_durable_and_its_log_has_no_values(folder: Path) -> None:
    with EmbeddedPostgres(folder / "postgres") as server, psycopg.connect(server.dsn(), autocommit=True) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert connection.execute(f"SHOW {name}".encode()).fetchone() == ("on",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SELECT lower('ÄÖ')").fetchone() == ("äö",)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("CREATE TEMP TABLE t (e text UNIQUE); INSERT INTO t VALUES ('ann@x'), ('ann@x')")
        assert "ann@x" not in (server.home / "postgres.log").read_text()


def test_a_second_user_shares_the_server_and_the_last_stops_it(folder: Path) -> None:
    first, second = a_postgres(folder), a_postgres(folder)
    first.start()
    pid = postmaster(first)
    second.start()
    first.leave()
    write(second, "SELECT 1")
    assert postmaster(second) == pid
    second.leave()
    wait_until(lambda: not processes(str(folder)))


def test_starts_at_the_same_time_make_one_server(folder: Path) -> None:
    servers = [a_postgres(folder) for _ in range(4)]
    threads = [threading.Thread(target=server.start) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({postmaster(server) for server in servers}) == 1
    for server in servers:
        server.stop()
    assert processes(str(folder)) == {}


def test_postgres_starts_again_after_kill_9(folder: Path) -> None:
    with EmbeddedPostgres(folder / "postgres") as server:
        write(server, "CREATE TABLE kept AS SELECT 1 AS one")
        os.kill(postmaster(server), signal.SIGKILL)
        wait_until(lambda: not server.running())
        server.start()
        write(server, "SELECT one FROM kept")


def test_the_server_ends_with_a_user_that_is_killed(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from adapters.embedded.postgres import EmbeddedPostgres\n"
        "EmbeddedPostgres(Path(sys.argv[1]), durable=False).start(); print('started', flush=True); input()"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", program, str(folder / "postgres")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with user:
        assert user.stdout
        assert user.stdout.readline() == b"started\n"
        user.kill()
        user.wait()
        wait_until(lambda: not processes(str(folder)), 5)


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel to tell the server of its guard's death")
def test_the_server_ends_with_a_guard_that_is_killed_and_starts_again(folder: Path) -> None:
    with a_postgres(folder) as server:
        (guard,) = (pid for pid, command in processes(str(folder)).items() if "embedded/guard.py" in command)
        os.kill(guard, signal.SIGKILL)
        wait_until(lambda: not server.running())
        while not server.running():
            server.start()
        write(server, "SELECT 1")


def test_an_interrupted_initdb_does_not_pass_for_a_cluster(folder: Path) -> None:
    leftover = open_folder(folder / "postgres") / "unfinished-x"
    leftover.mkdir()
    (leftover / "PG_VERSION").write_text("18")
    with a_postgres(folder) as server:
        write(server, "SELECT 1")
    assert not leftover.exists()


def test_a_reused_process_id_does_not_stop_the_start(folder: Path) -> None:
    with a_postgres(folder) as server:
        pid_file = server.home / "cluster" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with a_postgres(folder) as server:
        write(server, "SELECT 1")


def test_a_failed_start_tells_what_the_server_said(folder: Path) -> None:
    with a_postgres(folder) as server:
        (server.home / "cluster" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(ServerFailedError, match="no_such_setting"):
        EmbeddedPostgres(folder / "postgres").start()


def test_a_stop_ends_a_start_that_is_under_way(folder: Path) -> None:
    server = a_postgres(folder)
    refused: list[str] = []

    def start() -> None:
        try:
            server.start()
        except (ServerFailedError, psycopg.OperationalError) as error:
            refused.append(str(error))

    thread = threading.Thread(target=start)
    thread.start()
    server.stop()
    thread.join(10)
    assert not thread.is_alive()
    server.stop()
    assert processes(str(folder)) == {}


def a_zombie(server: EmbeddedPostgres) -> subprocess.Popen[bytes]:
    """A process of the server's user that has ended, and whose exit status was not read."""
    user = None if server.account is None else server.account.uid
    ended = subprocess.Popen(["/bin/true"], user=user)
    wait_until(lambda: Path(f"/proc/{ended.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    return ended


def test_locks_of_a_zombie_do_not_stop_the_start(folder: Path) -> None:
    """A server that was killed is one until its parent, or who took its place, asks for its status."""
    with a_postgres(folder) as server:
        write(server, "CREATE TABLE kept AS SELECT 1 AS one")
        write(server, "CHECKPOINT")  # the server of these tests commits before it writes
        files = [server.home / "cluster" / "postmaster.pid", server.sockets / ".s.PGSQL.5432.lock"]
        held = [file.read_text() for file in files]
        os.kill(postmaster(server), signal.SIGKILL)
        wait_until(lambda: not server.running())
    zombie = a_zombie(server)
    try:
        for file, text in zip(files, held, strict=True):
            file.write_text("\n".join([str(zombie.pid), *text.splitlines()[1:]]) + "\n")
            if server.account is not None:
                os.chown(file, *server.account)
        with a_postgres(folder) as server:
            write(server, "SELECT one FROM kept")
    finally:
        zombie.wait()


def test_valkey_answers_and_starts_again_after_kill_9(folder: Path) -> None:
    with EmbeddedValkey(folder / "valkey") as server, redis.Redis.from_url(server.url) as client:
        assert client.set("a", 1)
        (pid,) = (pid for pid, command in processes(str(folder)).items() if "valkey-server" in command.split()[0])
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not server.running())
        server.start()
        assert client.get("a") is None
    assert processes(str(folder)) == {}


def test_a_long_path_moves_the_socket_to_a_short_one(folder: Path) -> None:
    deep = open_folder(folder / ("x" * 60) / ("y" * 60))
    server: EmbeddedServer
    with a_postgres(deep) as server:
        assert socket_folder(server.home).parent == Path(tempfile.gettempdir())
        write(server, "SELECT 1")
    shutil.rmtree(server.sockets)
