import json
import os
import signal
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from adapters.embedded.account import nobody
from migrations.runner import migrations_in
from tests.support.ordinary import as_, only_root
from tests.support.processes import processes, wait_until
from tests.support.running import (
    KEYS,
    PROJECT,
    ROLLBOOK,
    Running,
    a_folder,
    administrator_of,
    environment,
    pids_of,
    rollbook,
    up,
    url_of,
)

pytestmark = pytest.mark.slow

COMMANDS = (
    "up",
    "api",
    "worker",
    "migrate",
    "status",
    "jobs",
    "service-documents",
    "rebuild",
    "rotate-master-key",
    "keys",
    "unlock",
    "demo",
    "openapi",
)


@pytest.fixture
def empty_database_url(
    database_server: str, administration: psycopg.Connection, template_database: str
) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    administration.execute(f"CREATE DATABASE {name}".encode())
    yield make_conninfo(database_server, dbname=name)
    administration.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    done = rollbook(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in command or COMMANDS)


def test_help_loads_nothing_of_weight() -> None:
    heavy = ("fastapi", "psycopg", "pydantic", "uvicorn", "procrastinate", "eventsourcing")
    program = f"import sys, workers.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("command", ["up", "api", "status"])
def test_a_bad_setting_is_one_line_and_no_traceback(command: str, tmp_path: Path) -> None:
    done = rollbook(command, ROLLBOOK_DATA=str(tmp_path), ROLLBOOK_PORT="many")
    assert done.returncode == 1
    assert done.stderr.startswith("rollbook: ROLLBOOK_PORT: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["api", "worker", "migrate", "status", "rebuild --all", "unlock ann"])
def test_a_part_without_a_database_is_refused(command: str, tmp_path: Path) -> None:
    done = rollbook(*command.split(), ROLLBOOK_DATA=str(tmp_path / "nothing"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"rollbook: DATABASE_URL: must be set, because no `rollbook up` runs on {tmp_path / 'nothing'}\n"
    )
    assert not (tmp_path / "nothing").exists()


def test_an_unreachable_database_is_told_without_its_password(tmp_path: Path) -> None:
    done = rollbook("migrate", DATABASE_URL=f"postgresql://me:secret@/x?host={tmp_path}")
    assert done.returncode == 1
    assert "secret" not in done.stderr
    assert done.stderr.startswith("rollbook: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["api", "worker", "status --once", "rebuild --all"])
def test_a_part_refuses_a_database_that_is_not_migrated(command: str, empty_database_url: str) -> None:
    done = rollbook(*command.split(), DATABASE_URL=empty_database_url, **KEYS)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "rollbook: the database lacks 0001_log: run `rollbook migrate` first\n"


@pytest.mark.parametrize("command", ["api", "worker", "rebuild users"])
def test_a_wrong_master_key_is_refused_in_one_line(command: str, database_url: str) -> None:
    assert rollbook("rebuild", "users", DATABASE_URL=database_url, **KEYS).returncode == 0
    other = {**KEYS, "ROLLBOOK_MASTER_KEY": "B" * 43 + "="}
    done = rollbook(*command.split(), DATABASE_URL=database_url, **other)
    assert (done.returncode, done.stdout) == (1, "")
    refusal = (
        "ROLLBOOK_MASTER_KEY does not open the keys in this database; was `rollbook rotate-master-key` interrupted?"
    )
    assert done.stderr == f"rollbook: {refusal}\n"


def test_a_file_as_data_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = rollbook("up", ROLLBOOK_DATA=str(tmp_path / "file"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("rollbook: ")


def test_migrate_brings_a_database_up_to_date(database_url: str) -> None:
    assert rollbook("migrate", DATABASE_URL=database_url).stdout == "The database is up to date.\n"


def test_status_prints_the_replicators_once(database_url: str) -> None:
    done = rollbook("status", "--once", DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "replicator" in done.stdout
    assert "failed" not in done.stdout


def test_status_ends_when_its_output_is_no_terminal(database_url: str) -> None:
    assert "replicator" in rollbook("status", DATABASE_URL=database_url).stdout


def test_status_tells_of_dead_jobs(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO procrastinate_jobs (queue_name, task_name, status) VALUES ('q', 't', 'failed')")
    assert "jobs that failed for good: 1" in rollbook("status", "--once", DATABASE_URL=database_url).stdout


def test_rebuild_asks_for_names_or_for_all(database_url: str) -> None:
    assert rollbook("rebuild", DATABASE_URL=database_url).returncode == 2
    assert rollbook("rebuild", "groups", "--all", DATABASE_URL=database_url).returncode == 2


def test_openapi_needs_neither_server_nor_database_nor_settings(tmp_path: Path) -> None:
    done = rollbook("openapi", ROLLBOOK_DATA=str(tmp_path / "nothing"), ROLLBOOK_PORT="many")
    assert json.loads(done.stdout)["openapi"].startswith("3.")
    assert not (tmp_path / "nothing").exists()


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Path, Path]]:
    with a_folder() as data, up(data) as output:
        yield data, output


def test_up_runs_named_parts_and_shows_the_administrator_once(
    running: tuple[Path, Path],
) -> None:
    data, output = running
    for part in ("rollbook api", "rollbook worker projectors", "rollbook worker jobs"):
        assert len(pids_of(data, part)) == 1
    said = output.read_text()
    assert [f"migrated {one.name}" for one in migrations_in()] == [
        line for line in said.splitlines() if "migra" in line
    ]
    assert said.count(f"First administrator admin@rollbook.local, password in {data / 'admin-password'}\n") == 1
    assert (data / "admin-password").read_text() not in said
    with urllib.request.urlopen(f"{url_of(output)}/readyz", timeout=5) as answer:
        assert answer.status == 200


def test_commands_find_the_servers_of_a_running_up(running: tuple[Path, Path]) -> None:
    data, _ = running
    assert rollbook("migrate", ROLLBOOK_DATA=str(data)).stdout == "The database is up to date.\n"
    done = rollbook("status", "--once", ROLLBOOK_DATA=str(data))
    assert "running" in done.stdout, done.stderr


def test_the_demo_can_run_repeatedly(running: tuple[Path, Path]) -> None:
    _, output = running
    known = administrator_of(output)
    who = {"ROLLBOOK_ADMIN_EMAIL": known["username"], "ROLLBOOK_ADMIN_PASSWORD": known["password"]}
    for _ in range(2):
        done = rollbook("demo", "--url", url_of(output), **who)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Diabetes moves" in done.stdout


def test_the_first_request_of_the_readme_is_answered(running: tuple[Path, Path]) -> None:
    """With the password from the file that the first start wrote (ruling O22)."""
    data, output = running
    request = (PROJECT / "README.md").read_text().partition("```sh\n")[2].partition("```")[0]
    here = request.replace("localhost:8000", url_of(output).removeprefix("http://")).replace("var/", f"{data}/")
    done = subprocess.run(["sh", "-c", here], check=False, capture_output=True, text=True, timeout=60)
    assert {each["type"] for each in json.loads(done.stdout)["data"]} == {"organizations"}, done.stderr


def test_a_killed_api_comes_back_ready(running: tuple[Path, Path]) -> None:
    data, output = running
    (killed,) = pids_of(data, "rollbook api")
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: pids_of(data, "rollbook api") - {killed})
    with urllib.request.urlopen(f"{url_of(output)}/openapi.json", timeout=10) as answer:
        assert answer.status == 200


@only_root
def test_an_ordinary_user_runs_everything_under_their_own_id() -> None:
    with a_folder() as data:
        account = nobody()
        assert account
        os.chown(data, account.uid, account.gid)
        running = Running(data, command=[*as_(account), *ROLLBOOK, "up"])
        try:
            running.until_ready()
            assert len(found := processes(str(data))) > 8
            assert {Path(f"/proc/{pid}").stat().st_uid for pid in found} == {account.uid}
        finally:
            running.stop()


def test_make_run_stops_everything_on_a_signal() -> None:
    with a_folder() as data:
        running = Running(data, command=["make", "run"])
        running.until_ready()
        running.process.terminate()  # make alone, as a service manager does
        assert running.process.wait(10) == -signal.SIGTERM
        assert processes(str(data)) == {}


def test_the_second_start_is_ready_and_shows_no_password() -> None:
    """How soon is not asserted, because beside other tests the clock measures them: `bench starts` tells it."""
    with a_folder() as data:
        with up(data, "first"):
            pass
        with up(data, "second") as output:
            assert "First administrator" not in output.read_text()


def test_a_stopped_service_starts_with_a_new_master_key() -> None:
    with a_folder() as data:
        with up(data, "first"):
            refused = rollbook("rotate-master-key", ROLLBOOK_DATA=str(data))
            assert refused.stderr.startswith("rollbook: stop the processes that use the database first: ")
        before = (data / "master.key").read_text()
        done = rollbook("rotate-master-key", ROLLBOOK_DATA=str(data))
        assert (done.returncode, done.stderr) == (0, "")
        assert processes(str(data)) == {}
        with up(data, "second") as output:
            assert "First administrator" not in output.read_text()
        (data / "master.key").write_text(before)
        done = rollbook("up", ROLLBOOK_DATA=str(data), ROLLBOOK_PORT="0")
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.startswith("rollbook: ROLLBOOK_MASTER_KEY does not open the keys in this database")


def test_variables_of_libpq_do_not_override_session_settings(database_url: str) -> None:
    program = """
import os, sys, psycopg
from adapters.postgres.session_settings import session_dsn
from workers.cli import main
sys.argv = ["rollbook", "openapi"]
try:
    main()
except SystemExit:
    pass
with psycopg.connect(session_dsn(os.environ["DATABASE_URL"], "read")) as connection:
    print(connection.execute("SELECT current_setting('TimeZone'), current_setting('DateStyle')").fetchone())
"""
    hostile = {"PGTZ": "Asia/Kolkata", "PGDATESTYLE": "SQL, DMY", "DATABASE_URL": database_url}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(**hostile), check=False, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "('UTC', 'ISO, MDY')", done.stderr
