"""Adding users to organizations and removing them."""

import asyncio
from typing import Any
from uuid import uuid4

from domain.organizations.organizations import OPERATOR_ID
from tests.api.organizations.test_organizations import PATH, action, create, names, refused
from tests.support.world.product import Person, a_world, role_id


async def test_an_administrator_adds_a_readable_provider_by_id_or_address(database_url: str) -> None:
    async with a_world(database_url) as world:
        a, b = await world.organization("a"), await world.organization("b")
        ann, bob = await world.provider(a), await world.provider(a, "Bob@people.test")
        admin = await world.admin(a)
        for organization in (a, b):
            body = action(user_id=admin.user_id, role_id=role_id(organization, "org.admin"))
            assert await world.post(f"{PATH}{organization}/add-user/", body, world.system) is None
        await world.post(f"{PATH}{b}/add-user/", action(user_id=ann.user_id), admin)
        await world.post(f"{PATH}{b}/add-user/", action(email="bob@PEOPLE.test"), admin)
        assert await names(world, ann) == ["a", "b"]
        assert await names(world, bob) == ["a", "b"]


async def test_an_unreadable_user_is_answered_like_an_unknown_one(database_url: str) -> None:
    async with a_world(database_url) as world:
        a, b = await world.organization("a"), await world.organization("b")
        admin, stranger = await world.admin(a), await world.provider(b, "stranger@people.test")
        for operation in ("add-user", "remove-user"):
            path = f"{PATH}{a}/{operation}/"
            answers = [
                await refused(world, path, action(email=email), admin, "404 not-found")
                for email in ("stranger@people.test", "nobody@people.test")
            ]
            assert answers[0] == answers[1]
            assert answers[0][0]["source"]["pointer"] == "/data/attributes/email"
            await refused(world, path, action(user_id=stranger.user_id), admin, "404 not-found")
            await refused(world, path, action(user_id=uuid4()), world.system, "404 not-found")


async def test_a_participant_is_not_added(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin, patient = await world.admin(clinic), await world.patient(clinic)
        body = action(user_id=patient.user_id)
        await refused(world, f"{PATH}{clinic}/add-user/", body, admin, "409 user-is-participant")
        unshare = {"with": {"type": "organization", "id": str(clinic)}}
        await world.post(f"/v1/individuals/{patient.individual_id}/unshare/", unshare, patient)
        await world.post(f"{PATH}{clinic}/add-user/", body, world.system)
        assert len(await names(world, patient)) == 1


async def test_a_role_of_another_organization_is_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        a, b = await world.organization("a"), await world.organization("b")
        admin, ann = await world.admin(a), await world.provider(a)
        path = f"{PATH}{a}/add-user/"
        for role in (uuid4(), role_id(b, "org.admin")):
            (error,) = await refused(world, path, action(user_id=ann.user_id, role_id=role), admin, "404 not-found")
            assert error["source"]["pointer"] == "/data/attributes/role-id"
        body = action(user_id=ann.user_id, role_id=role_id(b, "org.admin"))
        await refused(world, path, body, world.system, "409 conflict")


async def test_exactly_one_of_address_and_id_names_the_user(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        path = f"{PATH}{uuid4()}/add-user/"
        await refused(world, path, action(), world.system, "400 missing-attribute")
        both = action(email="a@people.test", user_id=uuid4())
        await refused(world, path, both, world.system, "400 invalid-attribute")
        other = {"data": {**both["data"], "attributes": {"user-id": str(uuid4())}, "id": str(uuid4())}}
        await refused(world, path, other, world.system, "409 id-conflict")


async def test_services_staff_and_strangers_add_no_user(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, other = await world.organization(), await world.organization()
        ann, staff = await world.provider(clinic), await world.provider(OPERATOR_ID)
        for operation in ("add-user", "remove-user"):
            for by, status in ((world.service, 403), (ann, 403), (staff, 403), (await world.admin(other), 404)):
                await world.post(f"{PATH}{clinic}/{operation}/", action(user_id=ann.user_id), by, status)
            await world.post(f"{PATH}{uuid4()}/{operation}/", action(user_id=ann.user_id), world.system, 404)


async def test_only_system_administrators_add_users_to_the_operator_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        ann, colleague = await world.provider(clinic), await world.provider(clinic)
        body = action(user_id=ann.user_id, role_id=role_id(OPERATOR_ID, "org.admin"))
        await world.post(f"{PATH}{OPERATOR_ID}/add-user/", body, world.system)
        await refused(world, f"{PATH}{OPERATOR_ID}/add-user/", action(user_id=colleague.user_id), ann, "403 forbidden")
        system = action(user_id=ann.user_id, role_id=role_id(OPERATOR_ID, "carium.admin"))
        await world.post(f"{PATH}{OPERATOR_ID}/add-user/", system, world.system)
        await refused(world, PATH, create(), ann, "403 forbidden")  # the role alone does not make a user staff


async def test_leaving_ends_rights_roles_places_and_sessions_at_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        a, b = await world.organization("a"), await world.organization("b")
        admin, ann = await world.admin(a), await world.admin(a)
        patient = await world.patient(a)
        rosters: dict[str, Any] = {"leader-ids": [str(ann.user_id)], "individual-ids": [str(patient.individual_id)]}
        group = await world.group(a, **rosters)
        await world.post(f"{PATH}{b}/add-user/", action(user_id=ann.user_id), world.system)
        await world.get(f"/v1/individuals/{patient.individual_id}/", ann)
        await world.post(f"{PATH}{a}/remove-user/", action(user_id=ann.user_id), admin)
        await world.get(PATH, ann, 401)  # the session was in that organization
        again = await world.as_(ann.user_id)
        assert await names(world, again) == ["b"]
        await world.get(f"/v1/individuals/{patient.individual_id}/", again, 404)
        roles = await world.get("/v1/role-users/", admin, **{"role-id": str(role_id(a, "org.admin"))})
        assert [each["attributes"]["user"]["id"] for each in roles["data"]] == [str(admin.user_id)]
        await world.catch_up()
        leaders = await world.get("/v1/individual-group-leaders/", admin, **{"individual-group-id": str(group)})
        assert leaders["data"] == []
        logs = await world.get("/v1/individual-group-logs/", admin, **{"individual-group-id": str(group)})
        newest = logs["data"][0]["attributes"]
        assert (newest["event"], newest["subject"]) == ("remove", "leader")


async def test_a_user_added_while_leaving_has_no_entry_and_no_rights(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin, patient = await world.admin(clinic), await world.patient(clinic)
        people = [await world.provider(clinic) for _ in range(8)]
        group = await world.group(clinic, **_rosters(patient))
        sent: list[Any] = []
        for person in people:
            leaders = {"user-ids": [str(person.user_id)]}
            sent += [
                world.client.post(f"/v1/individual-groups/{group}/add-leaders/", json=leaders, headers=admin.bearer),
                world.client.post(
                    f"{PATH}{clinic}/remove-user/", json=action(user_id=person.user_id), headers=admin.bearer
                ),
            ]
        answers = await asyncio.gather(*sent)
        assert {answer.status_code for answer in answers[1::2]} == {201}
        assert {answer.status_code for answer in answers[::2]} <= {201, 404, 409}
        await world.catch_up()
        leaders_now = await world.get("/v1/individual-group-leaders/", admin, **{"individual-group-id": str(group)})
        assert leaders_now["data"] == []
        for person in people:
            await world.get(f"/v1/individuals/{patient.individual_id}/", await world.as_(person.user_id), 404)


def _rosters(patient: Person) -> dict[str, Any]:
    return {"individual-ids": [str(patient.individual_id)]}


async def test_removing_again_records_nothing_and_succeeds(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin, ann = await world.admin(clinic), await world.provider(clinic)
        path, body = f"{PATH}{clinic}/remove-user/", action(email=ann.email)
        positions = [
            (await world.client.post(path, json=body, headers=admin.bearer)).headers["X-Position"] for _ in range(2)
        ]
        assert positions[0] == positions[1]
        await world.post(f"{PATH}{clinic}/add-user/", body, admin)  # the organization still knows the user
        assert len(await names(world, await world.as_(ann.user_id))) == 1


async def test_no_caller_removes_the_last_administrator(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin = await world.admin(clinic)
        path, body = f"{PATH}{clinic}/remove-user/", action(user_id=admin.user_id)
        for by in (admin, world.system):
            await refused(world, path, body, by, "409 last-admin")
