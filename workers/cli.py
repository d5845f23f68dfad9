"""The `rollbook` command, which wires the parts. Slow imports are inside the commands, so that `--help` is quick."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.running import service_documents, signing_keys

if TYPE_CHECKING:
    from adapters.settings import Settings
    from workers.running.parts import PartCommand

OVERRIDING_VARIABLES = ("PGDATESTYLE", "PGTZ", "PGGEQO")
"""Variables that libpq sends after the start options. They would override the settings of our sessions (ruling O20)."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Identity and authorization on an event log. Settings come from ROLLBOOK_* variables (see README.md).",
)


jobs_app = typer.Typer(no_args_is_help=True, help="Show jobs that are waiting or dead, and retry dead jobs.")
app.add_typer(jobs_app, name="jobs")
app.add_typer(service_documents.app, name="service-documents")
app.add_typer(signing_keys.app, name="keys")


class WorkerKind(StrEnum):
    """Kinds of worker processes."""

    PROJECTORS = "projectors"
    JOBS = "jobs"
    ALL = "all"


@app.command()
def up() -> None:
    """Run everything: embedded servers (unless DATABASE_URL and REDIS_URL are set), migrations, API and workers."""
    from adapters.environment import load_settings
    from adapters.logging import configure_logging
    from workers.running.open_files import allow_open_files
    from workers.running.part_secrets import API_SECRETS, JOBS_SECRETS, WORKER_SECRETS
    from workers.running.supervisor import Plan, Supervisor

    settings = load_settings()
    allow_open_files(settings)
    configure_logging(settings.log_level)
    parts = [_part("api", API_SECRETS, listens=True)] * settings.api_processes
    parts += [_part("worker projectors", WORKER_SECRETS), _part("worker jobs", JOBS_SECRETS)]

    async def run() -> None:
        await Supervisor(settings, Plan(parts, _first_administrator), _say).run()

    asyncio.run(run())


@app.command()
def api() -> None:
    """Run one API process. The first one on a new database creates the first administrator."""
    from api.app import create_app
    from api.edge.protocol import bounded_protocol
    from workers.running.lifeline import inherited_socket, supervised
    from workers.running.listening import listen
    from workers.running.open_files import allow_open_files
    from workers.running.part_settings import settings_of_a_part
    from workers.running.serving import serve_api

    settings = _logging(settings_of_a_part(signs=True))
    allow_open_files(settings)
    # before the administrator is created: a process that cannot listen must not create one
    listening = inherited_socket() or listen(settings.host, settings.port)
    if not supervised():  # under a supervisor, `rollbook up` has created the administrator
        for line in asyncio.run(_first_administrator(settings)):
            _say(line)
    serve_api(create_app(settings), listening, bounded_protocol(settings), settings)


@app.command()
def worker(kind: Annotated[WorkerKind, typer.Argument(help="Which workers to run.")] = WorkerKind.ALL) -> None:
    """Run background projections, jobs, or both. A second projector process is a standby; job workers share a queue."""
    from workers.following import projectors
    from workers.jobs import worker as jobs
    from workers.running import retention
    from workers.running.part_settings import settings_of_a_part
    from workers.running.serving import work

    workers = {
        WorkerKind.PROJECTORS: [projectors.run],
        WorkerKind.JOBS: [jobs.run, retention.run],
        WorkerKind.ALL: [projectors.run, jobs.run, retention.run],
    }
    work(_logging(settings_of_a_part()), workers[kind])


@app.command()
def migrate() -> None:
    """Apply the migrations that the database does not have yet."""
    from migrations.runner import migrate_sync
    from workers.running.part_settings import settings_with_database

    applied = migrate_sync(settings_with_database().owner_dsn())
    typer.echo("\n".join(f"migrated {name}" for name in applied) or "The database is up to date.")


@app.command()
def status(*, once: Annotated[bool, typer.Option("--once", help="Print the table once and exit.")] = False) -> None:
    """Show the state, position and lag of every projection and reaction; on a terminal until Ctrl-C."""
    from rich.console import Console

    from workers.running.part_settings import settings_with_tables
    from workers.running.status import show

    asyncio.run(show(settings_with_tables(), Console(), once=once))


@jobs_app.command("list")
def list_queued() -> None:
    """List the jobs that are dead, waiting or running, with their arguments and the error of the last attempt."""
    from workers.running.job_list import list_jobs
    from workers.running.part_settings import settings_with_tables

    typer.echo("\n".join(asyncio.run(list_jobs(settings_with_tables()))) or "No job is waiting, running or dead.")


@jobs_app.command("retry")
def retry_dead(
    job_id: Annotated[int | None, typer.Argument(metavar="ID", help="The id of a dead job.")] = None,
    *,
    retry_all: Annotated[bool, typer.Option("--all", help="Retry every dead job.")] = False,
) -> None:
    """Put dead jobs back into the queue, due at once and with all their attempts."""
    if retry_all == (job_id is not None):
        raise typer.BadParameter("give the id of a dead job, or --all")
    from workers.running.job_list import retry_jobs
    from workers.running.part_settings import settings_with_tables

    ids = asyncio.run(retry_jobs(settings_with_tables(), job_id))
    typer.echo("\n".join(f"job {queued} will run again" for queued in ids) or "No job is dead.")


@app.command()
def rebuild(
    names: Annotated[list[str] | None, typer.Argument(help="Projections to rebuild.")] = None,
    *,
    rebuild_all: Annotated[bool, typer.Option("--all", help="Rebuild every projection.")] = False,
) -> None:
    """Rebuild projections from the log beside their live tables, then swap. An interrupted rebuild is resumed."""
    if rebuild_all == bool(names):
        raise typer.BadParameter("give the names of projections, or --all")
    from workers.following.rebuild import rebuild as rebuild_projections
    from workers.running.part_settings import settings_of_the_owner

    asyncio.run(rebuild_projections(_logging(settings_of_the_owner()), names or [], typer.echo))


@app.command()
def rotate_master_key() -> None:
    """Wrap each data key under a new master key while nothing else runs. Repeat the command if it is interrupted."""
    from adapters.environment import load_settings
    from workers.running import rotation

    asyncio.run(rotation.rotate_master_key(load_settings(), typer.echo))


@app.command()
def unlock(name: Annotated[str, typer.Argument(help="User name, e-mail address or phone number.")]) -> None:
    """Clear the failed logins of a name, which Redis counts, so that its user can try again."""
    from workers.running.part_settings import settings_of_a_part
    from workers.running.unlocking import unlock as unlock_name

    asyncio.run(unlock_name(_logging(settings_of_a_part()), name))
    typer.echo("The failed logins of this name are cleared.")


@app.command()
def demo(
    url: Annotated[str | None, typer.Option(help="Address of a running server; a new one if absent.")] = None,
) -> None:
    """Run the main use case over HTTP: an organization, its people and groups, checks before and after a move."""
    from workers.demo import run

    asyncio.run(run(url))


@app.command()
def openapi() -> None:
    """Print the OpenAPI document without a server or a database."""
    from api.app import openapi_document

    typer.echo(json.dumps(openapi_document(), indent=2, ensure_ascii=False))


def main() -> None:
    """Run the console script. An expected error is one line on stderr and exit status 1, without a traceback."""
    for name in OVERRIDING_VARIABLES:
        os.environ.pop(name, None)
    try:
        app()
    except Exception as error:
        if not _is_expected(error):
            raise
        sys.stderr.write(f"rollbook: {error}\n")
        raise SystemExit(1) from None


def _is_expected(error: Exception) -> bool:
    import psycopg

    from adapters.embedded.launcher import ServerFailedError
    from adapters.security.keyring import WrongMasterKey
    from adapters.settings import InvalidSettingsError
    from domain.core.errors import DomainError
    from migrations.runner import MigrationRefusedError
    from workers.demo import DemoRefusedError
    from workers.following.rebuild import RebuildRefusedError
    from workers.jobs.queue import UnknownJobError
    from workers.running.folder_claim import FolderTakenError
    from workers.running.listening import PortTakenError
    from workers.running.rotation import RotationRefusedError

    set_up = (InvalidSettingsError, WrongMasterKey, MigrationRefusedError, OSError)
    starting = (ServerFailedError, FolderTakenError, PortTakenError)
    working = (DemoRefusedError, RebuildRefusedError, RotationRefusedError, UnknownJobError, DomainError)
    database = (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege)
    return isinstance(error, (*set_up, *starting, *working, *database))


def _logging(settings: "Settings") -> "Settings":
    """Configure logging as the settings say, and return the settings."""
    from adapters.logging import configure_logging

    configure_logging(settings.log_level)
    return settings


def _part(arguments: str, secrets: frozenset[str], *, listens: bool = False) -> "PartCommand":
    from workers.running.parts import PartCommand

    # the script's arguments show in the process list which part a process is
    script = Path(sys.executable).with_name("rollbook")
    return PartCommand(f"rollbook {arguments}", [sys.executable, str(script), *arguments.split()], listens, secrets)


async def _first_administrator(settings: "Settings") -> Sequence[str]:
    from workers.running.bootstrap import bootstrap

    administrator = await bootstrap(settings)
    if administrator is None:
        return []
    password = "as you set it" if administrator.password_file is None else f"in {administrator.password_file}"
    return [f"First administrator {administrator.email}, password {password}"]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
