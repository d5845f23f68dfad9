"""`rollbook unlock`: clears the failed logins of a name (ruling O13)."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

from adapters.postgres.connections import Pool
from adapters.security.keyring import Keyring
from adapters.security.login_throttle import LoginThrottle
from adapters.security.throttle import Throttle, opened_redis
from adapters.settings import InvalidSettingsError, Settings
from domain.people.login_names import normal_login


async def unlock(settings: Settings, name: str) -> None:
    """Clear the counters of the name. Raises InvalidSettingsError when Redis is not set or does not answer."""
    async with (
        Pool(settings.dsn(), application_name="rollbook-unlock", max_size=1) as pool,
        opened_redis(settings.redis()) as redis,
    ):
        await _require_answering(redis)
        lookup = await Keyring(pool, settings.master_key_bytes()).lookup()
        await LoginThrottle(Throttle(redis, lookup), lookup, settings).unlock(normal_login(name))


async def _require_answering(redis: Redis | None) -> None:
    if redis is None:
        raise InvalidSettingsError("REDIS_URL: must be set, because the failed logins are counted there")
    try:
        await redis.ping()
    except RedisError:
        raise InvalidSettingsError("REDIS_URL: does not answer") from None
