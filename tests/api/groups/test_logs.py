"""The logs of rosters through HTTP: what is in them, in which order, and for whom."""

from typing import Any
from uuid import UUID

from domain.groups.groups import system_group_id
from tests.api.groups.test_groups import V1, code, staff
from tests.support.world.product import Person, World, a_world

LOGS = "/v1/individual-group-logs/"


async def told(world: World, by: Person, **asked: Any) -> list[tuple[str, str, str | None]]:
    """(event, subject, individual) of each row."""
    answer = await world.get(LOGS, by, **asked)
    assert answer["meta"]["page[total]"] == len(answer["data"])
    rows = [row["attributes"] for row in answer["data"]]
    return [(row["event"], row["subject"], row["individual-id"]) for row in rows]


async def test_every_effective_change_is_one_row_the_newest_first(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, nurse = await world.admin(organization), await world.provider(organization)
        record = str(await world.individual(organization))
        group = await world.group(organization, "Group", **{"leader-ids": [str(nurse.user_id)]})
        other = await world.group(organization, "Other")
        for _ in range(2):  # the second time records nothing
            await world.post(f"{V1}{group}/add-individuals/", {"individual-ids": [record]}, admin)
            await world.post(f"{V1}{group}/add-members/", {"user-ids": [str(nurse.user_id)]}, admin)
        await world.patch(
            f"{V1}{group}/",
            {"data": {"type": "individual-groups", "id": str(group), "attributes": {"leader-ids": [], "name": "New"}}},
            admin,
        )
        body = {"individual-ids": [record], "remove-from-group": str(group)}
        await world.post(f"{V1}{other}/add-individuals/", body, admin)
        await world.move(other, group)
        await world.catch_up()
        own = str(nurse.individual_id)
        assert await told(world, admin, **{"individual-group-id": str(group)}) == [
            ("remove", "individual", record),
            ("remove", "leader", own),
            ("add", "member", own),
            ("add", "individual", record),
            ("add", "leader", own),
        ]
        assert await told(world, admin, **{"individual-id": record}) == [
            ("add", "individual", record),
            ("remove", "individual", record),
            ("add", "individual", record),
        ]
        assert len(await told(world, admin, **{"organization-id": str(organization)})) == 6
        newest = (await world.get(LOGS, admin, **{"individual-group-id": str(group), "page[limit]": 2}))["data"]
        attributes = newest[1]["attributes"]
        assert attributes["created-by"] == {"id": str(admin.user_id)}
        assert attributes["user-id"] == str(nurse.user_id)
        assert attributes["individual-group-id"] == str(group)
        assert newest[0]["attributes"]["user-id"] is None
        assert len({row["id"] for row in newest}) == 2


async def test_the_two_individual_parameters_mean_the_same_and_both_must_hold(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        one, two = str(await world.individual(organization)), str(await world.individual(organization))
        await world.group(organization, "Group", **{"individual-ids": [one, two]})
        await world.catch_up()
        by = world.system
        assert await told(world, by, **{"filter[individual-id]": one}) == [("add", "individual", one)]
        assert await told(world, by, **{"filter[individual-id]": one, "individual-id": one}) == [
            ("add", "individual", one)
        ]
        assert await told(world, by, **{"filter[individual-id]": one, "individual-id": two}) == []


async def test_logs_of_leaders_and_members_are_found_by_their_individual(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        nurse = await world.provider(organization)
        own = str(nurse.individual_id)
        group = await world.group(organization, "Group", **{"leader-ids": [str(nurse.user_id)]})
        await world.catch_up()
        assert await told(world, nurse, **{"individual-id": own}) == [("add", "leader", own)]
        body = {"data": {"type": "organizations", "attributes": {"user-id": str(nurse.user_id)}}}
        await world.post(f"/v1/organizations/{organization}/remove-user/", body, world.system)
        await world.catch_up()
        asked = {"individual-group-id": str(group)}
        assert await told(world, world.system, **asked) == [("remove", "leader", own), ("add", "leader", own)]


async def test_each_caller_reads_their_part_of_the_logs(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization, other = await world.organization(), await world.organization()
        admin, leader, provider, patient = await world.people(organization, "admin", "provider", "provider", "patient")
        individual = str(patient.individual_id)
        people = {"leader-ids": [str(leader.user_id)], "individual-ids": [individual]}
        group, beside = await world.group(organization, "G", **people), await world.group(organization, "B")
        await world.post(f"{V1}{beside}/add-individuals/", {"individual-ids": [individual]}, world.system)
        abroad = await share(world, patient, other)
        await world.catch_up()
        by_group, by_person = {"individual-group-id": str(group)}, {"individual-id": individual}
        by_organization = {"organization-id": str(organization)}
        rows = [("add", "individual", individual), ("add", "leader", str(leader.individual_id))]
        for caller, asked, status in (
            (patient, by_person, 403),
            (patient, by_group, 403),
            (provider, by_group, 404),
            (provider, by_person, 404),
            (leader, by_organization, 404),
            (leader, by_group | by_organization, 404),
            (await staff(world), by_person, 404),
            (admin, {"organization-id": str(other)}, 404),
            (admin, {}, 400),
            (admin, by_group | {"colour": "red"}, 400),
        ):
            await world.get(LOGS, caller, status, **asked)
        assert await told(world, leader, **by_group) == rows
        assert await told(world, leader, **by_person) == rows[:1]
        assert len(await told(world, admin, **by_person)) == 2
        assert len(await told(world, world.service, **by_person)) == 3
        assert await told(world, await staff(world), **by_group) == rows[1:]
        assert abroad not in {group, beside}
        refused = await world.get(LOGS, leader, 404, **by_group, **by_organization)
        assert refused["errors"][0]["source"] == {"parameter": "organization-id"}
        computed = {"individual-group-id": str(system_group_id(organization, "unassigned"))}
        assert await told(world, admin, **computed) == []
        assert code(await world.get(LOGS, admin, 400, **{"individual-id": "x"})) == "invalid-parameter"


async def test_logs_of_inactive_groups_are_shown_to_system_administrators(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization, other = await world.organization(), await world.organization()
        admin, record = await world.admin(organization), str(await world.individual(organization))
        people = {"individual-ids": [record], "leader-ids": [str(admin.user_id)]}
        stays, goes = (
            await world.group(organization, "Stays", **people),
            await world.group(organization, "Goes", **people),
        )
        await world.group(other, "Abroad", **{"individual-ids": [str(await world.individual(other))]})
        await world.client.delete(f"{V1}{goes}/", headers=admin.bearer)
        await world.catch_up()
        whole, of_one = {"organization-id": str(organization)}, {"individual-group-id": str(goes)}
        assert len(await told(world, admin, **whole)) == 2
        assert len(await told(world, world.system, **whole)) == 4
        assert len(await told(world, admin, **{"individual-id": record})) == 1
        assert len(await told(world, world.system, **{"individual-id": record})) == 2
        await world.get(LOGS, admin, 404, **of_one)
        assert len(await told(world, world.system, **of_one)) == 2
        assert len(await told(world, world.system, **of_one, **whole)) == 2
        assert await told(world, world.system, **of_one, **{"organization-id": str(other)}) == []
        assert len(await told(world, await staff(world), **{"individual-group-id": str(stays)})) == 1
        page = await world.get(LOGS, world.system, **whole, **{"page[limit]": 1, "page[offset]": 3})
        assert (len(page["data"]), page["meta"]["page[total]"]) == (1, 4)


async def share(world: World, patient: Person, organization: UUID) -> UUID:
    """A group of another organization that the patient stands in as well."""
    body = {"with": {"type": "organization", "id": str(organization)}}
    await world.post(f"/v1/individuals/{patient.individual_id}/share/", body, world.system)
    return await world.group(organization, "Abroad", **{"individual-ids": [str(patient.individual_id)]})
