"""/v1/mfa-totp/: creating, enabling, disabling and deleting configurations (K27, K51 to K53, K116 to K122)."""

from base64 import b64decode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
import time_machine

from tests.support.authenticators import PATH, Authenticator, an_authenticator, an_enabled_authenticator, enable
from tests.support.world.product import PASSWORD, UNLIMITED, Person, World, a_world

WRONG = "not-the-password-7"


async def listed(world: World, by: Person, status: int = 200, /, **query: Any) -> Any:
    answer = await world.get(PATH, by, status, **query)
    return [(row["id"], row["attributes"]) for row in answer["data"]] if status == 200 else answer["errors"][0]


async def act(
    world: World, by: Person, authenticator: Authenticator, action: str, status: int = 201, password: str = PASSWORD
) -> Any:
    answer = await world.post(f"{authenticator.path}{action}/", {"password": password}, by, status)
    return answer["data"]["attributes"] if status == 201 else answer["errors"][0]


async def delete(world: World, by: Person, configuration_id: Any, status: int = 204) -> Any:
    answer = await world.client.delete(f"{PATH}{configuration_id}/", headers=by.bearer)
    assert answer.status_code == status, answer.text
    return answer.json()["errors"][0]["code"] if answer.content else None


async def test_a_configuration_begins_with_a_secret_for_an_app(database_url: str) -> None:
    """Rulings K52 and K116."""
    async with a_world(database_url, totp_issuer="North Care") as world:
        person = await world.provider(await world.organization(), "ann+1@people.test")
        answer = await world.client.post(PATH, headers=person.bearer)
        assert answer.status_code == 201
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-position"] == str(answer.json()["meta"]["position"])
        resource = answer.json()["data"]
        assert resource["type"] == "mfa-totp"
        attributes = resource["attributes"]
        assert (attributes["user-id"], attributes["enabled"]) == (str(person.user_id), False)
        empty = ("enabled-at", "last-used", "recovery-codes")
        assert [attributes[name] for name in empty] == [None] * 3
        assert attributes["recovery-codes-left"] == 0
        secret = attributes["secret"]
        assert len(secret["shared-secret-key"]) == 32
        uri = urlsplit(secret["provisioning-uri"])
        assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/North%20Care:ann%2B1%40people.test")
        assert parse_qs(uri.query) == {
            "secret": [secret["shared-secret-key"]],
            "issuer": ["North Care"],
            "algorithm": ["SHA1"],
            "digits": ["6"],
            "period": ["30"],
        }
        code = secret["provisioning-qrcode"]
        png = b64decode(code["contents-base64"])
        assert png.startswith(b"\x89PNG\r\n")
        assert code["mimetype"] == "image/png"
        width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
        assert (code["width"], code["height"]) == (width, height)


async def test_at_most_ten_configurations_are_not_enabled(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        person = await world.provider(await world.organization())
        made = [await an_authenticator(world, person) for _ in range(10)]
        refusal = (await world.post(PATH, {}, person, 409))["errors"][0]
        assert refusal["code"] == "conflict"
        await enable(world, person, made[0])
        await an_authenticator(world, person)
        assert [each for each, _ in await listed(world, person)][:10] == [each.id for each in made]


async def test_a_secret_is_shown_to_its_user_until_it_is_enabled(database_url: str) -> None:
    """Ruling K117."""
    async with a_world(database_url) as world:
        person = await world.provider(await world.organization())
        authenticator = await an_authenticator(world, person)

        async def shown(by: Person) -> Any:
            ((_, attributes),) = await listed(world, by, 200, **{"filter[user-id]": str(person.user_id)})
            return attributes["secret"] and attributes["secret"]["shared-secret-key"]

        assert await shown(person) == authenticator.secret
        assert await shown(world.system) is None
        assert await shown(await world.borrowed(person, "impersonated")) is None
        assert await shown(await world.borrowed(person, "synthetic")) is None
        assert (await enable(world, person, authenticator))["secret"] is None
        assert await shown(person) is None
        assert (await act(world, person, authenticator, "disable"))["secret"] is None
        assert await shown(person) is None
        again = await enable(world, person, authenticator, 1)
        assert (again["enabled"], again["secret"]) == (True, None)


async def test_two_consecutive_codes_enable_a_configuration(database_url: str) -> None:
    async with a_world(database_url) as world:
        person = await world.provider(await world.organization())
        authenticator = await an_authenticator(world, person)
        attributes = await enable(world, person, authenticator)
        assert attributes["enabled"] is True
        assert attributes["enabled-at"] == attributes["last-used"]
        assert len(attributes["recovery-codes"]) == attributes["recovery-codes-left"] == 10
        ((_, row),) = await listed(world, person)
        assert row == {**attributes, "recovery-codes": None}


@pytest.mark.parametrize("step", [-2, -1, 0, 1])
async def test_codes_within_two_steps_of_now_are_accepted(database_url: str, step: int) -> None:
    async with a_world(database_url, projecting=False) as world:
        person = await world.provider(await world.organization())
        with time_machine.travel(datetime.now(UTC), tick=False):
            await enable(world, person, await an_authenticator(world, person), step)


async def test_other_codes_are_refused(database_url: str) -> None:
    async with a_world(database_url, projecting=False, **UNLIMITED) as world:
        person = await world.provider(await world.organization())
        authenticator = await an_authenticator(world, person)
        with time_machine.travel(datetime.now(UTC), tick=False):
            now, after = authenticator.codes()
            later = authenticator.code(2)
            for codes in (
                [now, now], [after, now], [now, later], ["000000", "000000"], ["", ""], ["x", "é"],
                authenticator.codes(-3), authenticator.codes(2), [f"{now}0", after],
            ):  # fmt: skip
                refusal = await enable(world, person, authenticator, 0, 400, codes=codes)
                assert (refusal["code"], refusal["source"]) == ("totp-invalid", {"pointer": "/codes"})
            assert authenticator.secret not in str(refusal)


async def test_codes_that_were_used_do_not_enable_again(database_url: str) -> None:
    async with a_world(database_url, projecting=False, **UNLIMITED) as world:
        person = await world.provider(await world.organization())
        authenticator = await an_authenticator(world, person)
        with time_machine.travel(datetime.now(UTC), tick=False):
            await enable(world, person, authenticator, -2)
            await log_in(world, person, authenticator.code(0))
            await act(world, person, authenticator, "disable")
            for step in (-2, -1, 0):
                assert (await enable(world, person, authenticator, step, 400))["code"] == "totp-invalid"
            assert (await enable(world, person, authenticator, 1))["enabled"] is True


async def log_in(world: World, person: Person, code: str | None, status: int = 201) -> Any:
    body = {"username": person.email, "password": PASSWORD, "totp-code": code}
    answer = await world.client.post("/v1/login/", json={name: text for name, text in body.items() if text is not None})
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_enabling_is_refused_in_the_order_of_the_ruling(database_url: str) -> None:
    """Ruling K118: 404, 403 of borrowed sessions, 409, 429, password, codes."""
    async with a_world(database_url, projecting=False, login_failures=2) as world:
        north = await world.organization()
        person, other = await world.provider(north), await world.provider(north)
        first, second = await an_authenticator(world, person), await an_authenticator(world, person)
        bad = {"password": WRONG, "codes": ["1", "2"]}
        assert (await enable(world, other, first, 0, 404, **bad))["code"] == "not-found"
        assert (await enable(world, world.system, first, 0, 403, **bad))["code"] == "forbidden"
        borrowed = await world.borrowed(person, "impersonated")
        assert (await enable(world, borrowed, Authenticator(str(uuid4()), first.secret, []), 0, 404))["code"]
        assert (await enable(world, borrowed, first, 0, 403, **bad))["code"] == "impersonation-not-allowed"
        refusal = await enable(world, person, first, 0, 403, **bad)  # half of the limit, without Redis
        assert (refusal["code"], refusal["source"]) == ("invalid-credentials", {"pointer": "/password"})
        assert (await enable(world, person, first, 0, 429))["code"] == "too-many-requests"
    async with a_world(database_url, projecting=False) as world:
        await enable(world, person, first)
        for authenticator in (first, second):
            assert (await enable(world, person, authenticator, 0, 409, **bad))["code"] == "invalid-state"


async def test_wrong_passwords_count_like_failed_logins(database_url: str) -> None:
    """Ruling K10: on one counter with logins, which only a complete login clears."""
    async with a_world(database_url, projecting=False, login_failures=6) as world:  # half, without Redis
        person = await world.provider(await world.organization())
        authenticator = await an_enabled_authenticator(world, person)
        for action in ("disable", "recovery-codes"):
            refusal = await act(world, person, authenticator, action, 403, WRONG)
            assert (refusal["code"], refusal["source"]) == ("invalid-credentials", {"pointer": "/password"})
        await act(world, person, authenticator, "recovery-codes")  # a right one clears nothing
        await act(world, person, authenticator, "disable", 403, WRONG)
        assert (await act(world, person, authenticator, "disable", 429))["code"] == "too-many-requests"
        await log_in(world, person, authenticator.code(1), 429)


async def test_disabling_keeps_the_configuration(database_url: str) -> None:
    async with a_world(database_url) as world:
        person = await world.provider(await world.organization())
        authenticator = await an_enabled_authenticator(world, person)
        for _ in range(2):  # the second one changes nothing
            attributes = await act(world, person, authenticator, "disable")
            assert (attributes["enabled"], attributes["enabled-at"]) == (False, None)
            assert attributes["recovery-codes-left"] == 0
            assert attributes["last-used"] is not None
            before = await world.identity.store.save()
        assert (await act(world, person, authenticator, "disable", 403, WRONG))["code"] == "invalid-credentials"
        assert await world.identity.store.save() == before
        await log_in(world, person, None)


async def test_a_system_administrator_disables_what_others_lost(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        person, admin = await world.provider(north), await world.admin(north)
        authenticator = await an_enabled_authenticator(world, person)
        assert (await act(world, admin, authenticator, "disable", 404))["code"] == "not-found"
        assert (await act(world, world.service, authenticator, "disable", 404))["code"] == "not-found"
        assert (await act(world, world.system, authenticator, "disable", 403, WRONG))["code"] == "invalid-credentials"
        assert (await act(world, world.system, authenticator, "disable"))["enabled"] is False
        await log_in(world, person, None)


async def test_only_what_is_not_enabled_is_deleted(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        person, other = await world.provider(north), await world.provider(north)
        authenticator = await an_enabled_authenticator(world, person)
        assert await delete(world, person, authenticator.id, 409) == "invalid-state"
        await act(world, person, authenticator, "disable")
        for by in (other, world.system, world.service):
            assert await delete(world, by, authenticator.id, 404) == "not-found"
        await delete(world, person, authenticator.id)
        assert await delete(world, person, authenticator.id, 404) == "not-found"
        assert await listed(world, person) == []


async def test_administrators_of_the_system_list_those_of_other_users(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        person, admin = await world.provider(north), await world.admin(north)
        authenticator = await an_authenticator(world, person)
        of_person = {"filter[user-id]": str(person.user_id)}
        assert await listed(world, admin) == []
        for by in (admin, world.service):
            assert (await listed(world, by, 403, **of_person))["code"] == "forbidden"
            assert (await listed(world, by, 403, **{"filter[user-id]": str(uuid4())}))["code"] == "forbidden"
        assert (await listed(world, world.service, 403))["code"] == "forbidden"
        assert [each for each, _ in await listed(world, world.system, 200, **of_person)] == [authenticator.id]
        assert await listed(world, world.system, 200, **{"filter[user-id]": str(uuid4())}) == []
        assert [each for each, _ in await listed(world, person, 200, **of_person)] == [authenticator.id]


@pytest.mark.parametrize("kind", ["impersonated", "synthetic"])
async def test_borrowed_sessions_change_no_second_factor(database_url: str, kind: Any) -> None:
    """Ruling K131."""
    async with a_world(database_url) as world:
        person = await world.provider(await world.organization())
        authenticator, borrowed = await an_enabled_authenticator(world, person), await world.borrowed(person, kind)
        other = await an_authenticator(world, person)
        refused = [
            (await world.post(PATH, {}, borrowed, 403))["errors"][0]["code"],
            (await enable(world, borrowed, other, 0, 403))["code"],
            (await act(world, borrowed, authenticator, "disable", 403))["code"],
            (await act(world, borrowed, authenticator, "recovery-codes", 403))["code"],
            await delete(world, borrowed, other.id, 403),
        ]
        assert set(refused) == {"impersonation-not-allowed"}
        assert await delete(world, borrowed, uuid4(), 404) == "not-found"
        assert len(await listed(world, borrowed)) == 2


async def test_idempotency_keys_are_ignored_where_secrets_are_shown(database_url: str) -> None:
    """Ruling K141."""
    async with a_world(database_url) as world:
        person = await world.provider(await world.organization())
        headers = {**person.bearer, "Idempotency-Key": "same"}
        ids = [(await world.client.post(PATH, headers=headers)).json()["data"]["id"] for _ in range(2)]
        assert ids[0] != ids[1]
        authenticator = await an_enabled_authenticator(world, person)
        body = {"password": PASSWORD}
        shown = [
            (await world.client.post(f"{authenticator.path}recovery-codes/", json=body, headers=headers)).json()
            for _ in range(2)
        ]
        codes = [each["data"]["attributes"]["recovery-codes"] for each in shown]
        assert not set(codes[0]) & set(codes[1])
