"""Throttles: uses are counted before the work that they protect, and refunded if it does not count (ruling O12).

The counters are in Redis, so that all processes share them. While Redis is unavailable, each process counts for itself
and applies half of each limit. Decision 0033 says why no library is used.
"""

import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from domain.core.errors import TooMany
from domain.core.ports import Lookup

MAX_LOCAL = 100_000
"""Counters and marks in the memory of a process, so that invented names cannot fill it."""

MAX_CONNECTIONS = 16
"""Connections of a process to Redis."""

# Counts all uses or none. Redis 2.6 is enough.
TAKE = """
local wait = 0
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[2 * i - 1]) then
    wait = math.max(wait, redis.call('TTL', key), 1)
  end
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
  if redis.call('INCR', key) == 1 then redis.call('EXPIRE', key, ARGV[2 * i]) end
end
return 0
"""
REFUND = """
for _, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') > 0 then redis.call('DECR', key) end
end
"""

log = structlog.get_logger()


class Limit(NamedTuple):
    """At most `most` uses in `seconds`, from the first use on; 0 disables the limit."""

    name: str
    most: int
    seconds: int


class Counter(NamedTuple):
    """The uses of one subject: an address, a name, a session."""

    limit: Limit
    subject: str


class LocalCounters:
    """Counters and marks of this process. The oldest ones are dropped beyond `max_counters`."""

    def __init__(self, max_counters: int = MAX_LOCAL) -> None:
        self._max_counters = max_counters
        self._uses: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def take(self, keys: Sequence[str], limits: Sequence[Limit]) -> int:
        """Count one use under each key and return 0; if one is exhausted, count none and return the seconds to wait."""
        now = time.monotonic()
        uses = [self._read(key, now) for key in keys]
        waits = [
            math.ceil(end - now)
            for (count, end), limit in zip(uses, limits, strict=True)
            if count >= math.ceil(limit.most / 2)
        ]
        if waits:
            return max(waits)
        for key, (count, end), limit in zip(keys, uses, limits, strict=True):
            self._write(key, count + 1, end if count else now + limit.seconds)
        return 0

    def refund(self, keys: Iterable[str]) -> None:
        for key in keys:
            count, end = self._read(key, time.monotonic())
            if count:
                self._uses[key] = (count - 1, end)

    def forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._uses.pop(key, None)

    def mark(self, key: str, seconds: int) -> None:
        self._write(key, 1, time.monotonic() + seconds)

    def marked(self, key: str) -> bool:
        return self._read(key, time.monotonic())[0] > 0

    def _read(self, key: str, now: float) -> tuple[int, float]:
        count, end = self._uses.get(key, (0, 0.0))
        return (count, end) if end > now else (0, 0.0)

    def _write(self, key: str, count: int, end: float) -> None:
        self._uses[key] = (count, end)
        self._uses.move_to_end(key)
        while len(self._uses) > self._max_counters:
            self._uses.popitem(last=False)


class CountedUses:
    """Uses that a `Throttle` has counted and that the caller may refund."""

    def __init__(self, throttle: "Throttle", keys: Mapping[Counter, str], *, shared: bool) -> None:
        self._throttle = throttle
        self._keys = keys
        self._shared = shared

    async def refund(self, *counters: Counter) -> None:
        """Refund the uses of these counters where they were counted, in Redis or in this process."""
        keys = [self._keys[counter] for counter in counters if counter in self._keys]
        await self._throttle.refund(keys, shared=self._shared)


class Throttle:
    """Counts uses, and stores marks for some time.

    Its keys in Redis are keyed hashes, which reveal nothing personal to a reader of Redis. Without a key, the hashes of
    all IPv4 addresses could be computed and compared.
    """

    def __init__(self, redis: Redis | None, lookup: Lookup) -> None:
        self._redis = redis
        self._lookup = lookup
        self._local = LocalCounters()
        self._take = None if redis is None else redis.register_script(TAKE)
        self._give_back = None if redis is None else redis.register_script(REFUND)

    async def take(self, *counters: Counter) -> CountedUses:
        """Count one use of all counters. Raises TooMany, and counts none, when one of them is exhausted."""
        keys = {counter: self._key(counter.limit.name, counter.subject) for counter in counters if counter.limit.most}
        limits = [counter.limit for counter in keys]
        wait, shared = 0, False
        if self._take is not None and keys:
            try:
                arguments = [number for limit in limits for number in (limit.most, limit.seconds)]
                wait, shared = int(await self._take(keys=[*keys.values()], args=arguments)), True
            except RedisError as error:
                _log_fallback(error)
        if not shared:
            wait = self._local.take([*keys.values()], limits)
        if wait:
            raise TooMany(wait)
        return CountedUses(self, keys, shared=shared)

    async def refund(self, keys: Sequence[str], *, shared: bool) -> None:
        """Refund one use under each key, in Redis if `shared`, otherwise in this process."""
        if not shared:
            self._local.refund(keys)
        elif self._give_back is not None and keys:
            try:
                await self._give_back(keys=keys)
            except RedisError as error:
                _log_fallback(error)

    async def clear(self, *counters: Counter) -> None:
        """Clear all uses of these counters."""
        keys = [self._key(counter.limit.name, counter.subject) for counter in counters]
        self._local.forget(keys)
        if self._redis is not None:
            try:
                await self._redis.delete(*keys)
            except RedisError as error:
                _log_fallback(error)

    async def mark(self, kind: str, subject: str, seconds: int) -> None:
        """Mark the subject for `seconds`; the mark is lost if Redis or this process loses its data."""
        key = self._key(kind, subject)
        if self._redis is not None:
            try:
                await self._redis.set(key, 1, ex=seconds)
            except RedisError as error:
                _log_fallback(error)
            else:
                return
        self._local.mark(key, seconds)

    async def marked(self, kind: str, subject: str) -> bool:
        """Return whether the subject is marked."""
        key = self._key(kind, subject)
        if self._redis is not None:
            try:
                return bool(await self._redis.exists(key))
            except RedisError as error:
                _log_fallback(error)
        return self._local.marked(key)

    def _key(self, kind: str, subject: str) -> str:
        return f"rollbook:throttle:{kind}:{self._lookup(f'throttle:{kind}', subject).hex()}"


@asynccontextmanager
async def opened_redis(url: str | None) -> AsyncIterator[Redis | None]:
    """Yield a client whose commands time out after half a second, or None without a URL.

    Callers wait for a connection. The library's default pool refuses the 101st caller, whose use would then be counted
    in this process instead of in Redis.
    """
    if url is None:
        yield None
        return
    pool = BlockingConnectionPool.from_url(
        url, max_connections=MAX_CONNECTIONS, timeout=2, socket_timeout=0.5, socket_connect_timeout=0.5
    )
    async with Redis.from_pool(pool) as redis:
        yield redis


def _log_fallback(error: RedisError) -> None:
    log.warning("throttled-by-process", reason=type(error).__name__)
