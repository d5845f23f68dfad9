"""Computed groups, deactivated groups and open organizations."""

from typing import Any
from uuid import UUID

from domain.groups.groups import system_group_id
from tests.api.groups.test_groups import PEOPLE, ROSTER, V1, V2, change, code, creation, names
from tests.support.world.product import a_world


async def test_a_group_with_groups_under_it_is_not_deactivated(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await world.admin(organization)
        parent, child = await world.group(organization, "parent"), await world.group(organization, "child")
        await world.move(child, parent)
        answer = await world.client.delete(f"{V1}{parent}/", headers=admin.bearer)
        assert (answer.status_code, code(answer.json())) == (409, "group-not-empty")
        for group in (child, parent):
            assert (await world.client.delete(f"{V1}{group}/", headers=admin.bearer)).status_code == 204


async def test_computed_groups_hold_individuals_and_cannot_be_changed(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, provider = await world.admin(organization), await world.provider(organization)
        placed, loose = await world.patient(organization), await world.individual(organization)
        group = await world.group(organization, "Group", **{"individual-ids": [str(placed.individual_id)]})
        await world.catch_up()
        everyone, unassigned = (system_group_id(organization, kind) for kind in ("all_participants", "unassigned"))

        async def people(of: UUID) -> set[str]:
            answer = await world.get(ROSTER, admin, **{"individual-group-id": str(of)})
            shown = (await world.get(f"{V1}{of}/", admin, **PEOPLE))["data"]["attributes"]
            found = {row["attributes"]["individual"]["id"] for row in answer["data"]}
            assert found == set(shown["individual-ids"])
            assert len(found) == shown["individuals-count"] == answer["meta"]["page[total]"]
            return found

        assert await people(everyone) == {str(placed.individual_id), str(loose)}
        assert await people(unassigned) == {str(loose)}
        for _ in range(2):
            body = {"individual-ids": [str(placed.individual_id)]}
            await world.post(f"{V1}{group}/remove-individuals/", body, admin)
            assert await people(unassigned) == {str(placed.individual_id), str(loose)}
        both = await world.get(V2, admin, type=["all_participants", "unassigned"])
        assert names(both) == ["All participants", "Unassigned"]
        for caller, status, expected in (
            (admin, 409, "group-system-managed"),
            (world.system, 409, "group-system-managed"),
            (provider, 404, "not-found"),
        ):
            assert code(await world.patch(f"{V1}{everyone}/", change(everyone, name="x"), caller, status)) == expected
            body = {"individual-ids": [str(loose)]}
            assert code(await world.post(f"{V1}{everyone}/add-individuals/", body, caller, status)) == expected
            moved = {"to-parent-group-id": str(group)}
            assert code(await world.post(f"{V1}{everyone}/move-group/", moved, caller, status)) == expected
            answer = await world.client.delete(f"{V1}{everyone}/", headers=caller.bearer)
            assert (answer.status_code, code(answer.json())) == (status, expected)


async def test_unassigned_individuals_are_in_no_active_group(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization, other = await world.organization(), await world.organization()
        admin, patient = await world.admin(organization), await world.patient(organization)
        person, beside = str(patient.individual_id), str(await world.individual(organization))
        division = await world.group(organization, "Division", **{"node-type": "division"})
        one, two = await world.group(organization, "One"), await world.group(organization, "Two")
        unassigned = system_group_id(organization, "unassigned")

        async def after(group: UUID, action: str, **body: Any) -> set[str]:
            if action == "deactivate":
                assert (await world.client.delete(f"{V1}{group}/", headers=admin.bearer)).status_code == 204
            else:
                await world.post(f"{V1}{group}/{action}-individuals/", {"individual-ids": [person], **body}, admin)
            answer = await world.get(ROSTER, admin, **{"individual-group-id": str(unassigned)})
            (row,) = (await world.get(V2, admin, type="unassigned"))["data"]
            assert row["attributes"]["individuals-count"] == len(answer["data"]) == answer["meta"]["page[total]"]
            return {each["attributes"]["individual"]["id"] for each in answer["data"]}

        assert await after(one, "remove") == {person, beside}
        assert await after(division, "add") == {beside}
        assert await after(one, "add") == {beside}
        assert await after(division, "remove") == {beside}
        assert await after(two, "add", **{"remove-from-group": str(one)}) == {beside}
        assert await after(one, "add") == {beside}
        assert await after(one, "deactivate") == {beside}
        assert await after(two, "deactivate") == {person, beside}
        assert await after(division, "add") == {beside}
        assert await after(division, "remove") == {person, beside}
        share = {"with": {"type": "organization", "id": str(other)}}
        await world.post(f"/v1/individuals/{person}/share/", share, world.service)
        abroad = {"individual-group-id": str(system_group_id(other, "unassigned"))}
        assert len((await world.get(ROSTER, world.system, **abroad))["data"]) == 1
        unshare = {"with": {"type": "organization", "id": str(organization)}}
        await world.post(f"/v1/individuals/{person}/unshare/", unshare, world.service)
        here = {"individual-group-id": str(unassigned)}
        assert [row["attributes"]["individual"]["id"] for row in (await world.get(ROSTER, admin, **here))["data"]] == [
            beside
        ]


async def test_providers_of_an_open_organization_read_all_groups(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization(open_=True)
        provider, group = await world.provider(organization), await world.group(organization)
        shown = (await world.get(f"{V1}{group}/", provider, **PEOPLE))["data"]["attributes"]
        assert shown["self-can-write"] is False
        assert code(await world.patch(f"{V1}{group}/", change(group, name="x"), provider, 403)) == "forbidden"
        everyone = system_group_id(organization, "all_participants")
        assert code(await world.patch(f"{V1}{everyone}/", change(everyone, name="x"), provider, 403)) == "forbidden"


async def test_a_client_that_follows_the_times_of_modification_misses_nothing(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await world.admin(organization)
        first = await world.group(organization, "b first")
        seen = (await world.get(f"{V2}{first}/", admin))["data"]["attributes"]["last-modified-time"]
        await world.group(organization, "a second")
        later = await world.get(V2, admin, **{"filter[cmp-last-modified-time]": f">{seen}"})
        assert names(later) == ["b first", "a second"]
        none = await world.get(V2, admin, **{"filter[cmp-last-modified-time]": [f">={seen}", "<2000-01-01 00:00:00"]})
        assert names(none) == []
        for wrong in ("2000-01-01 00:00:00", "=2000-01-01 00:00:00", ">yesterday", ">2000-01-01"):
            asked = {"filter[cmp-last-modified-time]": wrong}
            assert code(await world.get(V2, admin, 400, **asked)) == "invalid-parameter"


async def test_a_retried_creation_makes_one_group(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await world.admin(organization)
        headers = {**admin.bearer, "Idempotency-Key": "once"}
        answers = [await world.client.post(V1, json=creation(organization), headers=headers) for _ in range(2)]
        assert [each.status_code for each in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        assert answers[0].headers["X-Position"] == answers[1].headers["X-Position"]
        assert names(await world.get(V2, admin)) == ["Heart"]
