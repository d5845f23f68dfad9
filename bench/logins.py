"""9. How many logins per second, beside the bare Argon2id, and how long do checks take meanwhile?"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from argon2 import PasswordHasher, Type

from adapters.settings import Settings
from bench.bench import Bench
from bench.figures import Figure, Limit, milliseconds
from bench.http import request
from bench.load import load
from bench.stores import a_pool, a_store
from domain.people.users import User

PASSWORD = "bench-walrus-piano-77"
USERS = 50
CLIENTS = 8
SHARE_AIM = 0.85  # of the bare hashes per second
P99_AIM = 25.0  # milliseconds of a check while others log in
BESIDE = 100  # checks
PAUSE = 0.01  # seconds between two checks: without one they would take the processors away from the hashing


async def measure(bench: Bench) -> list[Figure]:
    settings = bench.settings.model_copy(update={"logins_address": 0})
    hasher = PasswordHasher(*settings.argon2, type=Type.ID)
    hashed = hasher.hash(PASSWORD)
    limit = await asyncio.to_thread(_bare_hashes, hasher, hashed, settings.hashing_threads, bench.seconds)
    logins = [
        request("POST", "/v1/login/", "", {"username": name, "password": PASSWORD})
        for name in await named_users(bench, settings, hashed)
    ]
    body = {"access-query": [f"group:{bench.world.large.group(1)}:read"], "user-id": str(bench.world.large.leader(1))}
    checks = [request("POST", "/v1/authz-resource-access/", await bench.token(), body)] * BESIDE
    async with Bench(bench.cluster, bench.world, settings, bench.seconds, bench.say).serving() as serving:
        alone, _ = await serving.load(checks, clients=1, status=201, pause=PAUSE)
        (run, processor), beside = await asyncio.gather(
            serving.load(logins, clients=CLIENTS, status=201),
            load(serving.server.port, checks, clients=1, seconds=bench.seconds, status=201, pause=PAUSE),
        )
    own = Limit("p99 ms without logins", milliseconds(alone.latencies)["p99 ms"])
    times = milliseconds(beside.latencies)
    more = milliseconds(run.latencies) | processor
    return [
        Figure(f"logins, {CLIENTS} at a time", run.rate, "logins/s", [limit], SHARE_AIM * limit.value, more),
        Figure("check while others log in, p99", times["p99 ms"], "ms", [own], P99_AIM, times),
    ]


def _bare_hashes(hasher: PasswordHasher, hashed: str, threads: int, seconds: float) -> Limit:
    """Measure the passwords per second that the threads of one process verify when they do nothing else."""
    began = time.perf_counter()

    def verify(_: int) -> int:
        done = 0
        while time.perf_counter() < began + seconds:
            hasher.verify(hashed, PASSWORD)
            done += 1
        return done

    with ThreadPoolExecutor(threads) as executor:
        done = sum(executor.map(verify, range(threads)))
    return Limit(f"bare Argon2id/s, {threads} threads", done / (time.perf_counter() - began))


async def named_users(bench: Bench, settings: Settings, hashed: str) -> list[str]:
    """Set the password of some users; return their login names."""
    ids: list[UUID] = [bench.world.large.provider(place) for place in range(USERS)]
    async with a_pool(settings) as pool, a_store(settings, pool) as store:
        users = list((await store.get_many(User, ids)).values())
        for user in users:
            user.set_password(hashed)
        await store.save(*users)
    return [user.login_name or "" for user in users]
