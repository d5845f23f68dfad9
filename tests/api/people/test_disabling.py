"""Disabling and enabling users (rulings K74, C7, E1 to E3)."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.api.people.test_codes import MISMATCH, ask, codes, refusal
from tests.api.people.test_contact_changes import an_invited_user
from tests.api.people.test_user_search import archive
from tests.api.people.test_users import listed, onboarded, refused
from tests.support.world.product import PASSWORD, a_world, role_id


async def test_disabling_takes_every_right_at_once_and_enabling_gives_it_back(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, doc = await world.admin(north), await world.provider(north)
        answer = await world.client.post(f"/v1/users/{doc.user_id}/disable/", headers=admin.bearer)
        assert answer.status_code == 201
        document = answer.json()["data"]
        assert (document["id"], document["attributes"]["enabled"]) == (str(doc.user_id), False)
        assert document["attributes"]["state"] == "disabled"
        position = int(answer.headers["x-position"])
        assert answer.json()["meta"]["position"] == position
        again = await world.client.post(f"/v1/users/{doc.user_id}/disable/", headers=admin.bearer)
        assert (again.status_code, int(again.headers["x-position"])) == (201, position)
        assert await refused(world, "GET", "/v1/users/", doc) == (401, "session-revoked")
        assert await listed(world, admin, **{"organization-id": str(north), "filter[enabled]": "false"}) == [
            doc.user_id
        ]
        enabled = (await world.post(f"/v1/users/{doc.user_id}/enable/", {}, admin))["data"]["attributes"]
        assert (enabled["state"], enabled["enabled"]) == ("confirmed", True)
        await world.post(f"/v1/users/{doc.user_id}/enable/", {}, admin)


async def test_administrators_disable_users_of_their_organizations(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        admin, doc, patient = await world.admin(north), await world.provider(north), await world.patient(north)
        both = await world.provider(north)
        adding = {"data": {"type": "organizations", "attributes": {"user-id": str(both.user_id)}}}
        await world.post(f"/v1/organizations/{south}/add-user/", adding, world.system)
        stranger = await world.admin(south)
        forbidden, unseen = (403, "forbidden"), (404, "not-found")
        for by, whom, expected in (
            (admin, patient, forbidden),
            (admin, both, forbidden),
            (doc, admin, forbidden),
            (doc, doc, forbidden),
            (patient, patient, forbidden),
            (stranger, doc, unseen),
            (patient, doc, unseen),
            (world.service, doc, forbidden),
            (admin, world.system, unseen),
            (admin, admin, (409, "invalid-state")),
            (world.system, world.system, (409, "invalid-state")),
            (world.system, world.service, unseen),
        ):
            assert await refused(world, "POST", f"/v1/users/{whom.user_id}/disable/", by) == expected
        for whom in (patient, both):
            await world.post(f"/v1/users/{whom.user_id}/disable/", {}, world.system)
            assert await refused(world, "POST", f"/v1/users/{whom.user_id}/enable/", admin) == forbidden


async def test_the_last_administrator_stays(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        first, second = await world.admin(north), await world.admin(north)
        await world.post(f"/v1/users/{second.user_id}/disable/", {}, first)
        assert await refused(world, "POST", f"/v1/users/{first.user_id}/disable/", world.system) == (409, "last-admin")
        await world.post(f"/v1/users/{second.user_id}/enable/", {}, first)
        await world.post(f"/v1/users/{first.user_id}/disable/", {}, world.system)
        assert await refused(world, "POST", f"/v1/users/{second.user_id}/disable/", world.system) == (409, "last-admin")


async def test_a_disabled_administrator_does_not_count_as_another_one(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, role = await world.admin(north), str(role_id(north, "org.admin"))
        for _ in range(8):
            doc = str((await world.provider(north)).user_id)
            granting = {"data": {"type": "role-users", "attributes": {"role-id": role, "user-id": doc}}}
            await asyncio.gather(
                world.post("/v1/role-users/", granting, admin),
                world.post(f"/v1/users/{doc}/disable/", {}, world.system),
            )
            leaving = {"data": {"type": "roles", "attributes": {"user-id": str(admin.user_id)}}}
            answer = await world.post(f"/v1/roles/{role}/remove-user/", leaving, world.system, 409)
            assert answer["errors"][0]["code"] == "last-admin"


async def test_a_user_disabled_before_confirmation_stays_unconfirmed(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        user_id = await onboarded(world, north, {"patient-email": "reg@people.test"}, at_once=False)
        for action, state in (("disable", "registered_disabled"), ("enable", "registered")):
            answer = await world.post(f"/v1/users/{user_id}/{action}/", {}, world.system)
            assert answer["data"]["attributes"]["state"] == state


async def test_a_user_who_has_not_signed_up_is_disabled_and_enabled(database_url: str) -> None:
    """Ruling K74."""
    async with a_world(database_url) as world:
        user_id = await an_invited_user(world, "init@people.test")
        for action, state in (("disable", "registered_disabled"), ("enable", "init")):
            answer = await world.post(f"/v1/users/{user_id}/{action}/", {}, world.system)
            assert answer["data"]["attributes"]["state"] == state


async def test_an_archived_user_is_neither_disabled_nor_enabled(database_url: str) -> None:
    """Rulings K74 and K143."""
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, doc = await world.people(north, "admin", "provider")
        await archive(world, doc.user_id)
        for action in ("disable", "enable"):
            path = f"/v1/users/{doc.user_id}/{action}/"
            assert await refused(world, "POST", path, world.system) == (409, "invalid-state")
            assert await refused(world, "POST", path, admin) == (404, "not-found")


async def test_a_code_does_nothing_while_its_user_is_disabled(database_url: str, tmp_path: Path) -> None:
    """Ruling K74: it stays, and works when they are enabled again."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        person = await world.patient(await world.organization(), "ann@people.test")
        await ask(world, "forgot-password", username="ann@people.test")
        (code,) = await codes(world, "ann@people.test", "forgot-password")
        reset = {"username": "ann@people.test", "confirmation_code": code, "password": "another-battery-staple-7"}
        await world.post(f"/v1/users/{person.user_id}/disable/", {}, world.system)
        assert await refusal(world, "confirm-forgot-password", **reset) == MISMATCH
        await world.post(f"/v1/users/{person.user_id}/enable/", {}, world.system)
        assert (await ask(world, "confirm-forgot-password", **reset)).is_success


@pytest.mark.parametrize("place", ["before the session is saved", "after it is saved"])
async def test_a_login_answered_after_disable_has_no_standing_session(
    database_url: str, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Ruling K142."""
    async with a_world(database_url, projecting=False) as world:
        doc = await world.provider(await world.organization())
        store = world.identity.sessions.sessions
        save = store.save

        async def save_while_disabled(*aggregates: Any, **options: Any) -> int:
            first, second = disable, partial(save, *aggregates, **options)
            if place == "after it is saved":
                first, second = second, first
            return max(await first() or 0, await second() or 0)

        async def disable() -> int:
            await world.post(f"/v1/users/{doc.user_id}/disable/", {}, world.system)
            return 0

        monkeypatch.setattr(store, "save", save_while_disabled)
        answer = await world.client.post("/v1/login/", json={"username": doc.email, "password": PASSWORD})
        assert answer.status_code == 201
        tokens = answer.json()
        monkeypatch.undo()
        await world.post(f"/v1/users/{doc.user_id}/enable/", {}, world.system)
        bearer = {"Authorization": f"Bearer {tokens['access-token']}"}
        assert (await world.client.post("/v1/authenticate/", headers=bearer)).status_code == 401
        body = {"refresh-token": tokens["refresh-token"]}
        assert (await world.client.post("/v1/refresh-token/", json=body)).status_code == 401
