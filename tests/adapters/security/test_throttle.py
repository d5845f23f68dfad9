"""Counting before the work, with Redis and without (rulings K28 and O12)."""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from adapters.security.client_address import counted_address
from adapters.security.login_throttle import LoginThrottle
from adapters.security.throttle import Counter, Limit, LocalCounters, Throttle, opened_redis
from adapters.settings import Settings
from domain.core.errors import TooMany
from domain.core.ports import Lookup

NOWHERE = "redis://127.0.0.1:1/0"
EVERYWHERE = pytest.mark.parametrize("shared", [True, False], ids=["redis", "process"])


def a_lookup(key: bytes = b"key") -> Lookup:
    return lambda kind, value: hmac.digest(key, f"{kind} {value}".encode(), "sha256")


@asynccontextmanager
async def a_throttle(redis_url: str, *, shared: bool = True) -> AsyncIterator[Throttle]:
    """One that counts in Redis, or in this process because its Redis is away."""
    async with opened_redis(redis_url if shared else NOWHERE) as redis:
        yield Throttle(redis, a_lookup())


def uses(most: int, *, seconds: int = 60) -> Counter:
    return Counter(Limit("trials", most, seconds), uuid4().hex)


async def taken(throttle: Throttle, *counters: Counter) -> int:
    """Seconds to wait, 0 when it could be taken."""
    try:
        await throttle.take(*counters)
    except TooMany as refusal:
        return refusal.retry_after
    return 0


@EVERYWHERE
async def test_concurrent_uses_do_not_exceed_the_limit(redis_url: str, shared: bool) -> None:
    async with a_throttle(redis_url, shared=shared) as throttle:
        counter = uses(10)
        waits = await asyncio.gather(*(taken(throttle, counter) for _ in range(200)))
        assert waits.count(0) == (10 if shared else 5)
        assert all(0 <= wait <= 60 for wait in waits)


@EVERYWHERE
async def test_where_one_counter_is_exhausted_none_is_taken(redis_url: str, shared: bool) -> None:
    async with a_throttle(redis_url, shared=shared) as throttle:
        exhausted, other = uses(2), uses(4, seconds=3600)
        while not await taken(throttle, exhausted):
            pass
        assert 0 < await taken(throttle, other, exhausted) <= 60
        left = 0
        while not await taken(throttle, other):
            left += 1
        assert left == (4 if shared else 2)
        assert await taken(throttle, other, exhausted) > 3500


@EVERYWHERE
async def test_returned_uses_do_not_count(redis_url: str, shared: bool) -> None:
    async with a_throttle(redis_url, shared=shared) as throttle:
        counter, other = uses(2), uses(2)
        for _ in range(9):
            use = await throttle.take(counter, other)
            await use.refund(counter)
            await throttle.clear(other)
        assert await taken(throttle, counter) == 0
        await (await throttle.take(uses(1))).refund(counter)
        assert await taken(throttle, uses(0)) == 0


async def test_uses_counted_locally_are_not_returned_in_redis(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis, Redis.from_url(NOWHERE, socket_connect_timeout=0.2) as nowhere:
        throttle, away, counter = Throttle(redis, a_lookup()), Throttle(nowhere, a_lookup()), uses(2)
        await throttle.take(counter)
        use = await away.take(counter)
        away._redis, away._give_back = redis, throttle._give_back
        await use.refund(counter)
        assert await taken(throttle, counter) == 0
        assert await taken(throttle, counter) > 0


async def test_a_limit_of_zero_is_off(redis_url: str) -> None:
    async with a_throttle(redis_url) as throttle:
        assert not any([await taken(throttle, uses(0)) for _ in range(3)])


def test_a_window_of_this_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    local, limits = LocalCounters(), [Limit("trials", 2, 60)]
    assert [local.take(["key"], limits) for _ in range(2)] == [0, 60]
    now += 59.5
    assert local.take(["key"], limits) == 1
    now += 0.5
    assert local.take(["key"], limits) == 0


async def test_redis_learns_nothing_personal_and_forgets(redis_url: str) -> None:
    """A hash without a key would not do: there are few IPv4 addresses to try."""
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        before = set(await redis.keys("*"))
        for secret in (b"one", b"another"):
            lookup = a_lookup(secret)
            logins = LoginThrottle(Throttle(redis, lookup), lookup, Settings(login_failures=2))
            await (await logins.begin("ann@people.test", "192.0.2.7")).succeed()
            await (await logins.begin("bob@people.test", "192.0.2.7")).fail()
        fresh = set(await redis.keys("*")) - before
        assert len(fresh) == 8
        assert not any("ann" in key or "192" in key for key in fresh)
        ends = [await redis.ttl(key) for key in fresh]
        assert all(0 < end <= 30 * 24 * 3600 for end in ends)
        await redis.delete(*fresh)


def test_made_up_names_do_not_fill_the_memory() -> None:
    counters, limits = LocalCounters(max_counters=10), [Limit("trials", 2, 60)]
    for number in range(100):
        assert counters.take([str(number)], limits) == 0
    assert counters.take(["99"], limits) > 0
    assert counters.take(["0"], limits) == 0


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_address_is_counted_by_its_network(address: str, counted: str) -> None:
    assert counted_address(address) == counted
