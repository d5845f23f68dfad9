"""Passwords in all operations that set one (ruling K114); those of onboardings are in their own tests."""

from pathlib import Path

from tests.api.organizations.test_enrollment_codes import a_code
from tests.api.people.test_codes import ask, codes, log_in, refusal
from tests.api.people.test_sign_ups import OPEN, refusals, signed_up
from tests.support.range_services import a_range_service
from tests.support.world.product import PASSWORD, UNLIMITED, a_world

LEAKED = "quite-a-walrus-77"
COMPOSED, DECOMPOSED = "  caf\u00e9-\ufb01ne-walrus-77 ", "  cafe\u0301-fine-walrus-77 "
"""One password in two forms that NFKC makes equal."""


async def test_leaked_passwords_are_refused_wherever_one_is_set(database_url: str, tmp_path: Path) -> None:
    with a_range_service(LEAKED) as service:
        outbox = tmp_path / "outbox"
        async with a_world(database_url, pwned_url=service.url, outbox=outbox, **OPEN) as world:
            north = await world.organization()
            await a_code(world, north)
            person = await world.patient(north, "ann@people.test")
            path = f"/v1/users/{person.user_id}/change-password/"
            own = {"old-password": PASSWORD, "new-password": LEAKED}
            support = {"context": "carium-support", "new-password": LEAKED}
            for body, by in ((own, person), (support, world.system)):
                (error,) = (await world.post(path, body, by, 400))["errors"]
                assert (error["code"], error["source"]) == ("pwned-password", {"pointer": "/new-password"})
            await ask(world, "forgot-password", username="ann@people.test")
            (code,) = await codes(world, "ann@people.test", "forgot-password")
            reset = {"username": "ann@people.test", "confirmation_code": code, "password": LEAKED}
            refused = ("pwned-password", "/password")
            assert await refusal(world, "confirm-forgot-password", **reset) == refused
            assert refusals(await signed_up(world, 400, password=LEAKED)) == [refused]


async def test_passwords_are_compared_in_one_form_and_never_trimmed(database_url: str) -> None:
    async with a_world(database_url, projecting=False, **UNLIMITED) as world:
        person = await world.patient(await world.organization())
        path = f"/v1/users/{person.user_id}/change-password/"
        await world.post(path, {"old-password": PASSWORD, "new-password": COMPOSED}, person)
        assert await log_in(world, person.email, COMPOSED) == 201
        assert await log_in(world, person.email, DECOMPOSED) == 201
        assert await log_in(world, person.email, COMPOSED.strip()) == 401
        await world.post(path, {"old-password": COMPOSED.strip(), "new-password": PASSWORD}, person, 403)


async def test_the_same_password_in_another_form_is_the_old_one(database_url: str) -> None:
    """Ruling K70: the new password must differ."""
    async with a_world(database_url, projecting=False, **UNLIMITED) as world:
        person = await world.patient(await world.organization())
        path = f"/v1/users/{person.user_id}/change-password/"
        await world.post(path, {"old-password": PASSWORD, "new-password": COMPOSED}, person)
        (error,) = (await world.post(path, {"old-password": COMPOSED, "new-password": DECOMPOSED}, person, 400))[
            "errors"
        ]
        assert (error["code"], error["source"]) == ("invalid-attribute", {"pointer": "/new-password"})
