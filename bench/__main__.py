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
from bench import checks, commands, lists, moves, rebuilds, report, rosters, starts, visible
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
}


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _parser().parse_args(arguments)
    with _folder(asked.keep) as folder:
        uvloop.run(_measure(asked, folder))


async def _measure(asked: argparse.Namespace, folder: Path) -> None:
    size: Size = SIZES[asked.size]
    world, seconds = World(size), asked.seconds or size.seconds
    with Cluster(folder, _say, keep=asked.keep is not None) as cluster:
        machine, load = await kind_of_machine(cluster.dsn), others_load()
        if made := await cluster.made(world):
            _tell(asked, machine, size, "making", load, made)
        for name in asked.questions or QUESTIONS:
            load, began = others_load(), time.perf_counter()
            async with cluster.copy(world) as settings:
                figures = await QUESTIONS[name](Bench(cluster, world, settings, seconds, _say))
            _say(f"— {name}, size {size.name}: {time.perf_counter() - began:.0f} s")
            _tell(asked, machine, size, name, load, figures)


def _tell(
    asked: argparse.Namespace,
    machine: dict[str, str | int | float],
    size: Size,
    question: str,
    load: float,
    figures: list[Figure],
) -> None:
    for figure in figures:
        _say(report.in_short(figure))
    folder = asked.results or (None if size.name == "small" else report.RESULTS)
    if folder is not None:
        path = report.add_results(folder, machine, size.name, question, load, figures)
        if folder == report.RESULTS:
            report.write_readme(path)


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Where the servers' files are; a passing one unless they are to be kept."""
    if keep is not None:
        yield open_folder(keep)
        return
    with tempfile.TemporaryDirectory(prefix="rollbook-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # the user who runs servers for root passes through
        yield Path(folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "questions", nargs="*", choices=[[], *QUESTIONS], metavar="question", help="all of them when none is named"
    )
    parser.add_argument("--size", choices=SIZES, default="10k", help="individuals in the world; small takes a minute")
    parser.add_argument("--seconds", type=float, help="how long each rate is measured")
    parser.add_argument("--keep", type=Path, help="folder in which the worlds stay for the next run")
    parser.add_argument("--results", type=Path, help="folder of results; small ones are not kept elsewhere")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    configure_logging("error")  # of this process only: tests call `main` in theirs
    main()
