"""`rollbook status`: every projection and reaction, with the data of the replicators API."""

import asyncio

import psycopg
from rich.console import Console
from rich.live import Live
from rich.table import Table

from adapters.settings import Settings
from projections.core.replicators import Replicator, replicators
from workers.jobs.queue import dead_jobs

REFRESH = 0.5
COLOURS = {"running": "green", "rebuilding": "cyan", "failed": "bold red", "stopped": "yellow"}


async def show(settings: Settings, console: Console, *, once: bool) -> None:
    """Print the table: once, or updated until the user interrupts it if the output is a terminal."""
    if once or not console.is_terminal:
        console.print(table_of(*await _now(settings.looking_dsn())))
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            try:
                live.update(table_of(*await _now(settings.looking_dsn())), refresh=True)
            except psycopg.OperationalError:
                live.update("The database does not answer; trying again.", refresh=True)
            await asyncio.sleep(REFRESH)


def table_of(rows: list[Replicator], dead: int) -> Table:
    """Return a table with a row for each projection and its error, and the number of dead jobs below, if any."""
    table = Table(box=None, padding=(0, 1, 0, 0), caption_justify="left")  # 80 columns are enough
    if dead:
        table.caption = f"[bold red]jobs that failed for good: {dead}[/bold red]"
    table.add_column("replicator", no_wrap=True)
    for column in ("mode", "v", "state"):
        table.add_column(column)
    for column in ("position", "head", "behind", "seconds"):
        table.add_column(column, justify="right")
    for row in rows:
        colour = COLOURS.get(row.state, "white")
        name = row.name if row.error is None else f"{row.name}\n[red]{row.error}[/red]"
        table.add_row(name, row.mode, str(row.version), f"[{colour}]{_state(row)}[/{colour}]", *_figures(row))
    return table


def _state(row: Replicator) -> str:
    if row.state != "rebuilding" or row.rebuilt is None or row.rate is None:
        return row.state
    remaining = f", {(row.head - row.rebuilt) / row.rate:.0f} s left" if row.rate else ""
    return f"rebuilding at {row.rebuilt:,} ({row.rate:,.0f}/s{remaining})"


def _figures(row: Replicator) -> list[str]:
    return [f"{row.position:,}", f"{row.head:,}", f"{row.lag_events:,}", f"{row.lag_seconds:.1f}"]


async def _now(dsn: str) -> tuple[list[Replicator], int]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, connect_timeout=5) as connection:
        return await replicators(connection), await dead_jobs(connection)
