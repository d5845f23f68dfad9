"""Groups through HTTP: what is made, changed, shown and refused, and to whom."""

from typing import Any
from uuid import UUID, uuid4

from domain.groups.groups import system_group_id
from tests.support.world.product import Person, World, a_world

V1 = "/v1/individual-groups/"
V2 = "/v2/individual-groups/"
ROSTER = "/v1/individual-group-individuals/"
ATTRIBUTES = {
    "child-count", "individuals-count", "is-active", "last-modified-time", "name", "node-type", "organization-id",
    "parent-group", "tags", "type",
}  # fmt: skip
OF_VERSION_1 = {
    "individual-ids", "individuals", "leader-ids", "leaders", "members", "self-can-write",
}  # fmt: skip
PEOPLE = {"with-individuals": "true", "with-members": "true"}


def creation(organization: UUID, **attributes: Any) -> dict[str, Any]:
    given = {"name": "Heart", "organization-id": str(organization), **attributes}
    return {"data": {"type": "individual-groups", "attributes": given}}


def change(group: UUID, **attributes: Any) -> dict[str, Any]:
    return {"data": {"type": "individual-groups", "id": str(group), "attributes": attributes}}


def code(answer: dict[str, Any]) -> str:
    return str(answer["errors"][0]["code"])


def names(answer: dict[str, Any]) -> list[str]:
    return [row["attributes"]["name"] for row in answer["data"]]


async def staff(world: World) -> Person:
    """The operator's own people, without any further standing."""
    from domain.organizations.organizations import OPERATOR_ID

    return await world.provider(OPERATOR_ID)


async def test_a_new_group_has_its_people_and_all_attributes(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, leader, patient = await world.people(organization, "admin", "provider", "patient")
        answer = await world.client.post(
            V1,
            headers=admin.bearer,
            json=creation(
                organization,
                **{
                    "leader-ids": [str(leader.user_id)] * 2,
                    "individual-ids": [str(patient.individual_id)],
                    "tags": ["a", "a"],
                },
            ),
        )
        assert answer.status_code == 201
        document = answer.json()
        assert answer.headers["X-Position"] == str(document["meta"]["position"])
        attributes = document["data"]["attributes"]
        assert set(attributes) == ATTRIBUTES | OF_VERSION_1
        assert (attributes["node-type"], attributes["type"], attributes["tags"]) == ("group", "regular", ["a"])
        assert attributes["leader-ids"] == [str(leader.user_id)]
        assert attributes["leaders"][0]["email"] == leader.email
        assert attributes["leaders"][0]["enabled"] is True
        assert (attributes["individuals-count"], attributes["child-count"]) == (1, 0)
        assert attributes["individuals"] is attributes["individual-ids"] is attributes["members"] is None
        assert attributes["parent-group"] is None
        assert attributes["self-can-write"] is True
        group = document["data"]["id"]
        shown = (await world.get(f"{V1}{group}/", leader, **PEOPLE))["data"]["attributes"]
        assert shown["individual-ids"] == [str(patient.individual_id)]
        assert shown["individuals"][0]["owner"] == {"id": str(patient.user_id), "type": "user"}
        assert shown["members"] == []
        second = (await world.get(f"{V2}{group}/", leader))["data"]["attributes"]
        assert set(second) == ATTRIBUTES


async def test_invalid_creations_are_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization, other = await world.organization(), await world.organization()
        admin, provider = await world.admin(organization), await world.provider(organization)
        patient, stranger = await world.patient(organization), await world.patient(other)
        unknown = str(uuid4())
        refusals: list[tuple[Person, dict[str, Any], int, str]] = [
            (provider, creation(organization), 403, "forbidden"),
            (provider, creation(other), 404, "not-found"),
            (patient, creation(organization), 404, "not-found"),
            (admin, creation(uuid4()), 404, "not-found"),
            (admin, creation(organization, type="unassigned"), 400, "invalid-attribute"),
            (admin, creation(organization, name="   "), 400, "invalid-attribute"),
            (admin, creation(organization, tags=["x" * 128]), 400, "invalid-attribute"),
            (admin, creation(organization, colour="red"), 400, "invalid-attribute"),
            (admin, creation(organization, **{"leader-ids": [unknown]}), 404, "not-found"),
            (admin, creation(organization, **{"leader-ids": [str(stranger.user_id)]}), 404, "not-found"),
            (admin, creation(organization, **{"leader-ids": [str(patient.user_id)]}), 409, "not-eligible"),
            (admin, creation(organization, **{"individual-ids": [str(stranger.individual_id)]}), 404, "not-found"),
            (
                admin,
                creation(organization, type="provider_only", **{"individual-ids": [str(patient.individual_id)]}),
                409,
                "group-provider-only",
            ),
        ]
        for caller, body, status, expected in refusals:
            assert code(await world.post(V1, body, caller, status)) == expected, body
        assert names(await world.get(V2, admin)) == []
        await world.post(V1, creation(organization), world.system)
        await world.post(V1, creation(organization), world.service)
        assert names(await world.get(V2, admin)) == ["Heart", "Heart"]


async def test_name_tags_and_leaders_change_and_repeating_it_records_nothing(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, one, two = [await world.admin(organization), *[await world.provider(organization) for _ in range(2)]]
        group = await world.group(organization, "Group", **{"leader-ids": [str(one.user_id)]})
        body = change(group, name=" Lung ", tags=["x"], **{"leader-ids": [str(two.user_id)]})
        first = await world.patch(f"{V1}{group}/", body, one)
        attributes = first["data"]["attributes"]
        assert (attributes["name"], attributes["tags"], attributes["leader-ids"]) == ("Lung", ["x"], [str(two.user_id)])
        assert attributes["self-can-write"] is False
        assert code(await world.patch(f"{V1}{group}/", body, one, 404)) == "not-found"
        before = (await world.get(f"{V1}{group}/", two))["data"]
        again = await world.patch(f"{V1}{group}/", body, admin)
        assert again["meta"]["position"] == first["meta"]["position"]
        assert again["data"] == before
        assert code(await world.patch(f"{V1}{group}/", change(uuid4(), name="x"), admin, 409)) == "id-conflict"
        assert code(await world.patch(f"{V1}{group}/", change(group, name=None), admin, 400)) == "invalid-attribute"


async def test_lists_show_readable_groups_and_none_to_participants(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization, other = await world.organization(), await world.organization()
        leader, provider, patient = await world.people(organization, "provider", "provider", "patient")
        mine = await world.group(organization, "mine", **{"leader-ids": [str(leader.user_id)]})
        await world.group(organization, "beside")
        await world.group(other, "foreign")
        callers = [
            (await world.admin(organization), ["beside", "mine"]),
            (leader, ["mine"]),
            (provider, []),
            (await staff(world), ["beside", "foreign", "mine"]),
            (world.system, ["beside", "foreign", "mine"]),
            (world.service, ["beside", "foreign", "mine"]),
        ]
        for caller, expected in callers:
            for path in (V1, V2):
                answer = await world.get(path, caller)
                assert names(answer) == expected
                assert answer["meta"]["page[total]"] == len(expected)
        assert code(await world.get(V1, patient, 403)) == code(await world.get(V2, patient, 403)) == "forbidden"
        assert code(await world.get(f"{V1}{mine}/", provider, 404)) == "not-found"
        assert code(await world.get(f"{V2}{mine}/", provider, 404)) == "not-found"
        assert code(await world.get(f"{V1}{mine}/", patient, 404)) == "not-found"
        page = await world.get(V2, world.system, **{"page[limit]": 1, "page[offset]": 1})
        assert (names(page), page["meta"]["page[total]"]) == (["foreign"], 3)
        assert code(await world.get(V2, world.system, 400, **{"page[limit]": 0})) == "invalid-parameter"
        assert code(await world.get(V2, world.system, 400, colour="red")) == "invalid-parameter"


async def test_staff_as_such_sees_no_individuals(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        patient = await world.patient(organization)
        group = await world.group(organization, "Group", **{"individual-ids": [str(patient.individual_id)]})
        employee = await staff(world)
        individual = str(patient.individual_id)
        assert (await world.get(f"{V1}{group}/", employee, **{"with-members": "true"}))["data"]["id"] == str(group)
        for path, asked, source in (
            (f"{V1}{group}/", {"with-individuals": "true"}, {"parameter": "with-individuals"}),
            (V1, {"with-individuals": "true"}, {}),
            (V1, {"filter[individual-id]": individual}, {}),
            (V2, {"filter[individual-id]": individual}, {}),
            (V2, {"exclude[individual-id]": individual}, {}),
            (ROSTER, {"individual-group-id": str(group)}, {"parameter": "individual-group-id"}),
            (f"{V1}{group}/eligible-members/", {"member-type": "individual"}, {}),
        ):
            refused = await world.get(path, employee, 403, **asked)
            assert (code(refused), refused["errors"][0]["source"]) == ("forbidden", source), (path, asked)
        logs = await world.get("/v1/individual-group-logs/", employee, **{"individual-group-id": str(group)})
        assert logs["data"] == []
        computed = system_group_id(organization, "all_participants")
        assert code(await world.get(f"{V1}{computed}/", employee, 404)) == "not-found"


async def test_an_inactive_group_is_shown_only_on_request(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, leader = await world.admin(organization), await world.provider(organization)
        group = await world.group(organization, "Group", **{"leader-ids": [str(leader.user_id)]})
        for caller, status in ((leader, 403), (await staff(world), 403), (await world.provider(organization), 404)):
            answer = await world.client.delete(f"{V1}{group}/", headers=caller.bearer)
            assert answer.status_code == status
        for _ in range(2):
            answer = await world.client.delete(f"{V1}{group}/", headers=admin.bearer)
            assert (answer.status_code, answer.content) == (204, b"")
            assert int(answer.headers["X-Position"]) > 0
        await world.catch_up()
        everything = {"filter[include-inactive]": "true"}
        for caller in (admin, await staff(world), world.system, world.service):
            assert code(await world.get(f"{V1}{group}/", caller, 404)) == "not-found"
            assert code(await world.get(f"{V2}{group}/", caller, 404)) == "not-found"
            assert (await world.get(f"{V2}{group}/", caller, **everything))["data"]["attributes"]["is-active"] is False
            assert names(await world.get(V2, caller)) == []
            assert names(await world.get(V2, caller, **everything)) == ["Group"]
        assert names(await world.get(V2, leader, **everything)) == []
        assert code(await world.get(f"{V2}{group}/", leader, 404, **everything)) == "not-found"
        for caller, status, expected in (
            (admin, 409, "invalid-state"),
            (world.system, 409, "invalid-state"),
            (leader, 404, "not-found"),
        ):
            assert code(await world.patch(f"{V1}{group}/", change(group, name="x"), caller, status)) == expected
            for action, body in (
                ("add-leaders", {"user-ids": [str(leader.user_id)]}),
                ("remove-individuals", {"individual-ids": [str(uuid4())]}),
                ("move-group", {"to-parent-group-id": None}),
            ):
                assert code(await world.post(f"{V1}{group}/{action}/", body, caller, status)) == expected
