"""The load generator. `python -m bench.load` reads an order from stdin and writes the results of the run to stdout.

It is a closed loop: each client sends its next request when the previous one is answered, or `pause` seconds later. The
generator must never be the bottleneck, so it also reports its own share of a core.
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

MAX_EXCERPT = 300  # bytes


class Kept(NamedTuple):
    """One answer, with the machine's clock when the request was sent and when the answer arrived."""

    request: int
    sent: float
    received: float
    body: str


@dataclass
class Run:
    """The results of a run. `latencies` are in seconds, without those of the warm-up."""

    seconds: float
    latencies: list[float]
    statuses: dict[int, int]
    busy: float
    kept: list[Kept] = field(default_factory=list)
    excerpt: str = ""

    @property
    def rate(self) -> float:
        """Return answers per second."""
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
    pause: float = 0.0,
) -> Run:
    """Send the requests in turn from another process, each only once with `once`; `keep` keeps the answers.

    Raises AssertionError when an answer has another status than `status`.
    """
    order = {
        "port": port, "clients": clients, "seconds": seconds, "once": once, "keep": keep, "status": status,
        "pause": pause,
        "requests": [base64.b64encode(request).decode() for request in requests],
    }  # fmt: skip
    # in a thread, because uvloop may lose the end of a process's output
    generator = partial(subprocess.run, [sys.executable, "-m", "bench.load"], check=True, stdout=subprocess.PIPE)
    done = await asyncio.to_thread(generator, input=orjson.dumps(order))
    results = orjson.loads(done.stdout)
    results["statuses"] = {int(status): number for status, number in results["statuses"].items()}
    run = Run(**{**results, "kept": [Kept(*answer) for answer in results["kept"]]})
    if set(run.statuses) != {status}:
        raise AssertionError(f"answers other than {status}: {run.statuses} {run.excerpt}")
    return run


class Generator:
    """Runs one order."""

    def __init__(self, order: dict[str, object]) -> None:
        self._requests = [base64.b64decode(request) for request in _list(order["requests"])]
        self._once, self._keep = bool(order["once"]), bool(order["keep"])
        self._status = order["status"]
        self._port, self._clients = int(str(order["port"])), int(str(order["clients"]))
        self._seconds, self._pause = float(str(order["seconds"])), float(str(order["pause"]))
        self._next = 0
        self._statuses: Counter[int] = Counter()
        self._latencies: list[float] = []
        self._kept: list[Kept] = []
        self._excerpt = ""
        self._begin = self._end = self._last = 0.0

    async def run(self) -> Run:
        connections = [await connect(self._port) for _ in range(self._clients)]
        started = time.perf_counter()
        self._begin = started + min(1.0, self._seconds / 5)  # caches, pools and plans warm up before
        self._end = self._begin + self._seconds
        processor = time.process_time()
        await asyncio.gather(*(self._client(connection) for connection in connections))
        took = time.perf_counter() - started
        for connection in connections:
            connection.close()
        measured = max(self._last - self._begin, 1e-9)
        busy = (time.process_time() - processor) / took
        return Run(measured, self._latencies, dict(self._statuses), busy, self._kept, self._excerpt)

    async def _client(self, connection: Connection) -> None:
        while (sent := time.perf_counter()) < self._end:
            number = self._next
            if self._once and number >= len(self._requests):
                return
            self._next += 1
            answer = await connection.ask(self._requests[number % len(self._requests)])
            received = time.perf_counter()
            self._statuses[answer.status] += 1
            if answer.status != self._status:
                self._excerpt = answer.body[:MAX_EXCERPT].decode(errors="replace")
            if sent >= self._begin:
                self._latencies.append(received - sent)
                self._last = received
            if self._keep:
                self._kept.append(Kept(number % len(self._requests), sent, received, answer.body.decode()))
            if self._pause:
                await asyncio.sleep(self._pause)


def _list(value: object) -> list[str]:
    assert isinstance(value, list)
    return value


def main() -> None:
    order = orjson.loads(sys.stdin.buffer.read())
    run = uvloop.run(Generator(order).run())
    # not sys.stdout.buffer: with PYTHONUNBUFFERED it drops what the pipe does not take at once
    with open(sys.stdout.fileno(), "wb", closefd=False) as output:
        output.write(orjson.dumps(run, default=list, option=orjson.OPT_NON_STR_KEYS))


if __name__ == "__main__":
    main()
