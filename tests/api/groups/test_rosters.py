"""Rosters through HTTP: who comes in and goes out, who is listed, who could come in."""

from typing import Any
from uuid import UUID, uuid4

from domain.groups.groups import system_group_id
from domain.people.users import User
from tests.api.groups.test_groups import V1, code
from tests.support.world.product import Person, World, a_world

PERSON = {
    "communication-preferences", "email", "email-verified", "first-name", "id", "individual-id", "last-name",
    "phone-verified", "verified",
}  # fmt: skip
"""The attributes of a person wherever groups show people."""
EMPTY: dict[str, Any] = {"with-individuals": True, "with-members": True}


async def roster(world: World, group: UUID, kind: str, by: Person | None = None) -> list[str]:
    """The ids of the people in one roster of a group, as its detail shows them."""
    asked = {"with-individuals": "true", "with-members": "true"}
    attributes = (await world.get(f"{V1}{group}/", by or world.system, **asked))["data"]["attributes"]
    if kind == "individual":
        return list(attributes["individual-ids"])
    return [row["id"] for row in attributes[f"{kind}s"]]


async def disable(world: World, person: Person) -> None:
    user = await world.identity.store.get(User, person.user_id)
    user.disable()
    await world.identity.store.save(user)


async def test_an_answer_shows_the_people_asked_for(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, nurse, patient = await world.people(organization, "admin", "provider", "patient")
        group = await world.group(organization)
        individual = str(patient.individual_id)
        body = {"individual-ids": [individual, individual]}
        bare = (await world.post(f"{V1}{group}/add-individuals/", body, admin))["data"]["attributes"]
        assert bare["individual-ids"] is bare["individuals"] is bare["members"] is None
        assert bare["individuals-count"] == 1
        body = {"user-ids": [str(nurse.user_id)], **EMPTY}
        full = (await world.post(f"{V1}{group}/add-members/", body, admin))["data"]["attributes"]
        assert full["individual-ids"] == [individual]
        assert full["leaders"] == []
        assert set(full["members"][0]) == PERSON | {"created-by-id", "registration-invite"}
        assert set(full["individuals"][0]) == {
            "birth-date",
            "communication-preferences",
            "email-verified",
            "first-name",
            "id",
            "last-name",
            "name",
            "owner",
            "phone-verified",
            "preferred-name",
            "registered",
            "registration-invite",
            "tz",
            "verified",
        }
        body = {"individual-ids": [individual], **EMPTY}
        gone = (await world.post(f"{V1}{group}/remove-individuals/", body, admin))["data"]["attributes"]
        assert (gone["individual-ids"], gone["individuals-count"]) == ([], 0)


async def test_repeating_an_addition_or_a_removal_records_nothing(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, nurse = await world.admin(organization), await world.provider(organization)
        group, individual = await world.group(organization), str(await world.individual(organization))
        for action, body in (
            ("add-individuals", {"individual-ids": [individual]}),
            ("remove-individuals", {"individual-ids": [individual, str(uuid4())]}),
            ("add-leaders", {"user-ids": [str(nurse.user_id)]}),
            ("add-members", {"user-emails": [nurse.email.upper()]}),
            ("remove-leaders", {"user-emails": [nurse.email, "nobody@people.test"]}),
            ("remove-members", {"user-ids": [str(nurse.user_id), str(uuid4())]}),
        ):
            positions = []
            for _ in range(2):
                answer = await world.client.post(f"{V1}{group}/{action}/", json=body, headers=admin.bearer)
                assert answer.status_code == 201, answer.text
                positions.append(answer.headers["X-Position"])
            assert positions[0] == positions[1], action
        assert [await roster(world, group, kind) for kind in ("individual", "leader", "member")] == [[], [], []]


async def test_invalid_bodies_are_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await world.admin(organization)
        group = await world.group(organization)
        someone = str(uuid4())
        for action, body, expected in (
            ("add-individuals", {}, "missing-attribute"),
            ("add-individuals", {"individual-ids": []}, "invalid-attribute"),
            ("add-individuals", {"individual-ids": ["x"]}, "invalid-attribute"),
            ("add-individuals", {"individual-ids": [someone] * 10_001}, "invalid-attribute"),
            ("add-individuals", {"individual-ids": [someone], "remove-from-group": str(group)}, "invalid-attribute"),
            ("add-leaders", {}, "missing-attribute"),
            ("add-leaders", {"user-ids": [someone], "user-emails": ["a@b.test"]}, "invalid-attribute"),
            ("add-leaders", {"user-emails": ["no address"]}, "invalid-attribute"),
            ("remove-leaders", {"user-ids": [someone], "remove-from-group": someone}, "invalid-attribute"),
        ):
            assert code(await world.post(f"{V1}{group}/{action}/", body, admin, 400)) == expected, (action, body)


async def test_a_leader_adds_people_they_may_change(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization, other = await world.organization(), await world.organization()
        leader, nurse, disabled, foreign = (
            await world.provider(organization),
            await world.provider(organization),
            await world.provider(organization),
            await world.provider(other),
        )
        mine, stranger = await world.patient(organization), await world.patient(organization)
        group = await world.group(
            organization, "Group", **{"leader-ids": [str(leader.user_id)], "individual-ids": [str(mine.individual_id)]}
        )
        beside = await world.group(organization, "Beside", **{"leader-ids": [str(leader.user_id)]})
        await disable(world, disabled)
        add = f"{V1}{beside}/add-individuals/"
        await world.post(add, {"individual-ids": [str(mine.individual_id)]}, leader)
        refused = await world.post(add, {"individual-ids": [str(stranger.individual_id)]}, leader, 404)
        assert refused["errors"][0]["meta"] == {"individual-ids": [str(stranger.individual_id)]}
        assert refused["errors"][0]["source"] == {"pointer": "/individual-ids"}
        for kind in ("leader", "member"):
            add = f"{V1}{group}/add-{kind}s/"
            unknown = await world.post(add, {"user-ids": [str(nurse.user_id), str(foreign.user_id)]}, leader, 404)
            assert unknown["errors"][0]["meta"] == {"user-ids": [str(foreign.user_id)]}
            unknown = await world.post(add, {"user-emails": [foreign.email, "nobody@people.test"]}, leader, 404)
            assert unknown["errors"][0]["meta"] == {"user-emails": [foreign.email, "nobody@people.test"]}
            ineligible = await world.post(add, {"user-emails": [nurse.email, disabled.email]}, leader, 409)
            assert code(ineligible) == "not-eligible"
            assert ineligible["errors"][0]["meta"] == {"user-ids": [str(disabled.user_id)]}
            ineligible = await world.post(add, {"user-ids": [str(foreign.user_id)]}, world.service, 409)
            assert code(ineligible) == "not-eligible"
        assert await roster(world, group, "leader") == [str(leader.user_id)]
        assert await roster(world, group, "member") == []


async def test_unchangeable_and_foreign_individuals_are_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization, other = await world.organization(), await world.organization()
        person, patient = await world.provider(organization), await world.patient(organization)
        reads = await world.group(
            organization, "Reads", **{"individual-ids": [str(patient.individual_id)], "leader-ids": []}
        )
        await world.post(f"{V1}{reads}/add-members/", {"user-ids": [str(person.user_id)]}, world.system)
        leads = await world.group(organization, "Leads", **{"leader-ids": [str(person.user_id)]})
        add = f"{V1}{leads}/add-individuals/"
        refused = await world.post(add, {"individual-ids": [str(patient.individual_id)]}, person, 403)
        assert refused["errors"][0]["meta"] == {"individual-ids": [str(patient.individual_id)]}
        foreign = await world.individual(other)
        refused = await world.post(add, {"individual-ids": [str(foreign)]}, world.system, 409)
        assert (code(refused), refused["errors"][0]["meta"]) == ("not-eligible", {"individual-ids": [str(foreign)]})
        nurses = await world.group(organization, "Nurses", type="provider_only")
        body = {"individual-ids": [str(patient.individual_id)]}
        refused = await world.post(f"{V1}{nurses}/add-individuals/", body, world.system, 409)
        assert code(refused) == "group-provider-only"


async def test_people_change_groups_in_one_step(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, leader = await world.admin(organization), await world.provider(organization)
        individual = str(await world.individual(organization))
        old, new = await world.group(organization, "old"), await world.group(organization, "new")
        foreign, closed = await world.group(await world.organization()), await world.group(organization)
        await world.client.delete(f"{V1}{closed}/", headers=admin.bearer)
        await world.post(f"{V1}{old}/add-individuals/", {"individual-ids": [individual]}, admin)
        body = {"individual-ids": [individual], "remove-from-group": str(old)}
        await world.post(f"{V1}{new}/add-individuals/", body, admin)
        assert await roster(world, old, "individual") == []
        assert await roster(world, new, "individual") == [individual]
        await world.post(f"{V1}{new}/add-leaders/", {"user-ids": [str(leader.user_id)]}, admin)
        computed = system_group_id(organization, "unassigned")
        for caller, other, status, expected in (
            (admin, new, 400, "invalid-attribute"),
            (await world.provider(organization), new, 400, "invalid-attribute"),
            (admin, computed, 409, "group-system-managed"),
            (admin, closed, 409, "invalid-state"),
            (admin, foreign, 404, "not-found"),
            (admin, uuid4(), 404, "not-found"),
            (world.system, foreign, 409, "conflict"),
            (leader, old, 404, "not-found"),
        ):
            body = {"individual-ids": [individual], "remove-from-group": str(other)}
            refused = await world.post(f"{V1}{new}/add-individuals/", body, caller, status)
            assert code(refused) == expected
            assert refused["errors"][0]["source"] == {"pointer": "/remove-from-group"}
        await world.post(f"{V1}{old}/add-members/", {"user-ids": [str(leader.user_id)]}, admin)
        body = {"individual-ids": [individual], "remove-from-group": str(old)}
        assert code(await world.post(f"{V1}{new}/add-individuals/", body, leader, 403)) == "forbidden"


async def test_rights_follow_the_roster_at_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, nurse = await world.admin(organization), await world.provider(organization)
        group = await world.group(organization)
        for action, status in (("add-members", 200), ("remove-members", 404)):
            await world.post(f"{V1}{group}/{action}/", {"user-ids": [str(nurse.user_id)]}, admin)
            await world.get(f"{V1}{group}/", nurse, status)


async def test_a_disabled_leader_stays_and_is_shown_as_such(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, leader = await world.admin(organization), await world.provider(organization)
        group = await world.group(organization, "Group", **{"leader-ids": [str(leader.user_id)]})
        await disable(world, leader)
        await world.catch_up()
        shown = (await world.get(f"{V1}{group}/", admin))["data"]["attributes"]
        assert [(row["id"], row["enabled"]) for row in shown["leaders"]] == [(str(leader.user_id), False)]
        await world.post(f"{V1}{group}/add-leaders/", {"user-ids": [str(leader.user_id)]}, admin)
        body = {"user-ids": [str(leader.user_id)]}
        assert code(await world.post(f"{V1}{group}/add-members/", body, admin, 409)) == "not-eligible"


async def test_rosters_are_listed_by_id_to_readers_of_the_group(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        member, provider = await world.provider(organization), await world.provider(organization)
        leaders = sorted([str((await world.provider(organization)).user_id) for _ in range(3)])
        individuals = sorted([str(await world.individual(organization)) for _ in range(3)])
        group = await world.group(organization, "Group", **{"leader-ids": leaders, "individual-ids": individuals})
        await world.post(f"{V1}{group}/add-members/", {"user-ids": [str(member.user_id)]}, world.system)
        await world.catch_up()
        asked = {"individual-group-id": str(group)}
        for path, kind, ids in (
            ("/v1/individual-group-individuals/", "individual", individuals),
            ("/v1/individual-group-leaders/", "leader", leaders),
        ):
            whole = await world.get(path, member, **asked)
            assert [row["attributes"][kind]["id"] for row in whole["data"]] == ids
            assert {row["attributes"]["individual-group-id"] for row in whole["data"]} == {str(group)}
            page = await world.get(path, member, **asked, **{"page[limit]": 1, "page[offset]": 1})
            assert [row["attributes"][kind]["id"] for row in page["data"]] == ids[1:2]
            assert page["meta"]["page[total]"] == 3
            refused = await world.get(path, provider, 404, **asked)
            assert refused["errors"][0]["source"] == {"parameter": "individual-group-id"}
            assert code(await world.get(path, member, 400)) == "invalid-parameter"
        record = (await world.get("/v1/individual-group-individuals/", member, **asked))["data"][0]["attributes"]
        assert record["individual"]["owner"] == {"id": str(organization), "type": "organization"}
        assert (record["individual"]["name"], record["individual"]["registered"]) == (None, False)
