"""The load generator, a process of its own: `python -m bench.load` takes an order on stdin and tells what happened.

Closed loop: each client sends its next request when the last one is answered. It should never be what limits, so it
tells its own share of a core as well.
"""

import asyncio
import base64
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import orjson
import uvloop

from bench.http import Connection, connect

LONGEST_EXCERPT = 300


class Kept(NamedTuple):
    """One answer, with the clock of the machine at its request and at its arrival."""

    request: int
    sent: float
    came: float
    body: str


@dataclass
class Run:
    """What happened. `latencies` in seconds, without those of the warm-up."""

    seconds: float
    latencies: list[float]
    statuses: dict[int, int]
    busy: float
    kept: list[Kept] = field(default_factory=list)
    excerpt: str = ""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0


async def load(
    port: int,
    requests: Sequence[bytes],
    *,
    clients: int,
    seconds: float,
    status: int,
    once: bool = False,
    keep: bool = False,
) -> Run:
    """Send the requests in turn, from a process of its own; `once` sends none of them twice.

    Fails when an answer has another status.
    """
    order = {
        "port": port, "clients": clients, "seconds": seconds, "once": once, "keep": keep, "status": status,
        "requests": [base64.b64encode(each).decode() for each in requests],
    }  # fmt: skip
    # in a thread: uvloop may lose the end of what a process says last
    generator = partial(subprocess.run, [sys.executable, "-m", "bench.load"], check=True, stdout=subprocess.PIPE)
    done = await asyncio.to_thread(generator, input=orjson.dumps(order))
    told = orjson.loads(done.stdout)
    told["statuses"] = {int(status): number for status, number in told["statuses"].items()}
    run = Run(**{**told, "kept": [Kept(*each) for each in told["kept"]]})
    if set(run.statuses) != {status}:
        raise AssertionError(f"answers other than {status}: {run.statuses} {run.excerpt}")
    return run


class Generator:
    """Carries out one order."""

    def __init__(self, order: dict[str, object]) -> None:
        self._requests = [base64.b64decode(each) for each in _list(order["requests"])]
        self._once, self._keep = bool(order["once"]), bool(order["keep"])
        self._wanted = order["status"]
        self._port, self._clients = int(str(order["port"])), int(str(order["clients"]))
        self._seconds = float(str(order["seconds"]))
        self._next = 0
        self._statuses: Counter[int] = Counter()
        self._latencies: list[float] = []
        self._kept: list[Kept] = []
        self._excerpt = ""
        self._begin = self._end = self._last = 0.0

    async def run(self) -> Run:
        connections = [await connect(self._port) for _ in range(self._clients)]
        started = time.perf_counter()
        self._begin = started + min(1.0, self._seconds / 5)  # before it caches, pools and plans warm up
        self._end = self._begin + self._seconds
        used = time.process_time()
        await asyncio.gather(*(self._client(each) for each in connections))
        took = time.perf_counter() - started
        for each in connections:
            each.close()
        measured = max(self._last - self._begin, 1e-9)
        busy = (time.process_time() - used) / took
        return Run(measured, self._latencies, dict(self._statuses), busy, self._kept, self._excerpt)

    async def _client(self, connection: Connection) -> None:
        while (sent := time.perf_counter()) < self._end:
            number = self._next
            if self._once and number >= len(self._requests):
                return
            self._next += 1
            answer = await connection.ask(self._requests[number % len(self._requests)])
            came = time.perf_counter()
            self._statuses[answer.status] += 1
            if answer.status != self._wanted:
                self._excerpt = answer.body[:LONGEST_EXCERPT].decode(errors="replace")
            if sent >= self._begin:
                self._latencies.append(came - sent)
                self._last = came
            if self._keep:
                self._kept.append(Kept(number % len(self._requests), sent, came, answer.body.decode()))


def _list(value: object) -> list[str]:
    assert isinstance(value, list)
    return value


def main() -> None:
    order = orjson.loads(sys.stdin.buffer.read())
    run = uvloop.run(Generator(order).run())
    # not sys.stdout.buffer: with PYTHONUNBUFFERED it writes what fits and forgets the rest
    with open(sys.stdout.fileno(), "wb", closefd=False) as told:
        told.write(orjson.dumps(run, default=list, option=orjson.OPT_NON_STR_KEYS))


if __name__ == "__main__":
    main()
