"""Agreements to service documents at logins and refreshes (rulings K50, K90, K112, K113, K137, K140 and K148)."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from tests.api.onboarding.test_service_documents import add
from tests.api.organizations.templates import an_employee, deactivated
from tests.api.people.test_codes import NEW_PASSWORD, ask, codes, log_in, registered
from tests.api.sessions.test_impersonation_requests import impersonated, requested
from tests.api.sessions.test_internal_auth import enter, proof
from tests.support.authenticators import a_recorded_authenticator
from tests.support.world.product import PASSWORD, Person, World, a_world

REQUIRED = "service-documents-required"
POINTER = "/service-document-agreements/"


async def attempt(world: World, person: Person, *agreements: str, **more: Any) -> httpx2.Response:
    """The answer to a login."""
    body = {"username": person.email, "password": PASSWORD, "service-document-agreements": list(agreements), **more}
    return await world.client.post("/v1/login/", json=body)


def missing(answer: httpx2.Response) -> list[str]:
    """The documents without which somebody is not let in; none when they are."""
    if answer.status_code == 201:
        return []
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"], error["source"]) == (403, REQUIRED, {}), answer.text
    found: list[str] = error["meta"]["service-documents"]
    assert found
    return found


async def required(world: World, person: Person) -> list[str]:
    return missing(await attempt(world, person))


async def refresh(world: World, login: httpx2.Response, **more: Any) -> httpx2.Response:
    body = {"refresh-token": login.json()["refresh-token"], **more}
    return await world.client.post("/v1/refresh-token/", json=body)


async def forget(world: World, by: Person, user_id: UUID) -> httpx2.Response:
    path = f"/v1/users/{user_id}/delete-service-document-agreements/"
    return await world.client.post(path, headers=by.bearer)


async def recorded(world: World) -> int:
    """The number of events in both logs."""
    async with world.pool.connection() as connection:
        cursor = await connection.execute("SELECT sum(position) FROM log_head")
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


async def stored(world: World) -> list[tuple[UUID, str]]:
    async with world.pool.connection() as connection:
        cursor = await connection.execute("SELECT user_id, document_id::text FROM service_document_agreements")
        return await cursor.fetchall()


async def test_the_latest_documents_of_all_and_of_ones_organizations_are_required(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south, closed = [await world.organization() for _ in range(3)]
        doc, patient = await world.provider(north), await world.patient(south)
        await add(world, "1")
        of_all = await add(world, "2")
        privacy = await add(world, "1", type="privacy")
        await add(world, "1", organization_id=str(north))
        of_north = await add(world, "2", organization_id=str(north))
        of_south = await add(world, "1", organization_id=str(south))
        assert await required(world, doc) == [of_north, privacy, of_all]
        assert await required(world, patient) == [of_south, privacy, of_all]
        further = await world.individual(patient.user_id)
        share = {"with": {"type": "organization", "id": str(closed)}, "operation": "read"}
        await world.post(f"/v1/individuals/{further}/share/", share, patient)
        of_closed = await add(world, "1", organization_id=str(closed))
        assert await required(world, patient) == [of_closed, of_south, privacy, of_all]
        await deactivated(world, closed)
        assert await required(world, patient) == [of_south, privacy, of_all]


async def test_system_administrators_have_to_agree_and_services_do_not(database_url: str) -> None:
    async with a_world(database_url) as world:
        terms = await add(world)
        assert await required(world, world.system) == [terms]
        assert (await attempt(world, world.system, terms)).status_code == 201
        assert (await enter(world, proof()))["token-type"] == "Bearer"  # services have to agree to nothing


async def test_a_user_who_agrees_is_let_in_and_not_asked_again(database_url: str) -> None:
    async with a_world(database_url) as world:
        doc = await world.provider(await world.organization())
        terms, privacy = await add(world), await add(world, type="privacy")
        answer = await attempt(world, doc, terms)
        assert missing(answer) == [privacy]
        assert (answer.headers["content-type"], "X-Position" in answer.headers) == ("application/vnd.api+json", False)
        assert await required(world, doc) == [privacy, terms]  # the login failed, so nothing was stored
        assert await stored(world) == []
        assert missing(await attempt(world, doc, privacy, terms, privacy)) == []
        assert sorted(await stored(world)) == sorted([(doc.user_id, terms), (doc.user_id, privacy)])
        assert await required(world, doc) == []
        newer = await add(world, "2")
        assert await required(world, doc) == [newer]


async def test_agreeing_again_records_nothing(database_url: str) -> None:
    async with a_world(database_url) as world:
        doc = await world.provider(await world.organization())
        terms = await add(world)
        await attempt(world, doc, terms)
        before = await recorded(world)
        assert (await attempt(world, doc, terms)).status_code == 201
        assert await recorded(world) == before + 1  # the session


async def test_logins_at_the_same_time_store_an_agreement_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        doc = await world.provider(await world.organization())
        terms = await add(world)
        answers = await asyncio.gather(*(attempt(world, doc, terms) for _ in range(5)))
        assert [answer.status_code for answer in answers] == [201] * 5
        assert await stored(world) == [(doc.user_id, terms)]
        async with world.pool.connection() as connection:
            events = "SELECT count(*) FROM events WHERE topic = 'agreed-documents.agreed'"
            row = await (await connection.execute(events)).fetchone()
            assert row == (1,)


async def test_any_latest_document_can_be_agreed_to(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        doc = await world.provider(north)
        of_south = await add(world, organization_id=str(south))
        assert (await attempt(world, doc, of_south)).status_code == 201
        assert await stored(world) == [(doc.user_id, of_south)]
        adding = {"data": {"type": "organizations", "attributes": {"user-id": str(doc.user_id)}}}
        await world.post(f"/v1/organizations/{south}/add-user/", adding, world.system)
        assert await required(world, doc) == []


async def test_obsolete_and_unknown_documents_are_refused_with_their_places(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        doc = await world.provider(north)
        obsolete, latest = await add(world), await add(world, "2")
        former = await add(world, organization_id=str(north))
        await add(world, "2", organization_id=str(north))
        closed = await add(world, organization_id=str(south))
        await deactivated(world, south)
        before = await recorded(world)
        for interactive in (True, False):
            sent = [latest, obsolete, latest, str(uuid4()), former, closed]
            answer = await attempt(world, doc, *sent, interactive=interactive)
            errors = [(each["code"], each["source"]["pointer"], each["status"]) for each in answer.json()["errors"]]
            assert errors == [("invalid-attribute", f"{POINTER}{place}", 400) for place in (1, 3, 4, 5)]
        assert (await recorded(world), await stored(world)) == (before, [])


async def test_documents_are_told_after_the_right_password_and_state_only(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        doc = await world.provider(north)
        terms = await add(world)
        for wrong in ({"password": "wrong"}, {"service-document-agreements": [str(uuid4())], "password": "wrong"}):
            answer = await attempt(world, doc, **wrong)
            assert [error["code"] for error in answer.json()["errors"]] == ["invalid-credentials"]
        await world.post(f"/v1/users/{doc.user_id}/disable/", None, world.system)
        answer = await attempt(world, doc, terms)
        assert [error["code"] for error in answer.json()["errors"]] == ["user-disabled"]
        assert await stored(world) == []


async def test_the_second_factor_is_asked_for_before_documents(database_url: str) -> None:
    """K120: and a login that is refused for documents uses up no code."""
    async with a_world(database_url, projecting=False) as world:
        doc = await world.provider(await world.organization())
        authenticator = await a_recorded_authenticator(world, doc.user_id, enabled=True)
        terms = await add(world)
        for code, refused in ((None, "totp-required"), ("000000", "totp-invalid")):
            answer = await attempt(world, doc, terms, **({} if code is None else {"totp-code": code}))
            assert [error["code"] for error in answer.json()["errors"]] == [refused]
        assert await stored(world) == []
        code = authenticator.code()
        assert missing(await attempt(world, doc, **{"totp-code": code})) == [terms]
        assert (await attempt(world, doc, terms, **{"totp-code": code})).status_code == 201


async def test_a_login_without_a_person_needs_no_agreement_but_records_it(database_url: str) -> None:
    async with a_world(database_url) as world:
        doc = await world.provider(await world.organization())
        terms, privacy = await add(world), await add(world, type="privacy")
        assert (await attempt(world, doc, interactive=False)).status_code == 201
        assert (await attempt(world, doc, terms, interactive=False)).status_code == 201
        assert await required(world, doc) == [privacy]


async def test_a_refresh_asks_for_agreements_if_a_person_is_present(database_url: str) -> None:
    async with a_world(database_url) as world:
        doc = await world.provider(await world.organization())
        login = await attempt(world, doc)
        terms = await add(world)
        before = await recorded(world)
        assert missing(await refresh(world, login, interactive=True)) == [terms]
        assert await recorded(world) == before
        for more in ({}, {"interactive": False}):
            assert (await refresh(world, login, **more)).status_code == 201
        assert (await attempt(world, doc, terms)).status_code == 201
        assert (await refresh(world, login, interactive=True)).status_code == 201
        wrong = {"refresh-token": f"{uuid4().hex}.wrong", "interactive": True}
        assert (await world.client.post("/v1/refresh-token/", json=wrong)).status_code == 401


async def test_a_code_opens_no_session_while_documents_are_missing(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        await registered(world, "ann@people.test")
        terms = await add(world)
        await ask(world, "resend-confirmation", username="ann@people.test")
        (code,) = await codes(world, "ann@people.test", "verify-email")
        named = {"username": "ann@people.test", "login": True}
        confirmed = await ask(world, "confirm-sign-up", confirmation_code=code, **named)
        await ask(world, "forgot-password", username="ann@people.test")
        (code,) = await codes(world, "ann@people.test", "forgot-password")
        reset = await ask(world, "confirm-forgot-password", confirmation_code=code, password=NEW_PASSWORD, **named)
        for answer in (confirmed, reset):
            assert answer.status_code == 201, answer.text
            refused = answer.json()["login-error"]
            assert (refused["code"], refused["status"]) == (REQUIRED, 403)
            assert "access-token" not in answer.json()
        # the confirmation and the new password stay
        assert await log_in(world, "ann@people.test", NEW_PASSWORD) == 403
        body = {"username": "ann@people.test", "password": NEW_PASSWORD, "service-document-agreements": [terms]}
        assert (await world.client.post("/v1/login/", json=body)).status_code == 201


async def test_agreements_do_not_change_when_a_user_was_modified(database_url: str) -> None:
    async with a_world(database_url) as world:
        doc = await world.provider(await world.organization())
        await world.catch_up()
        path = f"/v1/users/{doc.user_id}/"
        before = (await world.get(path, world.system))["data"]["attributes"]["last-modified-time"]
        await attempt(world, doc, await add(world))
        await world.catch_up()
        assert (await world.get(path, world.system))["data"]["attributes"]["last-modified-time"] == before


async def test_staff_forget_their_own_agreements_and_keep_their_sessions(database_url: str) -> None:
    async with a_world(database_url) as world:
        terms = await add(world)
        login = await attempt(world, world.system, terms)
        answer = await forget(world, world.system, world.system.user_id)
        assert (answer.status_code, answer.json()) == (201, None)
        assert int(answer.headers["X-Position"]) > 0
        assert await required(world, world.system) == [terms]
        bearer = {"Authorization": f"Bearer {login.json()['access-token']}"}
        own = await world.client.get(f"/v1/users/{world.system.user_id}/", headers=bearer)
        assert own.status_code == 200
        assert (await refresh(world, login)).status_code == 201
        assert (await attempt(world, world.system, terms)).status_code == 201
        assert await stored(world) == [(world.system.user_id, terms)]


async def test_forgetting_what_was_never_agreed_records_nothing(database_url: str) -> None:
    async with a_world(database_url) as world:
        before = await recorded(world)
        assert (await forget(world, world.system, world.system.user_id)).status_code == 201
        assert await recorded(world) == before
        await attempt(world, world.system, await add(world))
        await forget(world, world.system, world.system.user_id)
        before = await recorded(world)
        assert (await forget(world, world.system, world.system.user_id)).status_code == 201
        assert await recorded(world) == before


async def test_agreements_of_other_users_are_not_forgotten(database_url: str) -> None:
    async with a_world(database_url) as world:
        doc = await world.provider(await world.organization())
        await attempt(world, doc, await add(world))
        for by, user_id, status, code in (
            (world.system, doc.user_id, 403, "forbidden"),
            (world.service, doc.user_id, 403, "forbidden"),
            (doc, doc.user_id, 403, "forbidden"),
            (world.system, uuid4(), 404, "not-found"),
            (doc, world.system.user_id, 404, "not-found"),
        ):
            answer = await forget(world, by, user_id)
            assert (answer.status_code, [each["code"] for each in answer.json()["errors"]]) == (status, [code])
        assert len(await stored(world)) == 1


@pytest.mark.parametrize("kind", ["impersonated", "synthetic"])
async def test_borrowed_sessions_of_staff_forget_no_agreements(database_url: str, kind: Any) -> None:
    async with a_world(database_url) as world:
        acting = await world.borrowed(world.system, kind)
        answer = await forget(world, acting, world.system.user_id)
        found = [error["code"] for error in answer.json()["errors"]]
        assert (answer.status_code, found) == (403, ["impersonation-not-allowed"])


async def test_staff_agree_like_other_users(database_url: str) -> None:
    """Ruling K112."""
    async with a_world(database_url) as world:
        staff = await an_employee(world)
        terms = await add(world)
        assert await required(world, staff) == [terms]
        login = await attempt(world, staff, terms)
        assert (await refresh(world, login, interactive=True)).status_code == 201


async def test_an_impersonated_session_needs_no_agreement(database_url: str) -> None:
    """Ruling K112."""
    async with a_world(database_url) as world:
        staff, doc = await an_employee(world), await world.provider(await world.organization())
        opened = await impersonated(world, staff, await requested(world, staff, doc.user_id))
        terms = await add(world)
        assert await required(world, doc) == [terms]
        body = {"refresh-token": opened["refresh-token"], "interactive": True}
        assert (await world.client.post("/v1/refresh-token/", json=body)).status_code == 201
