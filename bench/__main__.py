"""`python -m bench [question …] [--size 10k|1m|small]`: see bench/README.md."""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import uvloop

from adapters.embedded.account import open_folder
from adapters.logging import configure_logging
from bench import (
    checks,
    commands,
    lists,
    logins,
    moves,
    names,
    rebuilds,
    report,
    rosters,
    starts,
    tokens,
    users,
    visible,
)
from bench.bench import Bench
from bench.cluster import Cluster
from bench.figures import Figure
from bench.machine import kind_of_machine, others_load
from bench.sizes import SIZES, Size
from bench.world import World

Question = Callable[[Bench], Awaitable[list[Figure]]]

QUESTIONS: dict[str, Question] = {
    "commands": commands.measure,
    "checks": checks.measure,
    "lists": lists.measure,
    "visible": visible.measure,
    "rebuilds": rebuilds.measure,
    "moves": moves.measure,
    "rosters": rosters.measure,
    "starts": starts.measure,
    "logins": logins.measure,
    "tokens": tokens.measure,
    "users": users.measure,
    "names": names.measure,
}


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    with _folder(options.keep) as folder:
        uvloop.run(_measure(options, folder))


async def _measure(options: argparse.Namespace, folder: Path) -> None:
    size: Size = SIZES[options.size]
    world, seconds = World(size), options.seconds or size.seconds
    with Cluster(folder, _say, keep=options.keep is not None) as cluster:
        machine, load = await kind_of_machine(cluster.dsn), others_load()
        if figures := await cluster.create(world):
            _report(options, machine, size, "making", load, figures)
        for name in options.questions or QUESTIONS:
            load, began = others_load(), time.perf_counter()
            async with cluster.copy(world) as settings:
                figures = await QUESTIONS[name](Bench(cluster, world, settings, seconds, _say))
            _say(f"— {name}, size {size.name}: {time.perf_counter() - began:.0f} s")
            _report(options, machine, size, name, load, figures)


def _report(
    options: argparse.Namespace,
    machine: dict[str, str | int | float],
    size: Size,
    question: str,
    load: float,
    figures: list[Figure],
) -> None:
    for figure in figures:
        _say(report.in_short(figure))
    folder = options.results or (None if size.name == "small" else report.RESULTS)
    if folder is not None:
        path = report.add_results(folder, machine, size.name, question, load, figures)
        if folder == report.RESULTS:
            report.write_readme(path)


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Yield the folder for the servers' files: the given one, or a temporary one."""
    if keep is not None:
        yield open_folder(keep)
        return
    with tempfile.TemporaryDirectory(prefix="rollbook-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # for root's servers, which run as another user
        yield Path(folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "questions", nargs="*", choices=[[], *QUESTIONS], metavar="question", help="what to measure; all if absent"
    )
    parser.add_argument("--size", choices=SIZES, default="10k", help="individuals in the world; small takes a minute")
    parser.add_argument("--seconds", type=float, help="seconds for which each rate is measured")
    parser.add_argument("--keep", type=Path, help="folder that keeps the worlds for the next run")
    parser.add_argument("--results", type=Path, help="folder for results; without it, small ones are not stored")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    configure_logging("error")  # not in `main`, which tests call in their own process
    main()
