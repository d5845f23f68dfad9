"""12. Does the time of an answer tell whether a name has an account (ruling K147)?"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from argon2 import PasswordHasher, Type

from bench.bench import Bench, Serving
from bench.figures import Figure, Limit, quantile
from bench.http import connect, request
from bench.logins import named_users
from bench.servers import THROTTLES

CALLS = 30
AIM = 10.0
"""Milliseconds by which the medians may differ."""
LIMITS_OFF = dict.fromkeys(THROTTLES, 0)
NEW_PASSWORD = "bench-otter-violin-31"
OPERATIONS: dict[str, dict[str, Any]] = {
    "login": {"password": "wrong-password-1"},
    "forgot-password": {},
    "resend-confirmation": {},
    "resend-invitation": {},
    "confirm-sign-up": {"confirmation-code": "00000000"},
    "confirm-forgot-password": {"confirmation-code": "00000000", "password": NEW_PASSWORD},
}
"""The operations by their paths, and what is sent beside the name."""


async def measure(bench: Bench) -> list[Figure]:
    """Call each operation with names that somebody has and with names that nobody has, by turns."""
    settings = bench.settings.model_copy(update=LIMITS_OFF)
    hashed = await asyncio.to_thread(PasswordHasher(*settings.argon2, type=Type.ID).hash, NEW_PASSWORD)
    known = await named_users(bench, settings, hashed)
    async with Bench(bench.cluster, bench.world, settings, bench.seconds, bench.say).serving() as serving:
        return [await _compared(serving, operation, body, known) for operation, body in OPERATIONS.items()]


async def _compared(serving: Serving, operation: str, body: dict[str, Any], known: Sequence[str]) -> Figure:
    connection = await connect(serving.server.port)
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(CALLS + 1):
        for has_account in (True, False):
            name = known[number % len(known)] if has_account else f"nobody-{number}@example.org"
            sent = request("POST", f"/v1/{operation}/", "", {"username": name, **body})
            began = time.perf_counter()
            await connection.ask(sent)
            times[has_account].append(time.perf_counter() - began)
    connection.close()
    # the first calls warm up
    medians = {has_account: quantile(taken[1:], 0.5) * 1000 for has_account, taken in times.items()}
    unknown = Limit("median ms of unknown names", medians[False])
    difference = abs(medians[True] - medians[False])
    return Figure(f"{operation}, known against unknown names", difference, "ms", [unknown], AIM)
