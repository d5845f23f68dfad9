"""Who could be added to a group: by organization, parent, role and caller (semantics 5, rulings E8 and F11)."""

from typing import Any
from uuid import UUID, uuid4

from domain.groups.groups import system_group_id
from domain.people.users import User
from tests.api.groups.test_groups import V1, V2, code
from tests.api.groups.test_rosters import PERSON, disable
from tests.support.world.product import Person, World, a_world


async def eligible(world: World, group: UUID, by: Person, **asked: Any) -> set[str]:
    answer = await world.get(f"{V1}{group}/eligible-members/", by, **asked)
    assert answer["meta"]["page[total]"] == len(answer["data"])
    return {row["id"] for row in answer["data"]}


async def test_eligible_members_are_those_that_could_be_added(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, leader, nurse, disabled = (
            await world.admin(organization),
            await world.provider(organization, "zoe@people.test"),
            await world.provider(organization, "ann_x@people.test"),
            await world.provider(organization),
        )
        placed, loose = await world.patient(organization), await world.individual(organization)
        division = await world.group(organization, "Division", **{"node-type": "division"})
        group = await world.group(
            organization,
            "Group",
            **{"leader-ids": [str(leader.user_id)], "individual-ids": [str(placed.individual_id)]},
        )
        sister = await world.group(organization, "Sister")
        await disable(world, disabled)
        await world.catch_up()
        staff = {str(each.user_id) for each in (admin, leader, nurse)}
        people = {str(placed.individual_id), str(loose)}
        assert await eligible(world, group, admin) == staff - {str(leader.user_id)}
        assert await eligible(world, group, admin, **{"member-type": "member"}) == staff
        assert await eligible(world, group, admin, **{"member-type": "individual"}) == {str(loose)}
        assert await eligible(world, group, leader, **{"member-type": "individual"}) == set()
        assert await eligible(world, division, admin, **{"member-type": "individual"}) == people
        for node in (group, sister):
            await world.move(node, division)
        assert await eligible(world, sister, admin) == {str(leader.user_id)}
        assert await eligible(world, sister, admin, **{"member-type": "individual"}) == {str(placed.individual_id)}
        children = {"for-children": "true"}
        assert await eligible(world, division, admin, **children) == {str(leader.user_id)}
        assert await eligible(world, division, admin, **children, **{"member-type": "individual"}) == {
            str(placed.individual_id)
        }
        assert await eligible(world, division, admin, **{"filter[text]": "ANN_"}) == {str(nurse.user_id)}
        assert await eligible(world, division, admin, **{"filter[text]": "nn"}) == set()
        assert await eligible(world, division, admin, **{"filter[verified]": "false"}) == set()
        assert await eligible(world, division, admin, **{"filter[registration-invite]": "none"}) == set()
        loose_ones = {"member-type": "individual", "filter[verified]": "false"}
        assert await eligible(world, division, admin, **loose_ones) == {str(loose)}
        nurses = await world.group(organization, "Nurses", type="provider_only")
        assert await eligible(world, nurses, admin, **{"member-type": "individual"}) == set()
        assert await eligible(world, nurses, admin) == staff
        found = (await world.get(f"{V1}{division}/eligible-members/", admin))["data"]
        assert set(found[0]) == PERSON | {"member-type"}


async def test_eligible_members_are_shown_to_writers_of_the_group(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        member, provider = await world.provider(organization), await world.provider(organization)
        group = await world.group(organization)
        await world.post(f"{V1}{group}/add-members/", {"user-ids": [str(member.user_id)]}, world.system)
        assert code(await world.get(f"{V1}{group}/eligible-members/", member, 403)) == "forbidden"
        assert code(await world.get(f"{V1}{group}/eligible-members/", provider, 404)) == "not-found"
        computed = system_group_id(organization, "unassigned")
        assert await eligible(world, computed, world.system, **{"member-type": "individual"}) == set()


async def test_eligible_groups_agree_with_eligible_members(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, patient = await world.admin(organization), await world.patient(organization)
        division = await world.group(organization, "Division", **{"node-type": "division"})
        placed = await world.group(organization, "Placed", **{"individual-ids": [str(patient.individual_id)]})
        groups = {division, placed, await world.group(organization, "Sister"), await world.group(organization, "Free")}
        empty = await world.group(organization, "Empty", **{"node-type": "division"})
        groups |= {
            empty,
            await world.group(organization, "Lost"),
            await world.group(organization, "N", type="provider_only"),
        }
        for row in (await world.get(V2, admin))["data"]:
            if row["attributes"]["name"] in {"Placed", "Sister"}:
                await world.move(UUID(row["id"]), division)
            if row["attributes"]["name"] == "Lost":
                await world.move(UUID(row["id"]), empty)
        listed = await world.get(V2, admin, **{"filter[eligible-individual-id]": str(patient.individual_id)})
        there = {
            str(group)
            for group in groups
            if str(patient.individual_id) in await eligible(world, group, admin, **{"member-type": "individual"})
        }
        assert {row["id"] for row in listed["data"]} == there
        assert len(there) == 4


async def named(world: World, person: Person, first: str, last: str) -> None:
    """The read model as it will be when people can give their names."""
    async with world.pool.connection() as connection:
        await connection.execute(
            "UPDATE users SET first_name_key = %s, last_name_key = %s WHERE user_id = %s",
            (first.casefold(), last.casefold(), person.user_id),
        )


async def test_candidates_are_sorted_by_name_and_id(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        group = await world.group(organization)
        people = [await world.provider(organization) for _ in range(5)]
        patients = [await world.patient(organization) for _ in range(2)]
        loose = sorted([str(await world.individual(organization)) for _ in range(2)])
        await world.catch_up()
        for person, first, last in (
            (people[0], "zoe", "Abel"),
            (people[1], "Ann", "abel"),
            (people[2], "Bob", "Zorn"),
            (patients[0], "Zoe", "Young"),
            (patients[1], "Ann", "old"),
        ):
            await named(world, person, first, last)
        nameless = sorted(str(person.user_id) for person in people[3:])
        by_role = {
            "member": [*(str(people[place].user_id) for place in (1, 0, 2)), *nameless],
            "individual": [str(patients[1].individual_id), str(patients[0].individual_id), *loose],
        }
        for role, expected in by_role.items():
            asked = {"member-type": role}
            whole = await world.get(f"{V1}{group}/eligible-members/", world.system, **asked)
            assert [row["id"] for row in whole["data"]] == expected
            assert {row["member-type"] for row in whole["data"]} == {role}
            for place, each in enumerate(expected):
                page = {"page[limit]": 1, "page[offset]": place}
                answer = await world.get(f"{V1}{group}/eligible-members/", world.system, **asked, **page)
                assert [row["id"] for row in answer["data"]] == [each]
                assert answer["meta"]["page[total]"] == len(expected)
        for text, found in (("ABEL", 2), ("zo", 2), ("ann", 1), ("%", 0)):
            assert len(await eligible(world, group, world.system, **{"filter[text]": text})) == found, text


async def test_people_below_the_parent_in_any_role_are_candidates(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        member, leader, beside = [await world.provider(organization) for _ in range(3)]
        patient, stranger = str(await world.individual(organization)), str(await world.individual(organization))
        division = await world.group(organization, "Division", **{"node-type": "division"})
        upper, lower, closed, sister = [await world.group(organization, name) for name in ("u", "l", "c", "s")]
        for child, parent in ((upper, division), (lower, upper), (closed, division), (sister, division)):
            await world.move(child, parent)
        for group, action, body in (
            (lower, "add-members", {"user-ids": [str(member.user_id)]}),
            (division, "add-leaders", {"user-ids": [str(leader.user_id)]}),
            (closed, "add-leaders", {"user-ids": [str(beside.user_id)]}),
            (lower, "add-individuals", {"individual-ids": [patient]}),
            (closed, "add-individuals", {"individual-ids": [stranger]}),
        ):
            await world.post(f"{V1}{group}/{action}/", body, world.system)
        await world.client.delete(f"{V1}{closed}/", headers=world.system.bearer)
        providers = {str(member.user_id), str(leader.user_id)}
        for role in ("leader", "member"):
            assert await eligible(world, sister, world.system, **{"member-type": role}) == providers
        assert await eligible(world, sister, world.system, **{"member-type": "individual"}) == {patient}
        below = {"for-children": "true"}
        assert await eligible(world, upper, world.system, **below) == {str(member.user_id)}
        assert await eligible(world, division, world.system, **below, **{"member-type": "leader"}) == providers
        assert await eligible(world, lower, world.system, **below, **{"member-type": "individual"}) == {patient}


async def test_disabled_providers_are_no_candidates_but_disabled_owners_are_allowed(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        provider, patient = await world.provider(organization), await world.patient(organization)
        group = await world.group(organization)
        for person in (provider, patient):
            await disable(world, person)
        await world.catch_up()
        assert await eligible(world, group, world.system) == set()
        assert await eligible(world, group, world.system, **{"member-type": "individual"}) == {
            str(patient.individual_id)
        }
        computed = system_group_id(organization, "all_participants")
        shown = await world.get(f"{V1}{computed}/", world.system, **{"with-individuals": "true"})
        assert shown["data"]["attributes"]["individual-ids"] == [str(patient.individual_id)]


async def test_an_unconfirmed_provider_is_a_candidate_without_rights(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        group = await world.group(organization)
        user = User.create(uuid4(), classification="customer", individual_id=uuid4(), email="new@people.test")
        await world.identity.store.save(user)
        body = {"data": {"type": "organizations", "attributes": {"user-id": str(user.id)}}}
        await world.post(f"/v1/organizations/{organization}/add-user/", body, world.system)
        await world.catch_up()
        assert await eligible(world, group, world.system) == {str(user.id)}
        named = {"user-emails": ["NEW@people.test"]}
        shown = await world.post(f"{V1}{group}/add-leaders/", named, world.system)
        assert shown["data"]["attributes"]["leader-ids"] == [str(user.id)]
        question = {"access-query": [f"group:{group}:read"], "user-id": str(user.id)}
        assert await world.post("/v1/authz-resource-access/", question, world.service) == {"allow": False}
