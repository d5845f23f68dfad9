"""Switching a session to another organization (semantics 7, rulings K49, K73, K139, K141, K144 and K145)."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import time_machine

from tests.api.sessions.test_lifetimes import named
from tests.api.sessions.test_sessions import bearer, code, log_in, whoami
from tests.api.sessions.test_tokens import read_token, refresh
from tests.support.world.product import Person, World, a_world


async def a_provider_of_both(world: World) -> tuple[Person, UUID, UUID]:
    """Return a provider of two organizations whose sessions begin in the first one, and the organizations."""
    north, south = await world.organization("north"), await world.organization("south")
    ann = await world.provider(north)
    await named(world, "add-user", south, ann)
    return ann, north, south


async def asked(
    world: World, token: str, user_id: UUID | str, organization_id: UUID, *, default: bool = False, **headers: str
) -> httpx2.Response:
    body = {"organization-id": str(organization_id), "set-default": default}
    path = f"/v1/users/{user_id}/switch-organization/"
    return await world.client.post(path, json=body, headers={**bearer(token), **headers})


async def switched(world: World, token: str, user_id: UUID | str, organization_id: UUID, **options: Any) -> Any:
    answer = await asked(world, token, user_id, organization_id, **options)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_switch_replaces_the_session_by_one_in_the_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann, _, south = await a_provider_of_both(world)
        former = await log_in(world, ann.email)
        answer = await asked(world, former["access-token"], ann.user_id, south)
        tokens = answer.json()
        assert sorted(tokens) == ["access-token", "id-token", "refresh-token"]
        assert answer.headers["cache-control"] == "no-store"
        known = (await whoami(world, tokens["access-token"]))["data"]
        assert known["organization-id"] == str(south)
        assert known["session-id"] != former["session-id"]
        assert code(await whoami(world, former["access-token"], 401)) == "session-revoked"
        assert code(await refresh(world, former["refresh-token"], 401)) == "not-authenticated"
        again = await refresh(world, tokens["refresh-token"])
        assert read_token(again["access-token"])["org"] == str(south)
        position = int(answer.headers["x-position"])
        at_least = {"X-At-Least-Position": str(position), **bearer(tokens["access-token"])}
        assert (await world.client.get(f"/v1/users/{ann.user_id}/", headers=at_least)).status_code == 200


async def test_later_sessions_begin_there_only_if_asked(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann, north, south = await a_provider_of_both(world)
        token = (await log_in(world, ann.email))["access-token"]
        path = f"/v1/users/{ann.user_id}/"
        for default, expected in ((False, north), (True, south)):
            tokens = await switched(world, token, ann.user_id, south, default=default)
            token = tokens["access-token"]
            shown = (await world.client.get(path, headers=bearer(token))).json()["data"]["attributes"]
            assert shown["default-organization-id"] == (str(south) if default else None)
            later = await log_in(world, ann.email)
            assert read_token(later["access-token"])["org"] == str(expected)


async def test_switching_to_the_current_organization_is_the_same(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann, north, _ = await a_provider_of_both(world)
        former = await log_in(world, ann.email)
        tokens = await switched(world, former["access-token"], ann.user_id, north)
        assert (await whoami(world, tokens["access-token"]))["data"]["organization-id"] == str(north)
        assert code(await whoami(world, former["access-token"], 401)) == "session-revoked"


async def test_the_new_session_has_the_remaining_lifetime(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann, _, south = await a_provider_of_both(world)
        former = await log_in(world, ann.email, **{"refresh-token-expiration-seconds": 1000})
        ends = await end_of(world, former["access-token"])
        with time_machine.travel(timedelta(seconds=600)):
            tokens = await switched(world, former["access-token"], ann.user_id, south)
            claims = read_token(tokens["access-token"])
            assert claims["exp"] - claims["iat"] <= 400
            assert await end_of(world, tokens["access-token"]) == ends
        with time_machine.travel(timedelta(seconds=1001)):
            assert code(await refresh(world, tokens["refresh-token"], 401)) == "not-authenticated"


@pytest.mark.parametrize(("sticky", "seconds"), [(True, 60), (False, 3600)])
async def test_the_new_session_is_as_sticky_as_the_former(database_url: str, sticky: bool, seconds: int) -> None:
    async with a_world(database_url) as world:
        ann, _, south = await a_provider_of_both(world)
        options = {"access-token-expiration-seconds": 60, "sticky-access-token-expiration": sticky}
        former = await log_in(world, ann.email, **options)
        tokens = await switched(world, former["access-token"], ann.user_id, south)
        for token in (tokens["access-token"], (await refresh(world, tokens["refresh-token"]))["access-token"]):
            claims = read_token(token)
            assert claims["exp"] - claims["iat"] == seconds


async def test_a_switched_session_keeps_the_time_and_method_of_its_login(database_url: str) -> None:
    """Rulings K6 and K73."""
    async with a_world(database_url) as world:
        ann, _, south = await a_provider_of_both(world)
        former = await log_in(world, ann.email)
        with time_machine.travel(timedelta(seconds=900)):
            tokens = await switched(world, former["access-token"], ann.user_id, south)
        login, later = read_token(former["id-token"]), read_token(tokens["id-token"])
        assert (later["auth_time"], later["amr"]) == (login["auth_time"], ["pwd"])
        assert later["iat"] - login["iat"] >= 900


async def test_an_impersonated_session_keeps_its_impersonator(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann, _, south = await a_provider_of_both(world)
        acting = await world.borrowed(ann, "impersonated")
        tokens = await switched(world, acting.token, ann.user_id, south)
        for token in (tokens["access-token"], tokens["id-token"]):
            claims = read_token(token)
            assert claims["impersonated-by"] == str(world.system.user_id)
            assert claims["act"] == {"sub": str(world.system.user_id)}
        await whoami(world, tokens["access-token"])
        own = world.tokens.verify(world.system.token).session_id
        await world.client.delete(f"/v1/sessions/{own}/", headers=world.system.bearer)
        assert code(await whoami(world, tokens["access-token"], 401)) == "session-revoked"


async def test_a_synthetic_session_cannot_be_switched(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann, _, south = await a_provider_of_both(world)
        acting = await world.borrowed(ann, "synthetic")
        answer = await asked(world, acting.token, ann.user_id, south)
        assert (answer.status_code, code(answer.json())) == (403, "impersonation-not-allowed")
        await whoami(world, acting.token)


async def test_only_ones_own_session_can_be_switched(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann, north, south = await a_provider_of_both(world)
        bob, eve = await world.provider(north), await world.provider(await world.organization())
        for person, refused in (
            (bob, (403, "forbidden")),
            (eve, (404, "not-found")),
            (world.service, (403, "forbidden")),
        ):
            answer = await asked(world, person.token, ann.user_id, south)
            assert (answer.status_code, code(answer.json())) == refused
        unknown = await asked(world, ann.token, uuid4(), south)
        assert (unknown.status_code, code(unknown.json())) == (404, "not-found")
        own = await asked(world, world.service.token, world.service.user_id, south)
        assert (own.status_code, code(own.json())) == (403, "forbidden")


async def test_only_own_active_organizations_can_be_switched_to(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann, _, south = await a_provider_of_both(world)
        others, closed = await world.organization(), await world.organization()
        await named(world, "add-user", closed, ann)
        await set_active(world, closed, active=False)
        await named(world, "remove-user", south, ann)
        patient = await world.patient(others)
        refusals = [
            await asked(world, person.token, person.user_id, organization_id)
            for person, organization_id in (
                (ann, others),
                (ann, closed),
                (ann, south),
                (ann, uuid4()),
                (patient, others),
            )
        ]
        assert len({answer.content for answer in refusals}) == 1
        assert {answer.status_code for answer in refusals} == {403}
        (error,) = refusals[0].json()["errors"]
        assert (error["code"], error["source"]) == ("not-in-organization", {"pointer": "/organization-id"})
        await whoami(world, ann.token)


async def test_both_attributes_are_required(database_url: str) -> None:
    """Ruling K150."""
    async with a_world(database_url) as world:
        ann, _, south = await a_provider_of_both(world)
        path = f"/v1/users/{ann.user_id}/switch-organization/"
        for body, missing in (
            ({"set-default": True}, "/organization-id"),
            ({"organization-id": str(south)}, "/set-default"),
        ):
            (error,) = (await world.post(path, body, ann, 400))["errors"]
            assert (error["code"], error["source"]) == ("missing-attribute", {"pointer": missing})


async def test_an_idempotency_key_is_ignored(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann, _, south = await a_provider_of_both(world)
        former = await log_in(world, ann.email)
        key = {"Idempotency-Key": "once"}
        first = await switched(world, former["access-token"], ann.user_id, south, **key)
        second = await switched(world, first["access-token"], ann.user_id, south, **key)
        assert second["access-token"] != first["access-token"]
        await whoami(world, second["access-token"])


async def test_one_of_two_racing_switches_of_a_session_wins(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann, north, south = await a_provider_of_both(world)
        former = await log_in(world, ann.email)
        targets = [north, south] * 4
        answers = await asyncio.gather(
            *(asked(world, former["access-token"], ann.user_id, target) for target in targets)
        )
        (won,) = (answer for answer in answers if answer.status_code == 201)
        assert {code(answer.json()) for answer in answers if answer.status_code != 201} == {"session-revoked"}
        await whoami(world, won.json()["access-token"])


async def test_members_of_an_inactive_organization_sign_in_without_it(database_url: str) -> None:
    """The current organization is another active one, or none (ruling K144)."""
    async with a_world(database_url) as world:
        ann, north, south = await a_provider_of_both(world)
        await set_active(world, north, active=False)
        assert (await current(world, ann))["organization-id"] == str(south)
        await set_active(world, south, active=False)
        assert (await current(world, ann))["organization-id"] is None
        await set_active(world, north, active=True)
        assert (await current(world, ann))["organization-id"] == str(north)


async def end_of(world: World, token: str) -> Any:
    path = f"/v1/sessions/{read_token(token)['sid']}/"
    return (await world.get(path, world.service))["data"]["attributes"]["expiration-time"]


async def current(world: World, person: Person) -> Any:
    return (await whoami(world, (await log_in(world, person.email))["access-token"]))["data"]


async def set_active(world: World, organization_id: UUID, *, active: bool) -> None:
    body = {"type": "organizations", "id": str(organization_id), "attributes": {"is-active": active}}
    await world.patch(f"/v1/organizations/{organization_id}/", {"data": body}, world.system)
