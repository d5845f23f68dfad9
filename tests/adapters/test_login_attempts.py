"""Counting failed logins, with Redis and without."""

import hmac
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from adapters.login_attempts import WINDOW, LocalCounters, LoginAttempts
from domain.errors import TooMany
from domain.ports import Lookup


def a_lookup(key: bytes = b"key") -> Lookup:
    return lambda kind, value: hmac.digest(key, f"{kind} {value}".encode(), "sha256")


async def refused(attempts: LoginAttempts, account: str, address: str = "10.0.0.1") -> int:
    """Seconds to wait, 0 when none."""
    try:
        await attempts.refuse_excess(account, address)
    except TooMany as refusal:
        return refusal.retry_after
    return 0


@pytest.mark.parametrize("shared", [True, False], ids=["redis", "process"])
async def test_an_account_is_closed_after_its_failures(redis_url: str, shared: bool) -> None:
    redis = Redis.from_url(redis_url) if shared else None
    attempts = LoginAttempts(redis, a_lookup(), 2, 100)
    account, other, address = uuid4().hex, uuid4().hex, uuid4().hex
    for _ in range(2):
        assert await refused(attempts, account, address) == 0
        await attempts.failed(account, address)
    assert 0 < await refused(attempts, account, address) <= WINDOW
    assert await refused(attempts, other, address) == 0
    await attempts.succeeded(account)
    assert await refused(attempts, account, address) == 0
    if redis is not None:
        await redis.aclose()


@pytest.mark.parametrize("shared", [True, False], ids=["redis", "process"])
async def test_an_address_is_closed_after_its_failures_whatever_succeeds(redis_url: str, shared: bool) -> None:
    redis = Redis.from_url(redis_url) if shared else None
    attempts, address = LoginAttempts(redis, a_lookup(), 100, 3), uuid4().hex
    for _ in range(3):
        await attempts.failed(uuid4().hex, address)
    account = uuid4().hex
    await attempts.succeeded(account)
    assert await refused(attempts, account, address) > 0
    assert await refused(attempts, account, uuid4().hex) == 0
    if redis is not None:
        await redis.aclose()


async def test_redis_learns_nothing_personal_and_forgets(redis_url: str) -> None:
    """A hash without a key would not do: there are few IPv4 addresses to try."""
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        before = set(await redis.keys("*"))
        for secret in (b"one", b"another"):
            await LoginAttempts(redis, a_lookup(secret), 2, 100).failed("login:ann@people.test", "192.0.2.7")
        fresh = set(await redis.keys("*")) - before
        assert len(fresh) == 4
        assert not any("ann" in key or "192" in key for key in fresh)
        assert all([0 < await redis.ttl(key) <= WINDOW for key in fresh])
        for key in fresh:
            await redis.delete(key)


async def test_while_redis_is_away_the_process_counts() -> None:
    async with Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2) as nowhere:
        attempts, account = LoginAttempts(nowhere, a_lookup(), 2, 100), uuid4().hex
        await attempts.failed(account, "a")
        await attempts.failed(account, "a")
        assert await refused(attempts, account) > 0
        await attempts.succeeded(account)
        assert await refused(attempts, account) == 0


def test_names_that_somebody_makes_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.login_attempts.MOST_REMEMBERED", 10)
    counters = LocalCounters()
    for number in range(100):
        counters.add(str(number))
    assert counters.read("99")[0] == 1
    assert counters.read("0") == (0, 0)
