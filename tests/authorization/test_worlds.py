"""The worlds of the YAML files beside this one, asked through HTTP. How to read and write them: README.md."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.authorization.stage import OPERATIONS, Stage
from tests.support.world.product import a_world

pytestmark = pytest.mark.slow

WORLDS = {path.stem: path.read_text() for path in sorted(Path(__file__).parent.glob("*.yaml"))}
CHAPTER = {"do", "assert_true", "assert_false", "assert_only", "accessors", "lists", "individuals", "bulk"}


@pytest.mark.parametrize("name", WORLDS)
async def test_the_world_is_as_its_file_says(database_url: str, name: str) -> None:
    script = yaml.safe_load(WORLDS[name])
    async with a_world(database_url, projecting=False) as world:
        stage = Stage(world)
        for step in script["given"]:
            await stage.do(step)
        for turn, chapter in enumerate(script["story"]):
            assert chapter.keys() <= CHAPTER
            for step in chapter.get("do", ()):
                await stage.do(step)
            await follow(stage, chapter)
            await agree(stage, turn)


async def follow(stage: Stage, chapter: dict[str, Any]) -> None:
    for user, queries in chapter.get("assert_true", {}).items():
        wrong = [each for each in stage.expanded(queries) if not await stage.allows(user, each)]
        assert not wrong, f"{user} may not"
    for user, queries in chapter.get("assert_false", {}).items():
        wrong = [each for each in stage.expanded(queries) if await stage.allows(user, each)]
        assert not wrong, f"{user} may"
    for user, queries in chapter.get("assert_only", {}).items():
        expected = set(stage.expanded(queries))
        asked = stage.things()
        assert expected <= set(asked)
        answers = [
            answer for some in batched(asked, 50) for answer in await stage.bulk([user], some, individually=True)
        ]
        assert {each for each, answer in zip(asked, answers, strict=True) if answer} == expected, user
    for wanted in chapter.get("accessors", ()):
        found = await stage.accessors(wanted["of"], wanted.get("organization"))
        assert sorted(found) == sorted(wanted["are"]), wanted
    for wanted in chapter.get("lists", ()):
        found = await stage.listed(wanted["user"], wanted["queries"], wanted.get("organization"))
        assert sorted(found) == sorted(wanted["are"]), wanted
    for wanted in chapter.get("individuals", ()):
        filters = {f"filter[{name}]": str(stage.ids.get(value, value)) for name, value in wanted["filters"].items()}
        found = await stage.individuals(wanted["user"], wanted["operation"], **filters)
        assert sorted(found) == sorted(wanted["are"]), wanted
    for wanted in chapter.get("bulk", ()):
        together = await stage.bulk(wanted["users"], wanted["queries"], individually=False)
        each = await stage.bulk(wanted["users"], wanted["queries"], individually=True)
        assert (together, each) == (wanted["together"], wanted["each"]), wanted


async def agree(stage: Stage, turn: int) -> None:
    """Bulk checks, lists and accessors of all users agree; lists are compared in turn."""
    users, queries = list(stage.people), stage.things()
    allowed: dict[tuple[str, str], bool] = {}
    for some in batched(queries, 50):
        answers = await stage.bulk(users, some, individually=True)
        allowed |= dict(zip(product(users, some), answers, strict=True))
    named = set(stage.kinds)
    for user, (kind, operations) in product(users[turn % 3 :: 3], OPERATIONS.items()):
        for operation in operations:
            mine = {n for n in named if stage.kinds[n] == kind and allowed[user, f"{kind}:{n}:{operation}"]}
            assert named & set(await stage.listed(user, [f"{kind}::{operation}"])) == mine, (user, kind, operation)
            # an id stays nameless when it is of the operator, whom no world names
            assert await stage.allows(user, f"{kind}::{operation}") >= bool(mine)
        if kind == "individual":
            assert await stage.individuals(user, "read") == await stage.listed(user, ["individual::read"])
    unlimited = {"SYS", "SVC"}
    for query in queries:
        if not query.startswith("group:"):
            found = await stage.accessors(query)
            expected = {user for user in users if allowed[user, query]} - unlimited - await staff(stage)
            assert set(found) & set(users) == expected, query


async def staff(stage: Stage) -> set[str]:
    """Those who read what the operator's people may."""
    return {user for user in stage.people if await stage.allows(user, "system:x:read")}


def batched(queries: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (queries[start : start + size] for start in range(0, len(queries), size))
