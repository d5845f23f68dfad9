"""Failed logins, counted in Redis so that all processes count together; in the process itself while Redis is away."""

import time
from collections import OrderedDict

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.errors import TooMany
from domain.ports import Lookup

WINDOW = 15 * 60
MOST_REMEMBERED = 100_000
"""Of the process's own counters: an attacker who makes up names must not fill the memory."""

log = structlog.get_logger()


class LocalCounters:
    """Counters with an end, the oldest of too many forgotten."""

    def __init__(self) -> None:
        self._counters: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def read(self, key: str) -> tuple[int, int]:
        count, end = self._counters.get(key, (0, 0.0))
        seconds = end - time.monotonic()
        return (count, int(seconds) + 1) if seconds > 0 else (0, 0)

    def add(self, key: str) -> None:
        count, _ = self.read(key)
        end = self._counters[key][1] if count else time.monotonic() + WINDOW
        self._counters[key] = (count + 1, end)
        self._counters.move_to_end(key)
        while len(self._counters) > MOST_REMEMBERED:
            self._counters.popitem(last=False)

    def clear(self, key: str) -> None:
        self._counters.pop(key, None)


class LoginAttempts:
    """Implements `domain.session_commands.Attempts` (ruling H1).

    Keys are keyed hashes, so that Redis holds nothing personal: whoever reads it could try all addresses otherwise.
    """

    def __init__(self, redis: Redis | None, lookup: Lookup, per_account: int, per_address: int) -> None:
        self._redis = redis
        self._lookup = lookup
        self._limits = (per_account, per_address)
        self._local = LocalCounters()

    async def refuse_excess(self, account: str, address: str) -> None:
        counters = [await self._read(key) for key in self._keys(account, address)]
        waits = [wait for (count, wait), limit in zip(counters, self._limits, strict=True) if count >= limit]
        if waits:
            raise TooMany(max(waits))

    async def failed(self, account: str, address: str) -> None:
        for key in self._keys(account, address):
            await self._add(key)

    async def succeeded(self, account: str) -> None:
        key = self._key("account", account)
        self._local.clear(key)
        if self._redis is not None:
            try:
                await self._redis.delete(key)
            except RedisError as error:
                _away(error)

    async def _read(self, key: str) -> tuple[int, int]:
        """Failures and the seconds until they are forgotten, whichever of the two places knows more."""
        local = self._local.read(key)
        if self._redis is None:
            return local
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.get(key)
                pipeline.ttl(key)
                count, wait = await pipeline.execute()
        except RedisError as error:
            _away(error)
            return local
        return max(local, (int(count or 0), max(int(wait), 1)))

    async def _add(self, key: str) -> None:
        if self._redis is not None:
            try:
                async with self._redis.pipeline(transaction=True) as pipeline:
                    pipeline.incr(key)
                    pipeline.expire(key, WINDOW, nx=True)
                    await pipeline.execute()
            except RedisError as error:
                _away(error)
            else:
                return
        self._local.add(key)

    def _keys(self, account: str, address: str) -> tuple[str, str]:
        return self._key("account", account), self._key("address", address)

    def _key(self, kind: str, value: str) -> str:
        return f"rollbook:login-failures:{kind}:{self._lookup(f'login-failures:{kind}', value).hex()}"


def _away(error: RedisError) -> None:
    log.warning("login-failures-counted-here", reason=type(error).__name__)
