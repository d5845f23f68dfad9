import asyncio
from typing import Any
from uuid import UUID, uuid4

from tests.support.world.product import World, a_world

PATH = "/v1/individuals/"


def create(individual_id: UUID, owner_id: UUID) -> dict[str, Any]:
    attributes = {"individual-id": str(individual_id), "owner-id": str(owner_id)}
    return {"data": {"type": "individuals", "attributes": attributes}}


def party(kind: str, party_id: UUID, **more: Any) -> dict[str, Any]:
    return {"with": {"type": kind, "id": str(party_id)}, **more}


async def in_unassigned(world: World, organization_id: UUID) -> set[str]:
    query = {"organization-id": str(organization_id), "type": "unassigned"}
    (group,) = (await world.get("/v2/individual-groups/", world.system, **query))["data"]
    rows = await world.get("/v1/individual-group-individuals/", world.system, **{"individual-group-id": group["id"]})
    return {row["attributes"]["individual"]["id"] for row in rows["data"]}


async def test_a_service_registers_an_individual_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, other = await world.organization(), await world.organization()
        wanted = uuid4()
        made = await world.post(PATH, create(wanted, clinic), world.service)
        assert made["data"] == {
            "type": "individuals",
            "id": str(wanted),
            "attributes": {"owner-id": str(clinic), "shared-with": []},
        }
        assert await world.post(PATH, create(wanted, clinic), world.service) == made
        answer = await world.post(PATH, create(wanted, other), world.service, 409)
        assert answer["errors"][0]["code"] == "already-exists"
        await world.post(PATH, create(uuid4(), uuid4()), world.service, 404)
        provider = await world.provider(clinic)
        answer = await world.post(PATH, create(uuid4(), provider.user_id), world.service, 409)
        assert answer["errors"][0]["code"] == "conflict"
        for by in (world.system, await world.admin(clinic), provider):
            await world.post(PATH, create(uuid4(), clinic), by, 403)
        missing = {"data": {"type": "individuals", "attributes": {"owner-id": str(clinic)}}}
        answer = await world.post(PATH, missing, world.service, 400)
        assert answer["errors"][0]["source"] == {"pointer": "/data/attributes/individual-id"}


async def test_readers_see_the_owner_and_writers_the_shares(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        patient, reader = await world.patient(clinic), await world.patient(clinic)
        path = f"{PATH}{patient.individual_id}/"
        await world.get(path, reader, 404)
        await world.post(f"{path}share/", party("user", reader.user_id, operation="read"), patient)
        shares = [
            {"type": "organization", "id": str(clinic), "operation": None},
            {"type": "user", "id": str(reader.user_id), "operation": "read"},
        ]
        for by, shown in (
            (patient, shares),
            (await world.admin(clinic), shares[:1]),  # of others the administrator is told nothing (ruling O9)
            (world.service, shares),
            (reader, None),
        ):
            attributes = (await world.get(path, by))["data"]["attributes"]
            assert attributes == {"owner-id": str(patient.user_id), "shared-with": shown}
        for by in (await world.provider(clinic), await world.admin(await world.organization())):
            await world.get(path, by, 404)


async def test_a_later_share_with_the_same_user_replaces_the_operation(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        patient, friend = await world.patient(clinic), await world.patient(clinic)
        path = f"{PATH}{patient.individual_id}/share/"
        for operation in ("read", "write", "write"):
            answer = await world.post(path, party("user", friend.user_id, operation=operation), patient)
            shares = answer["data"]["attributes"]["shared-with"]
            assert {"type": "user", "id": str(friend.user_id), "operation": operation} in shares
            assert len(shares) == 2
        answer = await world.post(path, party("user", friend.user_id), patient, 400)
        assert answer["errors"][0]["source"] == {"pointer": "/operation"}
        unchanged = await world.post(path, party("user", patient.user_id, operation="read"), patient)
        assert len(unchanged["data"]["attributes"]["shared-with"]) == 2


async def test_unsharing_ends_access_and_places_and_sharing_again_starts_with_none(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        patient, leader = await world.patient(clinic), await world.provider(clinic)
        rosters: dict[str, Any] = {"leader-ids": [str(leader.user_id)], "individual-ids": [str(patient.individual_id)]}
        group = await world.group(clinic, **rosters)
        path = f"{PATH}{patient.individual_id}/"
        await world.get(path, leader)
        await world.post(f"{path}unshare/", party("organization", clinic), patient)
        await world.get(path, leader, 404)
        await world.catch_up()
        logs = await world.get("/v1/individual-group-logs/", leader, **{"individual-group-id": str(group)})
        newest = logs["data"][0]["attributes"]
        assert (newest["event"], newest["subject"]) == ("remove", "individual")
        await world.post(f"{path}unshare/", party("organization", clinic), patient)
        await world.post(f"{path}share/", party("organization", clinic), patient)
        await world.get(path, leader, 404)
        await world.catch_up()
        assert str(patient.individual_id) in await in_unassigned(world, clinic)


async def test_only_the_owner_system_administrators_and_services_share(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, other = await world.organization(), await world.organization()
        patient, admin = await world.patient(clinic), await world.admin(clinic)
        stranger = await world.admin(await world.organization())
        theirs = await world.individual(clinic)
        for operation in ("share", "unshare"):
            his, its = f"{PATH}{patient.individual_id}/{operation}/", f"{PATH}{theirs}/{operation}/"
            for by, path, status in (
                (admin, his, 403),
                (stranger, his, 404),
                (world.system, his, 201),
                (world.service, his, 201),
                (patient, his, 201),
                (admin, its, 201),
                (patient, its, 404),
                (stranger, its, 404),
            ):
                await world.post(path, party("organization", other), by, status)
            await world.post(f"{PATH}{uuid4()}/{operation}/", party("organization", other), world.system, 404)
            for kind, unknown in (("organization", uuid4()), ("user", clinic), ("organization", patient.user_id)):
                body = party(kind, unknown, **({"operation": "read"} if operation == "share" else {}))
                answer = await world.post(his, body, patient, 404)
                assert answer["errors"][0]["source"] == {"pointer": "/with/id"}


async def test_a_providers_own_individual_is_not_shared(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        provider = await world.provider(clinic)
        path = f"{PATH}{provider.individual_id}/share/"
        answer = await world.post(path, party("organization", clinic), provider, 409)
        assert answer["errors"][0]["code"] == "invalid-state"


async def test_no_provider_has_two_individuals_after_a_race(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        for _ in range(8):
            ann = await world.patient(clinic)
            await world.post(f"{PATH}{ann.individual_id}/unshare/", party("organization", clinic), ann)
            joining = {"data": {"type": "organizations", "attributes": {"user-id": str(ann.user_id)}}}
            paths = ((PATH, create(uuid4(), ann.user_id), world.service),
                     (f"/v1/organizations/{clinic}/add-user/", joining, world.system))  # fmt: skip
            answers = await asyncio.gather(
                *(world.client.post(path, json=body, headers=by.bearer) for path, body, by in paths)
            )
            refused = [answer.json()["errors"][0]["code"] for answer in answers if answer.status_code == 409]
            assert sorted(answer.status_code for answer in answers) == [201, 409]
            assert refused[0] in {"conflict", "user-is-participant"}


async def test_many_individuals_of_one_person_may_be_registered_at_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann = await world.patient(await world.organization())
        bodies = [create(uuid4(), ann.user_id) for _ in range(24)]
        made = await asyncio.gather(*(world.post(PATH, body, world.service) for body in bodies))
        assert len({each["data"]["id"] for each in made}) == 24


async def test_an_id_that_something_else_has_is_as_good_as_any(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization_id = await world.organization()
        provider = await world.provider(organization_id)
        for taken in (organization_id, provider.user_id):
            attributes = {"individual-id": str(taken), "owner-id": str(organization_id)}
            body = {"data": {"type": "individuals", "attributes": attributes}}
            answer = await world.post("/v1/individuals/", body, world.service)
            assert answer["data"]["id"] == str(taken)
            found = await world.get(f"/v1/individuals/{taken}/", world.service)
            assert found["data"]["attributes"]["owner-id"] == str(organization_id)
