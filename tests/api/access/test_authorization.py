"""Who may ask the authorization operations what, and how they refuse. What they answer: tests/authorization."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support.world.product import Person, World, a_world

CHECK = "/v1/authz-resource-access/"
BULK = "/v1/bulk-authz-resource-access/"
ACCESSIBLE = "/v1/authz-get-accessible-resources/"
INDIVIDUALS = "/v1/authz-individuals/"
ACCESSORS = "/v1/authz-resource-accessors/"
STATUS = "/v1/authz-user-status/"


def about(user_id: UUID, *queries: str) -> dict[str, Any]:
    return {"user-id": str(user_id), "access-query": list(queries)}


def in_bulk(queries: list[str], *user_ids: UUID, **more: Any) -> dict[str, Any]:
    return {"multi-user-ids": {"access-query": queries, "user-ids": [str(each) for each in user_ids], **more}}


def of(*individuals: UUID | None, **more: Any) -> dict[str, Any]:
    asked = {"resource-type": "individual", "operation": "read", "resource-id": [str(each) for each in individuals]}
    return asked | {name.replace("_", "-"): str(value) for name, value in more.items()}


async def refused(world: World, path: str, body: Any, by: Person, status: int) -> tuple[str, dict[str, str]]:
    (error,) = (await world.post(path, body, by, status))["errors"]
    return error["code"], error["source"]


async def test_users_ask_about_themselves_and_unlimited_callers_about_all(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        ann, patient, admin = await world.provider(clinic), await world.patient(clinic), await world.admin(clinic)
        query = f"organization:{clinic}:read"
        asked = {"user-id": str(ann.user_id), "operation": "read"}
        for by in (ann, world.system, world.service):
            assert await world.post(CHECK, about(ann.user_id, query), by) == {"allow": True}
            assert (await world.post(BULK, in_bulk([query], ann.user_id), by))["access-queries"] == [
                {"access-query": [query], "allow": True, "user-id": str(ann.user_id)}
            ]
            ids = (await world.post(ACCESSIBLE, about(ann.user_id, "individual::read"), by))["resource-ids"]
            assert ids == [str(ann.individual_id)]
            assert (await world.get(INDIVIDUALS, by, **asked))["resource-ids"] == ids
            await world.get(f"{STATUS}{ann.user_id}/", by)
        for by in (patient, admin):
            await world.post(CHECK, about(ann.user_id, query), by, 403)
            await world.post(BULK, in_bulk([query], by.user_id, ann.user_id), by, 403)
            await world.post(ACCESSIBLE, about(ann.user_id, query), by, 403)
            await world.get(INDIVIDUALS, by, 403, **asked)
            await world.get(f"{STATUS}{ann.user_id}/", by, 404)
        unknown = uuid4()
        assert await world.post(CHECK, about(unknown, query), world.service) == {"allow": False}
        assert (await world.post(ACCESSIBLE, about(unknown, "group::read"), world.system))["resource-ids"] == []
        await world.get(f"{STATUS}{unknown}/", world.service, 404)
        await world.get(f"{STATUS}ann/", world.service, 400)


async def test_a_revoked_session_is_refused_before_anything_else_of_a_check(database_url: str) -> None:
    """A check looks up its session in the statement of the decision, after the body was read."""
    async with a_world(database_url) as world:
        clinic = await world.organization()
        ann = await world.provider(clinic)
        await world.post(f"/v1/users/{ann.user_id}/disable/", {}, world.system)
        own = about(ann.user_id, f"organization:{clinic}:read")
        requests: list[dict[str, Any]] = [
            {"json": own},
            {"json": about(world.system.user_id, f"organization:{clinic}:read")},
            {"json": {}},
            {"json": own | {"unknown": "x" * 20_000}},
            {"content": b"{", "headers": {"Content-Type": "application/json"}},
            {"content": b"x", "headers": {"Content-Type": "text/plain"}},
            {"json": own, "headers": {"Accept": "text/html"}},
            {"json": own, "headers": {"X-At-Least-Position": str(2**62)}},
        ]
        for request in requests:
            headers = ann.bearer | request.pop("headers", {})
            answer = await world.client.post(CHECK, headers=headers, **request)
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (401, "session-revoked"), request


async def test_accessors_are_shown_to_administrators_and_unlimited_callers(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, other = await world.organization(), await world.organization()
        admin, ann, patient = await world.admin(clinic), await world.provider(clinic), await world.patient(clinic)
        stranger = await world.patient(other)
        mine = [{"id": str(admin.user_id)}]
        answer = await world.get(ACCESSORS, admin, **of(patient.individual_id, organization_id=clinic))
        assert answer["data"] == mine
        assert answer["meta"].items() >= {"page[limit]": 5000, "page[offset]": 0, "page[total]": 1}.items()
        # administrators learn of foreign resources only that none of their providers has access
        answer = await world.get(ACCESSORS, admin, **of(stranger.individual_id, organization_id=clinic))
        assert answer["data"] == []
        await world.get(ACCESSORS, admin, 403, **of(patient.individual_id))
        await world.get(ACCESSORS, admin, 403, **of(patient.individual_id, organization_id=other))
        for by in (ann, patient):
            await world.get(ACCESSORS, by, 403, **of(patient.individual_id, organization_id=clinic))
        for by in (world.system, world.service):
            everybody = {row["id"] for row in (await world.get(ACCESSORS, by, **of(patient.individual_id)))["data"]}
            assert everybody == {str(admin.user_id), str(patient.user_id)}
            assert (await world.get(ACCESSORS, by, **of(uuid4())))["data"] == []
            assert (await world.get(ACCESSORS, by, **of(patient.individual_id, uuid4())))["data"] == []


@pytest.mark.parametrize("bad", ["group:x:read", "organization::contain", "system:a:b:read", "x" * 300])
async def test_a_bad_query_is_named_and_nothing_is_evaluated(database_url: str, bad: str) -> None:
    async with a_world(database_url) as world:
        by = world.service
        expected = ("invalid-access-query", {"pointer": "/access-query/1"})
        for path in (CHECK, ACCESSIBLE):
            assert await refused(world, path, about(by.user_id, "group::read", bad), by, 400) == expected
        expected = ("invalid-access-query", {"pointer": "/multi-user-ids/access-query/1"})
        assert await refused(world, BULK, in_bulk(["group::read", bad], by.user_id), by, 400) == expected


async def test_queries_for_any_ask_for_one_type(database_url: str) -> None:
    async with a_world(database_url) as world:
        by = world.service
        mixed = about(by.user_id, "group::read", f"individual:{uuid4()}:read", "system::read", "individual::read")
        expected = ("invalid-access-query", {"pointer": "/access-query/3"})
        assert await refused(world, ACCESSIBLE, mixed, by, 400) == expected
        # the words are judged before the right to ask
        stranger = await world.provider(await world.organization())
        assert await refused(world, ACCESSIBLE, mixed, stranger, 400) == expected


async def test_bulk_keeps_queries_as_sent_and_answers_each_user_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        ann, ben = await world.provider(clinic), await world.provider(clinic)
        read, write = f"organization:{str(clinic).upper()}:read", f"organization:{clinic}:write"
        users = [ben.user_id, ann.user_id, ben.user_id]
        rows = await world.post(BULK, in_bulk([read, write, read], *users, individually=True), world.service)
        assert rows["access-queries"] == [
            {"access-query": [query], "allow": query == read, "user-id": str(user.user_id)}
            for user in (ben, ann)
            for query in (read, write, read)
        ]
        assert await world.post(BULK, in_bulk([read]), world.service) == {"access-queries": []}


async def test_pages_of_a_list(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization(open_=True)
        ann = await world.provider(clinic)
        ids = sorted([str(ann.individual_id), *[str((await world.patient(clinic)).individual_id) for _ in range(4)]])
        for limit, offset in ((2, 0), (2, 4), (5, 1), (0, 0), (3, 9)):
            page = {"page[limit]": limit, "page[offset]": offset}
            query = {"user-id": str(ann.user_id), "operation": "write"}
            posted = await world.post(ACCESSIBLE, about(ann.user_id, "individual::write") | page, ann)
            listed = await world.get(INDIVIDUALS, ann, **query, **page)
            assert posted["resource-ids"] == listed["resource-ids"] == ids[offset : offset + limit]
            assert listed["meta"].items() >= {**page, "page[total]": 5}.items()
            assert posted["meta"].items() >= {**page, "page[total]": 5}.items()
        answer = await world.post(
            ACCESSIBLE, about(ann.user_id, "individual::write") | {"page[limit]": 100_001}, ann, 400
        )
        assert answer["errors"][0]["source"] == {"pointer": "/page[limit]"}


async def test_a_resource_named_by_several_queries_is_listed_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin, group = await world.admin(clinic), await world.group(clinic)
        named = [f"group:{group}:read", f"group:{group}:write", f"organization:{clinic}:read"]
        answer = await world.post(ACCESSIBLE, about(admin.user_id, *named), admin)
        assert answer["resource-ids"] == sorted([str(group), str(clinic)])
        assert answer["meta"]["page[total]"] == 2


async def test_filters_look_at_the_owning_user(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin = await world.admin(clinic, "Chief.Administrator@people.test")
        patient = await world.patient(clinic, "Ann.Patient@people.test")
        record = await world.individual(clinic)
        await world.catch_up()

        async def found(**filters: str) -> set[UUID]:
            query = {"user-id": str(admin.user_id), "operation": "read"}
            query |= {f"filter[{name.replace('_', '-')}]": value for name, value in filters.items()}
            answer = await world.get(INDIVIDUALS, admin, **query)
            assert answer["meta"]["page[total]"] == len(answer["resource-ids"])
            return {UUID(each) for each in answer["resource-ids"]}

        his, hers = admin.individual_id, patient.individual_id
        assert await found() == {his, hers, record}
        assert await found(email="ann.patient@PEOPLE.test") == {hers}
        assert await found(email="ann") == set()
        assert await found(account_type="patient") == {hers}
        assert await found(account_type="PROVIDER") == {his}
        assert await found(registered="true") == {his, hers}
        assert await found(registered="false") == {record}
        assert await found(email_verified="true") == {his, hers}
        assert await found(phone_verified="true") == set()
        assert await found(phone_verified="false") == {his, hers, record}
        assert await found(first_name="ann") == set()
        assert await found(birth_date="2000-01-01") == set()
        assert await found(organization_id=str(clinic)) == {hers, record}
        assert await found(organization_id=str(clinic), email_verified="true") == {hers}
        assert await found(exclude_owner_ids=str(patient.user_id), registered="true") == {his}
        assert await found(group_id=str(uuid4())) == set()


async def test_a_check_after_the_answer_of_a_command_sees_it(database_url: str) -> None:
    """With nothing projected in the background at all."""
    async with a_world(database_url, projecting=False) as world:
        organization, _ = await world.identity.organizations.create(world.administrator, "clinic")
        ann = await world.provider(organization.id)
        patient = await world.patient(organization.id)
        query = about(ann.user_id, f"individual:{patient.individual_id}:write")
        for change, allowed in (("open", True), ("restricted", False)):
            _, position = await world.identity.organizations.change(
                world.administrator, organization.id, {"authorization_type": change}
            )
            answer = await world.client.post(
                CHECK, json=query, headers=ann.bearer | {"X-At-Least-Position": str(position)}
            )
            assert (answer.status_code, answer.json()) == (201, {"allow": allowed})
            assert int(answer.headers["X-Position"]) >= position
        ahead = ann.bearer | {"X-At-Least-Position": str(position + 1_000)}
        assert (await world.client.post(CHECK, json=query, headers=ahead)).status_code == 503


async def test_the_status_tells_when_something_last_touched_the_user(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        ann = await world.provider(clinic)
        status = (await world.get(f"{STATUS}{ann.user_id}/", ann))["data"]
        assert (status["id"], status["type"]) == (str(ann.user_id), "authz-user-status")
        attributes = status["attributes"]
        assert attributes["up-to-date"] is True
        assert attributes["last-populated-at"] >= attributes["latest-event-at"]
