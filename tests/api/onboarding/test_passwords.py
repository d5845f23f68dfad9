"""Passwords that an onboarding sets (rulings K27 and K114)."""

from typing import Any

import pytest

from tests.api.onboarding.test_requests import AT_ONCE, ask
from tests.support.range_services import a_range_service
from tests.support.world.product import PASSWORD, World, a_world

ANN = {"patient-email": "ann@people.test"}


async def refused(world: World, password: str) -> tuple[Any, Any]:
    """Return code and pointer."""
    refusal = await ask(
        world, world.system, await world.organization(), 400, **{**AT_ONCE, **ANN, "password": password}
    )
    assert password not in str(refusal)
    return refusal["code"], refusal["source"]["pointer"]


@pytest.mark.parametrize("password", ["short-7", "password1", "ann@people.test", "rollbook", "rollbook1"])
async def test_weak_passwords_are_refused(database_url: str, password: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        assert await refused(world, password) == ("weak-password", "/data/attributes/password")


async def test_a_password_of_more_than_255_characters_is_invalid(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        assert await refused(world, "Xy7-" * 64) == ("invalid-attribute", "/data/attributes/password")


async def test_the_shortest_password_is_a_setting(database_url: str) -> None:
    async with a_world(database_url, projecting=False, password_length=20) as world:
        assert await refused(world, "quite-a-walrus-7777") == ("weak-password", "/data/attributes/password")
        north = await world.organization()
        await ask(world, world.system, north, **{**AT_ONCE, **ANN, "password": "quite-a-walrus-77777"})


async def test_leaked_passwords_are_refused_unless_the_service_is_away(database_url: str) -> None:
    with a_range_service(PASSWORD) as service:
        service.status = 503
        async with a_world(database_url, projecting=False, pwned_url=service.url) as world:
            await ask(world, world.system, await world.organization(), **AT_ONCE, **ANN)
            service.status = 200
            assert await refused(world, PASSWORD) == ("pwned-password", "/data/attributes/password")
