"""Lists of groups through HTTP: every filter by its contract name, what is refused, pages and their totals."""

from typing import Any
from uuid import UUID, uuid4

from domain.groups.groups import system_group_id
from tests.api.groups.test_groups import V1, V2, code, names
from tests.support.world.product import a_world


async def test_every_filter_narrows_the_list_and_its_total(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization, other = await world.organization(), await world.organization()
        admin, leader = await world.admin(organization), await world.provider(organization)
        record, loose = str(await world.individual(organization)), str(await world.individual(organization))
        division = await world.group(organization, "Division", **{"node-type": "division", "tags": ["a", "b"]})
        people = {"leader-ids": [str(leader.user_id)], "individual-ids": [record]}
        heart = await world.group(organization, "Heart 100%", **people, tags=["b", "c"])
        await world.group(organization, "Nurses", type="provider_only")
        await world.group(other, "Foreign", **{"leader-ids": [str((await world.provider(other)).user_id)]})
        await world.move(heart, division)
        everything = ["Division", "Heart 100%", "Nurses"]
        expected: list[tuple[dict[str, Any], list[str]]] = [
            ({}, everything),
            ({"organization-id": str(organization)}, everything),
            ({"organization-id": str(other)}, []),
            ({"organization-id": str(uuid4())}, []),
            ({"ids": [str(heart), str(uuid4())]}, ["Heart 100%"]),
            ({"ids": [str(system_group_id(organization, "unassigned"))]}, []),
            ({"filter[exclude-ids]": [str(heart), str(division)]}, ["Nurses"]),
            ({"name": "hEART 100%"}, ["Heart 100%"]),
            ({"name": "Heart"}, []),
            ({"filter[text]": "RT 1"}, ["Heart 100%"]),
            ({"filter[text]": "%"}, ["Heart 100%"]),
            ({"filter[text]": "_"}, []),
            ({"filter[node-type]": "division"}, ["Division"]),
            ({"filter[node-type]": "group"}, ["Heart 100%", "Nurses"]),
            ({"filter[tree-node-type]": "non-leaf"}, ["Division"]),
            ({"filter[tree-node-type]": "leaf"}, ["Heart 100%", "Nurses"]),
            ({"filter[tags]": ["a", "c"]}, ["Division", "Heart 100%"]),
            ({"filter[tags]": ["A"]}, []),
            ({"filter[parent-group-id]": str(division)}, ["Heart 100%"]),
            ({"filter[parent-group-id]": str(uuid4())}, []),
            ({"filter[leader-id]": str(leader.user_id)}, ["Heart 100%"]),
            ({"filter[individual-id]": record}, ["Heart 100%"]),
            ({"filter[individual-id]": loose}, []),
            ({"exclude[individual-id]": record}, ["Division", "Nurses"]),
            ({"filter[eligible-individual-id]": record}, ["Division"]),
            ({"filter[eligible-individual-id]": loose}, ["Division"]),
            ({"type": ["regular"]}, ["Division", "Heart 100%"]),
            ({"type": ["provider_only", "unassigned"]}, ["Nurses", "Unassigned"]),
            ({"type": ["all_participants", "unassigned"], "filter[individual-id]": record}, ["All participants"]),
            (
                {"type": ["all_participants", "unassigned"], "filter[individual-id]": loose},
                ["All participants", "Unassigned"],
            ),
            ({"type": ["all_participants", "unassigned"], "exclude[individual-id]": record}, ["Unassigned"]),
            ({"filter[tags]": ["b"], "filter[node-type]": "group"}, ["Heart 100%"]),
            ({"filter[leader-id]": str(leader.user_id), "filter[node-type]": "division"}, []),
        ]
        for asked, wanted in expected:
            for path in (V1, V2):
                answer = await world.get(path, admin, **asked)
                assert names(answer) == wanted, asked
                assert answer["meta"]["page[total]"] == len(wanted), asked


async def test_a_filter_names_nothing_that_the_caller_may_not_read(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        leader, boss = await world.provider(organization), await world.provider(organization)
        record = str(await world.individual(organization))
        people = {"individual-ids": [record], "leader-ids": [str(boss.user_id)]}
        division = await world.group(organization, "Division", **people, **{"node-type": "division"})
        mine = await world.group(organization, "Mine", **{"leader-ids": [str(leader.user_id)]})
        await world.group(organization, "Beside", **people)
        await world.move(mine, division)
        for asked, expected in (
            ({"ids": [str(division), str(mine)]}, ["Mine"]),
            ({"filter[parent-group-id]": str(division)}, ["Mine"]),
            ({"filter[leader-id]": str(boss.user_id)}, []),
            ({"filter[individual-id]": record}, []),
            ({"exclude[individual-id]": record}, ["Mine"]),
            ({"filter[eligible-individual-id]": record}, []),
            ({"name": "Beside"}, []),
        ):
            answer = await world.get(V2, leader, **asked)
            assert (names(answer), answer["meta"]["page[total]"]) == (expected, len(expected)), asked


async def test_invalid_lists_are_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        refusals: list[tuple[str, Any]] = [
            ("page[limit]", 0),
            ("page[limit]", 1001),
            ("page[offset]", -1),
            ("page[offset]", 2**31),
            ("ids", [str(uuid4()), "x"]),
            ("ids", [str(uuid4()) for _ in range(1001)]),
            ("filter[exclude-ids]", "x"),
            ("filter[include-inactive]", "1"),
            ("filter[leader-id]", [str(uuid4())] * 2),
            ("filter[tags]", "x" * 128),
            ("filter[text]", "x" * 256),
            ("filter[node-type]", "leaf"),
            ("filter[cmp-last-modified-time]", [">2000-01-01 00:00:00"] * 3),
            ("type", ["regular", "other"]),
            ("colour", "red"),
        ]
        for path in (V1, V2):
            for name, value in refusals:
                refused = await world.get(path, world.system, 400, **{name: value})
                assert code(refused) == "invalid-parameter", name
                assert refused["errors"][0]["source"] == {"parameter": name}
        assert code(await world.get(V2, world.system, 400, **{"with-individuals": "true"})) == "invalid-parameter"
        past = await world.get(V2, world.system, **{"page[offset]": 2**31 - 1})
        assert (past["data"], past["meta"]["page[total]"]) == ([], 0)


async def test_pages_join_without_gaps_and_each_tells_the_whole_total(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization, other = await world.organization(), await world.organization()
        ids = [str(await world.group(each, name)) for each in (organization, other) for name in ("b", "A", "a", "B")]
        for asked, count in (({}, 8), ({"organization-id": str(organization)}, 4), ({"ids": ids[:5]}, 5)):
            whole = await world.get(V2, world.system, **asked)
            rows = [(row["attributes"]["name"].lower(), row["id"]) for row in whole["data"]]
            assert rows == sorted(rows)
            paged: list[UUID] = []
            for offset in range(0, count, 3):
                page = await world.get(V2, world.system, **asked, **{"page[limit]": 3, "page[offset]": offset})
                assert page["meta"] == whole["meta"] | {"page[limit]": 3, "page[offset]": offset}
                paged += [row["id"] for row in page["data"]]
            assert paged == [row["id"] for row in whole["data"]]
            assert len(paged) == count


async def test_version_1_lists_leaders_and_individuals_but_no_members(
    database_url: str,
) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        person, record = await world.provider(organization), str(await world.individual(organization))
        people = {"leader-ids": [str(person.user_id)], "individual-ids": [record]}
        await world.group(organization, "led", **people)
        joined = await world.group(organization, "joined")
        body = {"user-ids": [str(person.user_id)]}
        await world.post(f"{V1}{joined}/add-members/", body, world.system)
        plain = {row["attributes"]["name"]: row["attributes"] for row in (await world.get(V1, person))["data"]}
        assert plain["led"]["leader-ids"] == [row["id"] for row in plain["led"]["leaders"]] == [str(person.user_id)]
        assert plain["joined"]["leader-ids"] == plain["joined"]["leaders"] == []
        assert {name: row["self-can-write"] for name, row in plain.items()} == {"led": True, "joined": False}
        with_people = await world.get(V1, person, **{"with-individuals": "true"})
        full = {row["attributes"]["name"]: row["attributes"] for row in with_people["data"]}
        assert full["led"]["individual-ids"] == [row["id"] for row in full["led"]["individuals"]] == [record]
        assert full["joined"]["individual-ids"] == full["joined"]["individuals"] == []
        hidden = ("individual-ids", "individuals", "members")
        assert {row[name] for row in plain.values() for name in hidden} == {None}
        assert {row["members"] for row in full.values()} == {None}
        computed = {"type": ["unassigned", "all_participants"], "with-individuals": "true"}
        loose = str(await world.individual(organization))
        everyone, unassigned = (await world.get(V1, await world.admin(organization), **computed))["data"]
        assert everyone["attributes"]["individual-ids"] == sorted([record, loose])
        assert unassigned["attributes"]["individual-ids"] == [loose]
        assert unassigned["attributes"]["individuals-count"] == 1
