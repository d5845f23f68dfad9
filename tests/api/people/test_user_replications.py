from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support.world.product import a_world

PATH = "/v1/user-replications/"


def body(user_id: UUID, service: str) -> dict[str, Any]:
    return {"data": {"type": "user-replications", "attributes": {"user-id": str(user_id), "service": service}}}


async def test_a_user_is_marked_once_per_service_and_listed_oldest_first(database_url: str) -> None:
    async with a_world(database_url) as world:
        ann = await world.patient(await world.organization())
        marks = [
            (await world.post(PATH, body(ann.user_id, service), world.service))["data"]
            for service in ("sked", "caredb", "drow")
        ]
        assert marks[0]["attributes"] | {"created-time": ""} == {
            "user-id": str(ann.user_id),
            "service": "sked",
            "created-time": "",
        }
        assert (await world.post(PATH, body(ann.user_id, "sked"), world.service))["data"] == marks[0]
        for by in (world.service, world.system):
            assert (await world.get(PATH, by, **{"user-id": str(ann.user_id)}))["data"] == marks
        page = await world.get(PATH, world.system, **{"user-id": str(ann.user_id), "page[limit]": 1, "page[offset]": 1})
        assert (page["data"], page["meta"]["page[total]"]) == (marks[1:2], 3)


async def test_an_unknown_user_is_not_found(database_url: str) -> None:
    async with a_world(database_url) as world:
        await world.post(PATH, body(uuid4(), "sked"), world.service, 404)
        answer = await world.get(PATH, world.service, 404, **{"user-id": str(uuid4())})
        assert answer["errors"][0]["source"] == {"parameter": "user-id"}


async def test_only_services_mark_and_only_they_and_system_administrators_look(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        ann, admin = await world.patient(clinic), await world.admin(clinic)
        for by in (ann, admin):
            await world.get(PATH, by, 403, **{"user-id": str(ann.user_id)})
        for by in (ann, admin, world.system):
            await world.post(PATH, body(ann.user_id, "sked"), by, 403)


@pytest.mark.parametrize("service", ["", "Sked", "a" * 65, "a b"])
async def test_an_invalid_service_name_is_refused(database_url: str, service: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        answer = await world.post(PATH, body(uuid4(), service), world.service, 400)
        assert answer["errors"][0]["source"] == {"pointer": "/data/attributes/service"}
