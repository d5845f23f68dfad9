"""Organization codes (rulings K3, K54, K55, K102 to K105, K144, K150)."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.organizations.organizations import OPERATOR_ID
from tests.api.organizations.templates import an_employee, changed, created, deactivated, each_of
from tests.support.world.product import Person, World, a_world

PATH = "/v1/organization-codes/"
INFO = "/v1/organization-code-info/"
KIND = "organization-codes"
SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
PAST, FUTURE = "2020-01-01 00:00:00", "2099-12-31 23:59:59"
ATTRIBUTES = "/data/attributes/"


async def a_code(
    world: World, organization_id: UUID, code: str = "North-1", by: Person | None = None, status: int = 201, **more: Any
) -> Any:
    body = created(KIND, id=code, organization_id=str(organization_id), **more)
    return await world.post(PATH, body, by or world.system, status)


async def named_clinic(world: World) -> UUID:
    attributes: dict[str, Any] = {"display-name": "The clinic"}
    return await world.organization("clinic", **attributes)


def refused(answer: Any) -> tuple[str, dict[str, str]]:
    (error,) = answer["errors"]
    return error["code"], error["source"]


async def test_an_administrator_creates_and_reads_a_code(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await named_clinic(world)
        admin, group = await world.admin(clinic), await world.group(clinic, "Newcomers")
        given: dict[str, Any] = {"enrollment_schema": SCHEMA, "expires_at": FUTURE, "individual_group_id": str(group)}
        made = (await a_code(world, clinic, by=admin, **given))["data"]
        assert made == {
            "type": KIND,
            "id": "North-1",
            "attributes": {
                "enrollment-schema": SCHEMA,
                "expires-at": FUTURE,
                "individual-group": {"id": str(group), "name": "Newcomers"},
                "organization": {"display-name": "The clinic", "id": str(clinic), "name": "clinic"},
                "sign-up-requests-count": 0,
            },
        }
        assert (await world.get(f"{PATH}North-1/", admin))["data"] == made


async def test_attributes_that_are_left_out_are_null(database_url: str) -> None:
    """Ruling K150."""
    async with a_world(database_url) as world:
        made = (await a_code(world, await world.organization()))["data"]["attributes"]
        assert [made[name] for name in ("expires-at", "enrollment-schema", "individual-group")] == [None] * 3


@pytest.mark.parametrize(
    ("name", "value"),
    each_of(
        {
            "id": ["abc", "x" * 21, "-abcd", "abcd-", "ab cd", "ab_cd", "äbcd", "abcd\n", None],
            "organization-id": [None, "x"],
            "expires-at": ["2099-01-01", PAST, 5],
            "individual-group-id": ["x"],
            "enrollment-schema": [
                "x",
                {},
                {"type": "array"},
                {"type": "object", "required": "age"},
                {"type": "object", "properties": {"a": {"pattern": "("}}},
                {"type": "object", "properties": {"a": {"$ref": "https://example.org/schema"}}},
                {"type": "object", "properties": {"a": {"$ref": "other.json"}}},
                {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}},
                {"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"},
                {"type": "object", "title": "x" * 65_536},
            ],
        }
    ),
)
async def test_bad_attributes_are_refused(database_url: str, name: str, value: Any) -> None:
    """Rulings K102 and K103."""
    async with a_world(database_url, projecting=False) as world:
        given = {"id": "North-1", "organization-id": str(await world.organization())} | {name: value}
        answer = await world.client.post(PATH, json=created(KIND, **given), headers=world.system.bearer)
        assert answer.status_code == 400, answer.text
        assert refused(answer.json()) == ("invalid-attribute", {"pointer": f"{ATTRIBUTES}{name}"})


@pytest.mark.parametrize("name", ["id", "organization-id"])
async def test_code_and_organization_are_required(database_url: str, name: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        given = {"id": "North-1", "organization-id": str(await world.organization())}
        del given[name]
        refusal = await world.post(PATH, created(KIND, **given), world.system, 400)
        assert refused(refusal) == ("missing-attribute", {"pointer": f"{ATTRIBUTES}{name}"})


async def test_the_client_gives_the_code_as_an_attribute_only(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        body = changed(KIND, "North-1", id="North-1", organization_id=str(await world.organization()))
        assert refused(await world.post(PATH, body, world.system, 403))[0] == "client-id-not-allowed"


async def test_an_expiry_in_the_past_is_judged_before_permission(database_url: str) -> None:
    """Rulings K102 and A10."""
    async with a_world(database_url, projecting=False) as world:
        clinic = await world.organization()
        expected = ("invalid-attribute", {"pointer": f"{ATTRIBUTES}expires-at"})
        for by in (await world.provider(clinic), await world.patient(clinic), await an_employee(world)):
            assert refused(await a_code(world, clinic, by=by, status=400, expires_at=PAST)) == expected
        assert refused(await a_code(world, uuid4(), status=400, expires_at=PAST)) == expected


async def test_a_code_is_unique_without_case_everywhere_and_for_ever(database_url: str) -> None:
    """Ruling K102."""
    async with a_world(database_url) as world:
        clinic, other = await world.organization(), await world.organization()
        await a_code(world, clinic, "North-1")
        taken = ("already-exists", {"pointer": f"{ATTRIBUTES}id"})
        for organization_id, code in ((clinic, "North-1"), (other, "NORTH-1"), (other, "north-1")):
            assert refused(await a_code(world, organization_id, code, status=409)) == taken
        assert (await world.client.delete(f"{PATH}north-1/", headers=world.system.bearer)).status_code == 204
        assert refused(await a_code(world, clinic, "nortH-1", status=409)) == taken


async def test_of_two_creations_of_one_code_one_succeeds(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        bodies = [created(KIND, id=code, organization_id=str(clinic)) for code in ("North-1", "north-1")]
        sent = (world.client.post(PATH, json=body, headers=world.system.bearer) for body in bodies)
        assert sorted(answer.status_code for answer in await asyncio.gather(*sent)) == [201, 409]


async def test_a_repeated_key_answers_with_the_same_code(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin = await world.admin(clinic)
        body = created(KIND, id="North-1", organization_id=str(clinic))
        keyed = {**admin.bearer, "Idempotency-Key": "once"}
        answers = [await world.client.post(PATH, json=body, headers=keyed) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json()["data"] == answers[1].json()["data"]


async def test_the_path_has_the_code_in_any_case(database_url: str) -> None:
    """Ruling K105; the document's id is compared likewise."""
    async with a_world(database_url) as world:
        await a_code(world, await world.organization())
        assert (await world.get(f"{PATH}nORTH-1/", world.system))["data"]["id"] == "North-1"
        answer = await world.patch(f"{PATH}NORTH-1/", changed(KIND, "north-1", expires_at=FUTURE), world.system)
        assert answer["data"]["id"] == "North-1"
        refusal = await world.patch(f"{PATH}NORTH-1/", changed(KIND, "north-2", expires_at=FUTURE), world.system, 409)
        assert refused(refusal) == ("id-conflict", {"pointer": "/data/id"})
        for unknown in ("North-2", "x", "%00", "a" * 300):
            assert refused(await world.get(f"{PATH}{unknown}/", world.system, 404)) == (
                "not-found",
                {"parameter": "id"},
            )


async def test_a_deleted_code_is_gone(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin = await world.admin(clinic)
        await a_code(world, clinic, by=admin)
        statuses = [await world.client.delete(f"{PATH}North-1/", headers=admin.bearer) for _ in range(2)]
        assert [answer.status_code for answer in statuses] == [204, 404]
        await world.get(f"{PATH}North-1/", admin, 404)
        await world.patch(f"{PATH}North-1/", changed(KIND, "North-1", expires_at=FUTURE), admin, 404)
        assert (await world.get(PATH, admin))["data"] == []


async def test_a_change_of_the_expiry_closes_and_opens_a_code(database_url: str) -> None:
    """Ruling K105."""
    async with a_world(database_url) as world:
        await a_code(world, await world.organization())
        for expires_at, status in ((PAST, 404), (None, 200), (FUTURE, 200), ("2020-01-01T00:00:00+01:00", 404)):
            body = changed(KIND, "North-1", expires_at=expires_at)
            await world.patch(f"{PATH}North-1/", body, world.system)
            assert (await world.client.get(f"{INFO}North-1/")).status_code == status
        (row,) = (await world.get(PATH, world.system))["data"]
        assert row["attributes"]["expires-at"] == "2019-12-31 23:00:00"


async def test_an_equal_value_records_nothing(database_url: str) -> None:
    async with a_world(database_url) as world:
        await a_code(world, await world.organization(), expires_at=FUTURE, enrollment_schema=SCHEMA)
        head = await world.identity.store.save()
        body = changed(KIND, "North-1", expires_at=FUTURE, enrollment_schema=SCHEMA, individual_group_id=None)
        await world.patch(f"{PATH}North-1/", body, world.system)
        assert await world.identity.store.save() == head


async def test_the_group_is_a_readable_active_regular_one_of_the_organization(database_url: str) -> None:
    """Ruling K104."""
    async with a_world(database_url) as world:
        clinic, other = await world.organization(), await world.organization()
        admin = await world.admin(clinic)
        both = await world.admin(clinic)
        role = (await world.get("/v1/roles/", world.system, 200, **{"organization-id": str(other)}))["data"][0]["id"]
        joining = created("organizations", user_id=str(both.user_id), role_id=role)
        await world.post(f"/v1/organizations/{other}/add-user/", joining, world.system)
        foreign, providers = await world.group(other), await world.group(clinic, type="provider_only")
        gone = await world.group(clinic)
        assert (await world.client.delete(f"/v1/individual-groups/{gone}/", headers=admin.bearer)).status_code == 204
        asked = {"organization-id": str(clinic), "type": "all_participants"}
        computed = (await world.get("/v2/individual-groups/", world.system, 200, **asked))["data"][0]["id"]
        await a_code(world, clinic, "Changes")
        for by, group, status, code in (
            (admin, uuid4(), 404, "not-found"),
            (admin, foreign, 404, "not-found"),
            (both, foreign, 409, "conflict"),
            (world.system, foreign, 409, "conflict"),
            (admin, providers, 409, "conflict"),
            (admin, computed, 409, "conflict"),
            (admin, gone, 409, "invalid-state"),
        ):
            expected = (code, {"pointer": f"{ATTRIBUTES}individual-group-id"})
            refusal = await a_code(world, clinic, by=by, status=status, individual_group_id=str(group))
            assert refused(refusal) == expected, (group, status)
            body = changed(KIND, "Changes", individual_group_id=str(group))
            assert refused(await world.patch(f"{PATH}Changes/", body, by, status)) == expected


async def test_null_takes_the_group_away(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        await a_code(world, clinic, individual_group_id=str(await world.group(clinic)))
        body = changed(KIND, "North-1", individual_group_id=None)
        answer = await world.patch(f"{PATH}North-1/", body, world.system)
        assert answer["data"]["attributes"]["individual-group"] is None


async def test_an_organization_of_staff_has_no_codes(database_url: str) -> None:
    """Ruling K3."""
    async with a_world(database_url) as world:
        staffed = await world.organization(classification="carium")
        for organization_id in (staffed, OPERATOR_ID):
            refusal = await a_code(world, organization_id, status=409)
            assert refused(refusal) == ("conflict", {"pointer": f"{ATTRIBUTES}organization-id"})


async def test_codes_of_an_organization_that_gets_staff_are_closed(database_url: str) -> None:
    """Ruling K3."""
    async with a_world(database_url) as world:
        clinic = await world.organization()
        await a_code(world, clinic)
        assert (await world.client.get(f"{INFO}North-1/")).status_code == 200
        body = changed("organizations", str(clinic), classification="carium")
        await world.patch(f"/v1/organizations/{clinic}/", body, world.system)
        assert (await world.client.get(f"{INFO}North-1/")).status_code == 404


async def test_the_list_has_the_codes_of_readable_organizations(database_url: str) -> None:
    """Rulings K54, K105 and D4: in the order of the codes without case, expired ones too, without paging."""
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        provider, stranger = await world.provider(north), await world.provider(await world.organization())
        employee, patient = await an_employee(world), await world.patient(north)
        for organization_id, code in ((north, "beta"), (north, "Alpha"), (south, "Aleph"), (north, "ALPI")):
            await a_code(world, organization_id, code)
        await world.patch(f"{PATH}beta/", changed(KIND, "beta", expires_at=PAST), world.system)

        async def listed(by: Person, **asked: str) -> list[str]:
            answer = await world.get(PATH, by, 200, **asked)
            total = len(answer["data"])
            assert answer["meta"] == answer["meta"] | {"page[limit]": total, "page[offset]": 0, "page[total]": total}
            return [row["id"] for row in answer["data"]]

        for reader in (employee, world.system, world.service):
            assert await listed(reader) == ["Aleph", "Alpha", "ALPI", "beta"]
        assert await listed(provider) == ["Alpha", "ALPI", "beta"]
        assert await listed(stranger) == []
        of_south = {"organization-id": str(south)}
        assert await listed(world.system, **of_south) == ["Aleph"]
        assert (
            await listed(provider, **of_south) == await listed(world.system, **{"organization-id": str(uuid4())}) == []
        )
        await world.get(PATH, patient, 403)
        await world.get(PATH, world.system, 400, **{"page[limit]": "1"})


async def test_codes_of_an_inactive_organization_are_for_administrators_of_the_system(database_url: str) -> None:
    """Rulings K105 and K144."""
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin, employee = await world.admin(clinic), await an_employee(world)
        await a_code(world, clinic)
        await deactivated(world, clinic)
        change = changed(KIND, "North-1", expires_at=FUTURE)
        for by in (admin, employee):
            await world.get(f"{PATH}North-1/", by, 404)
            await world.patch(f"{PATH}North-1/", change, by, 404)
            assert (await world.client.delete(f"{PATH}North-1/", headers=by.bearer)).status_code == 404
        assert (await world.get(PATH, employee))["data"] == []
        assert refused(await a_code(world, clinic, "North-2", admin, 404))[0] == "not-found"
        for by in (world.system, world.service):
            assert len((await world.get(PATH, by))["data"]) == 1
            await world.get(f"{PATH}North-1/", by)
        expected = ("invalid-state", {"pointer": f"{ATTRIBUTES}organization-id"})
        assert refused(await a_code(world, clinic, "North-2", status=409)) == expected
        assert refused(await world.patch(f"{PATH}North-1/", change, world.system, 409))[0] == "invalid-state"
        assert (await world.client.delete(f"{PATH}North-1/", headers=world.system.bearer)).status_code == 204
