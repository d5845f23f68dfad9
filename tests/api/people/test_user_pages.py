"""The order, pages and bounds of lists of users."""

from typing import Any

import pytest

from tests.api.people.test_users import EVERYBODY, listed
from tests.support.world.product import a_world


async def test_pages_are_in_the_order_asked_for(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        people = [await world.provider(north, f"{letter}@north.test") for letter in "CaB"]
        by_email = [people[1].user_id, people[2].user_id, people[0].user_id]
        here = {"organization-id": str(north)}
        assert await listed(world, world.system, **here, **{"sort-by": "email"}) == by_email
        assert await listed(world, world.system, **here, **{"sort-by": "-email"}) == by_email[::-1]
        assert await listed(world, world.system, **here) == sorted(by_email)
        assert await listed(world, world.system, **here, **{"sort-by": "-id"}) == sorted(by_email, reverse=True)
        for key in ("first-name", "-first-name", "last-name", "-last-name"):
            assert set(await listed(world, world.system, **here, **{"sort-by": key})) == set(by_email)
        page = await world.get(
            "/v1/users/", world.system, **here, **{"sort-by": "email", "page[limit]": 1, "page[offset]": 1}
        )
        assert [row["id"] for row in page["data"]] == [str(by_email[1])]
        assert {key: value for key, value in page["meta"].items() if key != "position"} == {
            "page[limit]": 1,
            "page[offset]": 1,
            "page[total]": 3,
        }
        past = await world.get("/v1/users/", world.system, **here, **{"page[offset]": 10})
        assert (past["data"], past["meta"]["page[total]"]) == ([], 3)


async def test_modification_times_order_users_by_their_last_change(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        people = [(await world.provider(north, f"{letter}@north.test")).user_id for letter in "cab"]
        for action in ("disable", "enable"):
            await world.post(f"/v1/users/{people[0]}/{action}/", {}, world.system)
        changed = {"filter[cmp-last-modified-time]": ">2020-01-01 00:00:00", **EVERYBODY}
        for scope in ({"organization-id": str(north)}, {}):
            found = await listed(world, world.system, **scope, **changed)
            assert [user for user in found if user in people] == [*people[1:], people[0]]


@pytest.mark.parametrize(
    "query",
    [
        {"sort-by": "phone"},
        {"filter[organization-admin]": "false"},
        {"page[limit]": "0"},
        {"page[limit]": "1001"},
        {"organization-id": "x"},
        {"filter[cmp-last-modified-time]": ">=2026-01-01 00:00:00"},
        {"filter[cmp-last-modified-time]": [">2026-01-01", "<2026-02-01", "<2026-03-01"]},
        {"filter[phone-number]": "0202 555 0147"},
        {"filter[classification]": "staff"},
        {"filter[registration-invite]": "perhaps"},
        {"filter[enabled]": "yes"},
        {"filter[primary-individual-ids]": "x"},
        {"shared-with-id": "x"},
        {"sort-by": ["email", "id"]},
        {"sort-by": ""},
        {"text": "x" * 256},
        {"email": "x" * 256},
        {"filter[username]": "x" * 256},
        {"nonsense": "1"},
    ],
    ids=str,
)
async def test_parameters_out_of_bounds_are_refused(database_url: str, query: dict[str, Any]) -> None:
    async with a_world(database_url, projecting=False) as world:
        answer = await world.client.get("/v1/users/", params=query, headers=world.system.bearer)
        errors = [(error["code"], error["source"]) for error in answer.json()["errors"]]
        assert (answer.status_code, errors) == (400, [("invalid-parameter", {"parameter": next(iter(query))})])
