"""`rollbook unlock`: a name that was guessed at may try again (ruling O13)."""

from typing import Any

import pytest

from tests.support.running import rollbook
from tests.support.world.product import ADMIN_EMAIL, PASSWORD, a_world

pytestmark = pytest.mark.slow

LIMITS: dict[str, Any] = {"login_failures": 2}


async def test_a_name_is_unlocked_however_it_is_spelled(database_url: str, redis_url: str) -> None:
    async with a_world(database_url, projecting=False, redis_url=redis_url, **LIMITS) as world:

        async def log_in(password: str) -> int:
            body = {"username": ADMIN_EMAIL, "password": password}
            return (await world.client.post("/v1/login/", json=body)).status_code

        assert [await log_in("wrong") for _ in range(3)] == [401, 401, 429]
        assert await log_in(PASSWORD) == 429
        settings = world.settings
        assert settings.master_key is not None
        assert settings.signing_key is not None
        done = rollbook(
            "unlock",
            ADMIN_EMAIL.upper(),
            DATABASE_URL=settings.owner_dsn(),
            REDIS_URL=redis_url,
            ROLLBOOK_MASTER_KEY=settings.master_key.get_secret_value(),
            ROLLBOOK_SIGNING_KEY=settings.signing_key.get_secret_value(),
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "The failed logins of this name are cleared.\n", "")
        assert await log_in(PASSWORD) == 201


async def test_without_a_redis_that_answers_it_says_so(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        settings = world.settings
        assert settings.master_key is not None
        assert settings.signing_key is not None
        keys = {
            "DATABASE_URL": settings.owner_dsn(),
            "ROLLBOOK_MASTER_KEY": settings.master_key.get_secret_value(),
            "ROLLBOOK_SIGNING_KEY": settings.signing_key.get_secret_value(),
        }
        absent = rollbook("unlock", ADMIN_EMAIL, **keys)
        assert (absent.returncode, absent.stdout) == (1, "")
        assert absent.stderr == "rollbook: REDIS_URL: must be set, because the failed logins are counted there\n"
        away = rollbook("unlock", ADMIN_EMAIL, REDIS_URL="redis://127.0.0.1:1/0", **keys)
        assert (away.returncode, away.stdout, away.stderr) == (1, "", "rollbook: REDIS_URL: does not answer\n")
