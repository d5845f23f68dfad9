"""POST /v1/password-strength/ (semantics 7, rulings K24 and K115)."""

from typing import Any

import pytest

from tests.support.range_services import a_range_service
from tests.support.world.product import World, a_world

GOOD = "quite-a-walrus-77"


async def rate(world: World, password: str, status: int = 201, /, **more: Any) -> Any:
    answer = await world.client.post("/v1/password-strength/", json={"password": password, **more})
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "x-position" not in answer.headers
    assert password not in answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("password", "value", "label"),
    [
        ("password", 0, "very-weak"),
        ("rollbook", 0, "very-weak"),
        ("walrus", 1, "weak"),
        ("walrus-at", 2, "fair"),
        ("walrus-at-7", 3, "good"),
        (GOOD, 4, "strong"),
    ],
)
async def test_a_password_is_rated_from_very_weak_to_strong(
    database_url: str, password: str, value: int, label: str
) -> None:
    async with a_world(database_url, projecting=False) as world:
        answer = await rate(world, password)
        assert answer["strength"] == {"value": value, "label": label}
        assert bool(answer["suggestions"]) is (value < 3)
        assert all(isinstance(suggestion, str) for suggestion in answer["suggestions"])


async def test_leaks_are_looked_up_only_if_asked(database_url: str) -> None:
    with a_range_service(GOOD) as service:
        async with a_world(database_url, projecting=False, pwned_url=service.url) as world:
            asked_before = len(service.asked)
            assert (await rate(world, GOOD))["pwned"] == {"times": -1, "message": "not checked"}
            assert (await rate(world, GOOD, **{"check-pwned": False}))["pwned"]["message"] == "not checked"
            assert len(service.asked) == asked_before
            assert (await rate(world, GOOD, **{"check-pwned": True}))["pwned"] == {"times": 3, "message": "found"}
            other = await rate(world, "another-walrus-78", **{"check-pwned": True})
            assert other["pwned"] == {"times": 0, "message": "not found"}
            service.status = 500
            away = await rate(world, GOOD, **{"check-pwned": True})
            assert away["pwned"] == {"times": -1, "message": "unavailable"}


async def test_without_a_service_leaks_are_unavailable(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        answer = await rate(world, GOOD, **{"check-pwned": True})
        assert answer["pwned"] == {"times": -1, "message": "unavailable"}


@pytest.mark.parametrize("body", [{}, {"password": ""}, {"password": "x" * 256}, {"password": None}])
async def test_a_password_of_1_to_255_characters_is_needed(database_url: str, body: Any) -> None:
    async with a_world(database_url, projecting=False) as world:
        answer = await world.client.post("/v1/password-strength/", json=body)
        assert answer.status_code == 400
        assert [error["source"] for error in answer.json()["errors"]] == [{"pointer": "/password"}]


async def test_an_invalid_token_is_ignored(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        bearer = {"Authorization": "Bearer x"}
        answer = await world.client.post("/v1/password-strength/", json={"password": GOOD}, headers=bearer)
        assert answer.status_code == 201


async def test_an_address_rates_a_limited_number_of_passwords(database_url: str) -> None:
    async with a_world(database_url, projecting=False, password_checks_address=4) as world:  # half without Redis
        for _ in range(2):
            await world.client.post("/v1/password-strength/", json={"password": ""})  # refused before it counts
            await rate(world, GOOD)
        answer = await world.client.post("/v1/password-strength/", json={"password": GOOD})
        assert answer.status_code == 429
        assert [error["code"] for error in answer.json()["errors"]] == ["too-many-requests"]
        assert 0 < int(answer.headers["retry-after"]) <= 900


async def test_nothing_is_recorded(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        before = await heads(world)
        await rate(world, GOOD)
        assert await heads(world) == before


async def heads(world: World) -> list[Any]:
    async with world.pool.connection() as connection:
        rows = await connection.execute("SELECT log, position FROM log_head ORDER BY log")
        return await rows.fetchall()
