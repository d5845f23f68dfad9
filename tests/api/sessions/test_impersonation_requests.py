"""Requests of staff to act as a user, and the sessions of which (rulings K60, K123, K128 to K131, K139, K141, K145)."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import time_machine

from domain.organizations.organizations import OPERATOR_ID
from domain.people.users import User
from tests.api.sessions.test_lifetimes import named
from tests.api.sessions.test_sessions import bearer, code, log_in, whoami
from tests.api.sessions.test_switching import set_active
from tests.api.sessions.test_tokens import read_token, refresh
from tests.support.world.product import Person, World, a_world

PATH = "/v1/impersonation-requests/"
DAY, THREE_HOURS = 24 * 3600, 10_800


async def asked(world: World, by: Person, user_id: UUID | str, status: int = 201) -> Any:
    body = {"data": {"type": "impersonation-requests", "attributes": {"user-id": str(user_id)}}}
    return await world.post(PATH, body, by, status)


async def requested(world: World, by: Person, user_id: UUID) -> str:
    return str((await asked(world, by, user_id))["data"]["id"])


async def impersonated(world: World, by: Person, request_id: str, status: int = 201, /, **lifetimes: int) -> Any:
    body = {f"{name}-token-expiration-seconds": seconds for name, seconds in lifetimes.items()}
    return await world.post(f"{PATH}{request_id}/impersonate/", body, by, status)


async def signed_in(world: World, person: Person) -> Person:
    """The person in a session that lasts for a month."""
    tokens = await log_in(world, person.email)
    return Person(person.user_id, person.individual_id, person.email, bearer(tokens["access-token"]))


async def shown(world: World, by: Person, request_id: str) -> Any:
    return (await world.get(f"{PATH}{request_id}/", by))["data"]["attributes"]


async def a_staff_member_and_a_provider(world: World) -> tuple[Person, Person]:
    staff = await signed_in(world, await world.provider(OPERATOR_ID))
    ann = await world.provider(await world.organization(), "ann@people.test")
    await world.catch_up()  # the requests show the address from a read model
    return staff, ann


async def test_a_request_is_approved_at_once_and_shown_to_all_staff(database_url: str) -> None:
    async with a_world(database_url) as world:
        staff, ann = await a_staff_member_and_a_provider(world)
        made = await asked(world, staff, ann.user_id)
        attributes = made["data"]["attributes"]
        assert attributes | {"created-at": ""} == {
            "created-at": "", "created-by": str(staff.user_id), "state": "approved",
            "user": {"id": str(ann.user_id), "email": "ann@people.test"},
        }  # fmt: skip
        assert await shown(world, world.system, made["data"]["id"]) == attributes
        again = await asked(world, staff, ann.user_id)
        assert again["data"]["id"] != made["data"]["id"]


async def test_the_list_is_filtered_and_begins_with_the_newest(database_url: str) -> None:
    async with a_world(database_url) as world:
        staff, ann = await a_staff_member_and_a_provider(world)
        bob = await world.patient(await world.organization(), "bob@people.test")
        first = await requested(world, staff, ann.user_id)
        second = await requested(world, world.system, bob.user_id)
        third = await requested(world, world.system, ann.user_id)

        async def listed(**filters: Any) -> list[str]:
            given = {f"filter[{name.replace('_', '-')}]": str(value) for name, value in filters.items()}
            document = await world.get(PATH, staff, 200, **given)
            assert document["meta"]["page[total]"] == document["meta"]["page[limit]"] == len(document["data"])
            return [each["id"] for each in document["data"]]

        assert await listed() == [third, second, first]
        assert await listed(created_by=world.system.user_id) == [third, second]
        assert await listed(user_id=ann.user_id) == [third, first]
        assert await listed(user_email="ANN@People.test") == [third, first]
        assert await listed(user_email="ann@people", user_id=ann.user_id) == []
        assert await listed(user_email="bob@people.test", created_by=world.system.user_id) == [second]
        assert await listed(user_id=uuid4()) == []


async def test_only_staff_see_and_create_requests(database_url: str) -> None:
    async with a_world(database_url) as world:
        staff, ann = await a_staff_member_and_a_provider(world)
        request_id = await requested(world, staff, ann.user_id)
        for person in (ann, world.service):
            await world.get(PATH, person, 403)
            assert code(await asked(world, person, ann.user_id, 403)) == "forbidden"
            for known in (request_id, str(uuid4())):
                await world.get(f"{PATH}{known}/", person, 404)
                await impersonated(world, person, known, 404)


async def test_unknown_users_cannot_be_impersonated(database_url: str) -> None:
    async with a_world(database_url) as world:
        (error,) = (await asked(world, world.system, uuid4(), 404))["errors"]
        assert (error["code"], error["source"]) == ("not-found", {"pointer": "/data/attributes/user-id"})


async def test_staff_services_and_oneself_cannot_be_impersonated(database_url: str) -> None:
    async with a_world(database_url) as world:
        staff, _ = await a_staff_member_and_a_provider(world)
        another = await world.provider(OPERATOR_ID)
        for user_id in (another.user_id, world.system.user_id, world.service.user_id, staff.user_id):
            (error,) = (await asked(world, staff, user_id, 403))["errors"]
            assert error["code"] == "impersonation-not-allowed"
            assert error["source"] == {"pointer": "/data/attributes/user-id"}


async def test_disabled_staff_and_services_cannot_be_impersonated(database_url: str) -> None:
    """Ruling K128."""
    async with a_world(database_url) as world:
        staff, _ = await a_staff_member_and_a_provider(world)
        another = await world.provider(OPERATOR_ID)
        await world.post(f"/v1/users/{another.user_id}/disable/", {}, world.system)
        service = await world.identity.store.get(User, world.service.user_id)
        service.disable()
        await world.identity.store.save(service)
        for user_id in (another.user_id, service.id):
            assert code(await asked(world, staff, user_id, 403)) == "impersonation-not-allowed"


async def test_a_request_about_now_disabled_staff_is_not_used(database_url: str) -> None:
    """Ruling K129."""
    async with a_world(database_url) as world:
        staff, ann = await a_staff_member_and_a_provider(world)
        request_id = await requested(world, staff, ann.user_id)
        await named(world, "add-user", OPERATOR_ID, ann)
        body = {"data": {"type": "users", "id": str(ann.user_id), "attributes": {"classification": "carium"}}}
        await world.patch(f"/v1/users/{ann.user_id}/", body, world.system)
        await world.post(f"/v1/users/{ann.user_id}/disable/", {}, world.system)
        assert code(await impersonated(world, staff, request_id, 403)) == "impersonation-not-allowed"


async def test_users_who_are_not_live_cannot_be_impersonated(database_url: str) -> None:
    async with a_world(database_url) as world:
        staff, ann = await a_staff_member_and_a_provider(world)
        await world.post(f"/v1/users/{ann.user_id}/disable/", {}, world.system)
        assert code(await asked(world, staff, ann.user_id, 409)) == "invalid-state"


async def test_the_answer_tells_who_acts_and_is_not_cached(database_url: str) -> None:
    """Ruling K129."""
    async with a_world(database_url) as world:
        staff, ann = await a_staff_member_and_a_provider(world)
        request_id = await requested(world, staff, ann.user_id)
        answer = await world.client.post(f"{PATH}{request_id}/impersonate/", headers=staff.bearer)
        assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
        tokens = answer.json()
        own = str(world.tokens.verify(staff.token).session_id)
        acting = {"id": str(staff.user_id), "email": staff.email, "session-id": own}
        assert (tokens["impersonated-by"], tokens["user-id"]) == (acting, str(ann.user_id))
        for token in (tokens["access-token"], tokens["id-token"]):
            claims = read_token(token)
            assert claims["impersonated-by"] == str(staff.user_id)
            assert claims["act"] == {"sub": str(staff.user_id)}
        assert "amr" not in read_token(tokens["id-token"])
        again = await refresh(world, tokens["refresh-token"])
        assert again["impersonated-by"] == acting
        assert read_token(again["access-token"])["act"] == {"sub": str(staff.user_id)}
        path = f"/v1/sessions/{tokens['session-id']}/"
        session = await world.get(path, world.system, 200, **{"include-login-info": "true"})
        assert session["data"]["attributes"]["login-info"]["impersonated-by"] == acting
        assert (await whoami(world, tokens["access-token"]))["data"]["user-id"] == str(ann.user_id)


async def test_a_request_is_used_by_its_creator_as_often_as_they_like(database_url: str) -> None:
    """Ruling K129."""
    async with a_world(database_url) as world:
        staff, ann = await a_staff_member_and_a_provider(world)
        request_id = await requested(world, staff, ann.user_id)
        assert code(await impersonated(world, world.system, request_id, 403)) == "forbidden"
        first = await impersonated(world, staff, request_id)
        assert (await shown(world, staff, request_id))["state"] == "used"
        second = await impersonated(world, staff, request_id)
        assert first["session-id"] != second["session-id"]
        for tokens in (first, second):
            await whoami(world, tokens["access-token"])


async def test_a_request_expires_after_a_day_even_if_it_was_used(database_url: str) -> None:
    async with a_world(database_url) as world:
        staff, ann = await a_staff_member_and_a_provider(world)
        used, unused = await requested(world, staff, ann.user_id), await requested(world, staff, ann.user_id)
        await impersonated(world, staff, used)
        with time_machine.travel(timedelta(seconds=DAY + 1)):
            later = await signed_in(world, staff)
            for request_id in (used, unused):
                assert (await shown(world, later, request_id))["state"] == "expired"
                assert code(await impersonated(world, later, request_id, 409)) == "invalid-state"


async def test_users_who_are_no_longer_live_or_now_staff_are_not_impersonated(database_url: str) -> None:
    """Ruling K129."""
    async with a_world(database_url) as world:
        staff, ann = await a_staff_member_and_a_provider(world)
        bob = await world.provider(OPERATOR_ID)
        await named(world, "add-user", await world.organization(), bob)
        await named(world, "remove-user", OPERATOR_ID, bob)
        of_ann, of_bob = await requested(world, staff, ann.user_id), await requested(world, staff, bob.user_id)
        await world.post(f"/v1/users/{ann.user_id}/disable/", {}, world.system)
        assert code(await impersonated(world, staff, of_ann, 409)) == "invalid-state"
        await named(world, "add-user", OPERATOR_ID, bob)
        assert code(await impersonated(world, staff, of_bob, 403)) == "impersonation-not-allowed"


@pytest.mark.parametrize(
    ("asked_for", "expected"),
    [({}, (3600, THREE_HOURS)), ({"access": 0, "refresh": 0}, (3600, THREE_HOURS)), ({"access": 60}, (60, THREE_HOURS)),
     ({"refresh": 100}, (100, 100))],
)  # fmt: skip
async def test_lifetimes_are_as_asked_and_zero_is_the_longest(
    database_url: str, asked_for: dict[str, int], expected: tuple[int, int]
) -> None:
    """Ruling K129."""
    async with a_world(database_url) as world:
        staff, ann = await a_staff_member_and_a_provider(world)
        tokens = await impersonated(world, staff, await requested(world, staff, ann.user_id), **asked_for)
        access, refreshed = expected
        claims = read_token(tokens["access-token"])
        assert access - 1 <= claims["exp"] - claims["iat"] <= access
        with time_machine.travel(timedelta(seconds=refreshed - 30)):
            claims = read_token((await refresh(world, tokens["refresh-token"]))["access-token"])
            assert claims["exp"] - claims["iat"] <= 30
        with time_machine.travel(timedelta(seconds=refreshed + 1)):
            assert code(await refresh(world, tokens["refresh-token"], 401)) == "not-authenticated"


@pytest.mark.parametrize("lifetimes", [{"access": 3601}, {"refresh": 10_801}, {"access": -1}])
async def test_longer_lifetimes_are_refused(database_url: str, lifetimes: dict[str, int]) -> None:
    async with a_world(database_url) as world:
        staff, ann = await a_staff_member_and_a_provider(world)
        request_id = await requested(world, staff, ann.user_id)
        (error,) = (await impersonated(world, staff, request_id, 400, **lifetimes))["errors"]
        assert error["source"] == {"pointer": f"/{next(iter(lifetimes))}-token-expiration-seconds"}


async def an_impersonation(world: World) -> tuple[Person, Person, Any]:
    """Return a staff member, the provider as whom they act, and the tokens."""
    staff, ann = await a_staff_member_and_a_provider(world)
    return staff, ann, await impersonated(world, staff, await requested(world, staff, ann.user_id))


async def ended(world: World, tokens: Any) -> bool:
    """Whether neither token of the session is accepted any more."""
    answer = await world.client.post("/v1/authenticate/", headers=bearer(tokens["access-token"]))
    again = await world.client.post("/v1/refresh-token/", json={"refresh-token": tokens["refresh-token"]})
    assert (answer.status_code, again.status_code) in {(401, 401), (201, 201)}
    if answer.status_code == 401:
        assert code(answer.json()) == "session-revoked"
    return answer.status_code == 401


async def test_the_logout_of_the_impersonator_ends_the_session_at_once(database_url: str) -> None:
    """Ruling K130."""
    async with a_world(database_url) as world:
        staff, _, tokens = await an_impersonation(world)
        other = await signed_in(world, staff)
        await world.client.delete(f"/v1/sessions/{read_token(other.token)['sid']}/", headers=other.bearer)
        assert not await ended(world, tokens)
        await world.client.delete(f"/v1/sessions/{read_token(staff.token)['sid']}/", headers=staff.bearer)
        assert await ended(world, tokens)


async def test_disabling_the_impersonator_ends_the_session_for_good(database_url: str) -> None:
    """Ruling K130."""
    async with a_world(database_url) as world:
        staff, _, tokens = await an_impersonation(world)
        for action in ("disable", "enable"):
            await world.post(f"/v1/users/{staff.user_id}/{action}/", {}, world.system)
            assert await ended(world, tokens), action


async def test_disabling_the_user_ends_the_session_at_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, ann, tokens = await an_impersonation(world)
        await world.post(f"/v1/users/{ann.user_id}/disable/", {}, world.system)
        assert await ended(world, tokens)


async def test_an_impersonator_who_is_no_longer_staff_has_no_session(database_url: str) -> None:
    """Ruling K130."""
    async with a_world(database_url) as world:
        staff, _, tokens = await an_impersonation(world)
        await named(world, "remove-user", OPERATOR_ID, staff)
        assert await ended(world, tokens)
        await named(world, "add-user", OPERATOR_ID, staff)
        assert await ended(world, tokens)


async def test_the_logout_of_the_impersonated_session_ends_nothing_else(database_url: str) -> None:
    async with a_world(database_url) as world:
        staff, _, tokens = await an_impersonation(world)
        path = f"/v1/sessions/{tokens['session-id']}/"
        answer = await world.client.delete(path, headers=bearer(tokens["access-token"]))
        assert answer.status_code == 204
        assert await ended(world, tokens)
        await whoami(world, staff.token)


async def test_the_session_lasts_no_longer_than_that_of_the_impersonator(database_url: str) -> None:
    """Ruling K130."""
    async with a_world(database_url) as world:
        staff, ann = await a_staff_member_and_a_provider(world)
        short = await log_in(world, staff.email, **{"refresh-token-expiration-seconds": 600})
        staff = Person(staff.user_id, None, staff.email, bearer(short["access-token"]))
        tokens = await impersonated(world, staff, await requested(world, staff, ann.user_id))
        claims = read_token(tokens["access-token"])
        assert claims["exp"] - claims["iat"] <= 600
        with time_machine.travel(timedelta(seconds=601)):
            assert code(await refresh(world, tokens["refresh-token"], 401)) == "not-authenticated"


async def test_events_of_the_session_name_both_people(database_url: str) -> None:
    async with a_world(database_url) as world:
        staff = await signed_in(world, await world.provider(OPERATOR_ID))
        north = await world.organization()
        admin, bob = await world.admin(north), await world.provider(north)
        tokens = await impersonated(world, staff, await requested(world, staff, admin.user_id))
        answer = await world.client.post(f"/v1/users/{bob.user_id}/disable/", headers=bearer(tokens["access-token"]))
        assert answer.status_code == 201
        async with world.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT actor, convert_from(state, 'utf8') FROM events WHERE topic = 'user.disabled'"
            )
            ((actor, state),) = await cursor.fetchall()
        assert actor == admin.user_id
        assert all(each in state for each in (tokens["session-id"], str(staff.user_id)))


async def test_borrowed_sessions_neither_ask_for_nor_use_impersonations(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann = await world.provider(await world.organization())
        for kind in ("impersonated", "synthetic"):
            acting = await world.borrowed(ann, "impersonated" if kind == "impersonated" else "synthetic")
            assert code(await asked(world, acting, uuid4(), 403)) == "impersonation-not-allowed"
            await impersonated(world, acting, str(uuid4()), 404)
        staff = await world.provider(OPERATOR_ID)
        request_id = await requested(world, staff, ann.user_id)
        acting = await world.borrowed(staff, "synthetic")
        assert code(await impersonated(world, acting, request_id, 403)) == "impersonation-not-allowed"


async def test_creation_knows_idempotency_keys_and_impersonation_does_not(database_url: str) -> None:
    async with a_world(database_url) as world:
        staff, ann = await a_staff_member_and_a_provider(world)
        body = {"data": {"type": "impersonation-requests", "attributes": {"user-id": str(ann.user_id)}}}
        headers = {**staff.bearer, "Idempotency-Key": "once"}

        async def sent(path: str, body: Any) -> httpx2.Response:
            return await world.client.post(path, json=body, headers=headers)

        first, second = await sent(PATH, body), await sent(PATH, body)
        assert first.json() == second.json()
        path = f"{PATH}{first.json()['data']['id']}/impersonate/"
        assert (await sent(path, {})).json()["session-id"] != (await sent(path, {})).json()["session-id"]


async def test_the_session_is_in_the_users_active_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        staff = await signed_in(world, await world.provider(OPERATOR_ID))
        north = await world.organization()
        ann = await world.provider(north)
        request_id = await requested(world, staff, ann.user_id)
        assert read_token((await impersonated(world, staff, request_id))["access-token"])["org"] == str(north)
        await set_active(world, north, active=False)
        assert read_token((await impersonated(world, staff, request_id))["access-token"])["org"] is None


async def test_impersonation_is_no_login_of_the_user(database_url: str) -> None:
    async with a_world(database_url) as world:
        staff = await signed_in(world, await world.provider(OPERATOR_ID))
        patient = await world.patient(await world.organization())
        await log_in(world, patient.email)
        path = f"/v1/users/{patient.user_id}/"
        before = (await world.get(path, world.system))["data"]["attributes"]["last-login-time"]
        with time_machine.travel(timedelta(seconds=90)):
            later = await signed_in(world, staff)
            await impersonated(world, later, await requested(world, later, patient.user_id))
        assert (await world.get(path, world.system))["data"]["attributes"]["last-login-time"] == before
