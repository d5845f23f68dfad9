"""The `rollbook` command. It wires the parts; every import of weight is inside its command, so that --help is quick."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from adapters.settings import Settings
    from workers.running.parts import PartCommand

OVERRIDING_VARIABLES = ("PGDATESTYLE", "PGTZ", "PGGEQO")
"""Libpq sends them after the start options, so that they override what our sessions set for themselves (ruling O20)."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Identity and authorization on an event log. Settings come from ROLLBOOK_* variables (see README.md).",
)


jobs_app = typer.Typer(no_args_is_help=True, help="The jobs that wait and those that have failed for good.")
app.add_typer(jobs_app, name="jobs")


class WorkerKind(StrEnum):
    """Kinds of worker processes."""

    PROJECTORS = "projectors"
    JOBS = "jobs"
    ALL = "all"


@app.command()
def up() -> None:
    """Run everything: servers (unless DATABASE_URL and REDIS_URL are set), migrations, API, workers."""
    from adapters.environment import load_settings
    from adapters.logging import configure_logging
    from workers.running.open_files import allow_open_files
    from workers.running.part_secrets import OF_A_WORKER, OF_THE_API, OF_THE_JOBS
    from workers.running.supervisor import Plan, Supervisor

    settings = load_settings()
    allow_open_files(settings)
    configure_logging(settings.log_level)
    parts = [_part("api", OF_THE_API, listens=True)] * settings.api_processes
    parts += [_part("worker projectors", OF_A_WORKER), _part("worker jobs", OF_THE_JOBS)]

    async def run() -> None:
        await Supervisor(settings, Plan(parts, _first_administrator), _say).run()

    asyncio.run(run())


@app.command()
def api() -> None:
    """Run one API process; the first one on a new database makes the first administrator."""
    from api.app import create_app
    from api.edge.protocol import bounded_protocol
    from workers.running.lifeline import inherited_socket, supervised
    from workers.running.listening import listen
    from workers.running.open_files import allow_open_files
    from workers.running.part_settings import settings_of_a_part
    from workers.running.serving import serve_api

    settings = _logging(settings_of_a_part(signs=True))
    allow_open_files(settings)
    listening = inherited_socket() or listen(settings.host, settings.port)  # first: a refused start makes nobody
    if not supervised():  # else `rollbook up` has done it
        for line in asyncio.run(_first_administrator(settings)):
            _say(line)
    serve_api(create_app(settings), listening, bounded_protocol(settings), settings)


@app.command()
def worker(kind: Annotated[WorkerKind, typer.Argument(help="Which of the workers to run.")] = WorkerKind.ALL) -> None:
    """Run background projections, jobs, or both. A second process for the same is a standby that takes over."""
    from workers.following import projectors
    from workers.jobs import worker as jobs
    from workers.running import retention
    from workers.running.part_settings import settings_of_a_part
    from workers.running.serving import work

    doing_jobs = [jobs.run, retention.run]
    wanted = {WorkerKind.PROJECTORS: [projectors.run], WorkerKind.JOBS: doing_jobs}
    work(_logging(settings_of_a_part()), wanted.get(kind, [projectors.run, *doing_jobs]))


@app.command()
def migrate() -> None:
    """Bring the database up to date; does nothing when it already is."""
    from migrations.runner import migrate_sync
    from workers.running.part_settings import settings_with_database

    applied = migrate_sync(settings_with_database().owner_dsn())
    typer.echo("\n".join(f"migrated {name}" for name in applied) or "The database is up to date.")


@app.command()
def status(*, once: Annotated[bool, typer.Option("--once", help="Print it once and end.")] = False) -> None:
    """Show every projection and how far it is behind the log."""
    from rich.console import Console

    from workers.running.part_settings import settings_with_tables
    from workers.running.status import show

    asyncio.run(show(settings_with_tables(), Console(), once=once))


@jobs_app.command("list")
def list_queued() -> None:
    """Show the jobs that are dead, waiting or running: what they are about, and why the last attempt failed."""
    from workers.running.job_list import list_jobs
    from workers.running.part_settings import settings_with_tables

    typer.echo("\n".join(asyncio.run(list_jobs(settings_with_tables()))) or "No job waits, none is dead.")


@jobs_app.command("retry")
def retry_dead(
    job_id: Annotated[int | None, typer.Argument(metavar="ID", help="The dead job.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Retry every dead job.")] = False,
) -> None:
    """Let dead jobs be carried out again, at once and with all attempts."""
    if every == (job_id is not None):
        raise typer.BadParameter("give the id of a dead job, or --all")
    from workers.running.job_list import retry_jobs
    from workers.running.part_settings import settings_with_tables

    ids = asyncio.run(retry_jobs(settings_with_tables(), job_id))
    typer.echo("\n".join(f"{each} will be carried out again" for each in ids) or "No job is dead.")


@app.command()
def rebuild(
    names: Annotated[list[str] | None, typer.Argument(help="Projections to rebuild.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Rebuild every projection.")] = False,
) -> None:
    """Build projections anew from the log beside the live ones, then swap. May be interrupted and resumed."""
    if every == bool(names):
        raise typer.BadParameter("name the projections, or say --all")
    from workers.following.rebuild import rebuild as rebuild_projections
    from workers.running.part_settings import settings_of_the_owner

    asyncio.run(rebuild_projections(_logging(settings_of_the_owner()), names or [], typer.echo))


@app.command()
def rotate_master_key() -> None:
    """Wrap every data key anew under another master key, while nothing else runs. May be repeated when interrupted."""
    from adapters.environment import load_settings
    from workers.running import rotation

    asyncio.run(rotation.rotate_master_key(load_settings(), typer.echo))


@app.command()
def unlock(name: Annotated[str, typer.Argument(help="User name, e-mail address or phone number.")]) -> None:
    """Forget the failed logins of a name, so that it is not answered 429 any more. Counters stand in Redis."""
    from workers.running.part_settings import settings_of_a_part
    from workers.running.unlocking import unlock as unlock_name

    asyncio.run(unlock_name(_logging(settings_of_a_part()), name))
    typer.echo("Its failed logins are forgotten.")


@app.command()
def demo(
    url: Annotated[str | None, typer.Option(help="A running server; started for the occasion when absent.")] = None,
) -> None:
    """Tell the main story over HTTP: an organization, its people and groups, checks before and after a move."""
    from workers.demo import run

    asyncio.run(run(url))


@app.command()
def openapi() -> None:
    """Print the OpenAPI document; needs neither a server nor a database."""
    from api.app import openapi_document

    typer.echo(json.dumps(openapi_document(), indent=2, ensure_ascii=False))


def main() -> None:
    """The console script: refusals are one line on stderr and status 1, never a traceback."""
    for name in OVERRIDING_VARIABLES:
        os.environ.pop(name, None)
    try:
        app()
    except Exception as error:
        if not _is_refusal(error):
            raise
        sys.stderr.write(f"rollbook: {error}\n")
        raise SystemExit(1) from None


def _is_refusal(error: Exception) -> bool:
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
    """From here on the process logs as they say."""
    from adapters.logging import configure_logging

    configure_logging(settings.log_level)
    return settings


def _part(arguments: str, secrets: frozenset[str], *, listens: bool = False) -> "PartCommand":
    from workers.running.parts import PartCommand

    # started by the script, so that the process list tells the parts apart
    script = Path(sys.executable).with_name("rollbook")
    return PartCommand(f"rollbook {arguments}", [sys.executable, str(script), *arguments.split()], listens, secrets)


async def _first_administrator(settings: "Settings") -> Sequence[str]:
    from workers.running.bootstrap import bootstrap

    administrator = await bootstrap(settings)
    if administrator is None:
        return []
    where = "as you set it" if administrator.password_file is None else f"in {administrator.password_file}"
    return [f"First administrator {administrator.email}, password {where}"]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
