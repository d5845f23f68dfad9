"""Moves and their tasks through HTTP: what is refused, what is pending, what holds when they are done."""

import asyncio
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from domain.groups.groups import system_group_id
from domain.groups.trees import GroupTree, tree_id
from domain.people.users import User
from domain.sessions.sessions import Session
from tests.api.groups.test_groups import V1, V2, code
from tests.support.world.principals import a_principal
from tests.support.world.product import Person, World, a_world


def to(parent: UUID | None) -> dict[str, str | None]:
    return {"to-parent-group-id": None if parent is None else str(parent)}


async def requested(world: World, group: UUID, parent: UUID | None, by: Person) -> UUID:
    answer = await world.post(f"{V1}{group}/move-group/", to(parent), by)
    assert set(answer) == {"data"}
    return UUID(answer["data"]["task-id"])


async def attributes(world: World, task: UUID, by: Person) -> dict[str, Any]:
    document = await world.get(f"/v1/tasks/{task}/", by)
    assert document["data"]["type"] == "tasks"
    return dict(document["data"]["attributes"])


async def finished(world: World, task: UUID, by: Person) -> dict[str, Any]:
    for _ in range(200):
        shown = await attributes(world, task, by)
        if shown["state"] in {"done", "failed"}:
            return shown
        await asyncio.sleep(0.02)
        await world.catch_up()
    raise AssertionError(shown)


async def parent_of(world: World, group: UUID, by: Person) -> str | None:
    shown = (await world.get(f"{V2}{group}/", by))["data"]["attributes"]["parent-group"]
    return None if shown is None else str(shown["id"])


async def slowed(world: World, person: Person, milliseconds: int) -> Person:
    """The same person in a session whose background jobs are delayed."""
    user = await world.identity.store.get(User, person.user_id)
    position = await world.identity.store.save()
    session = Session.open(
        uuid4(), user, organization_id=None, position=position, kind="password", seconds=3600, queue_delay=milliseconds
    )
    await world.session_store.save(session)
    token = world.tokens.access_token(user.id, session.id, session.organization_id, session.access_until())
    return Person(person.user_id, person.individual_id, person.email, {"Authorization": f"Bearer {token}"})


async def test_a_finished_task_waits_for_the_lists_or_reports_lag(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        group, parent = await world.group(organization), await world.group(organization)
        task = await world.move(group, parent)
        await world.stop_projecting()
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner:
            await owner.execute("UPDATE projections SET position = 1 WHERE name = 'groups'")
        answer = await world.client.get(f"/v1/tasks/{task}/", headers=world.system.bearer)
        assert (answer.status_code, code(answer.json())) == (503, "read-model-behind")
        # it is a question: there is nothing of which it could say where it was recorded
        assert "X-Position" not in answer.headers
        assert answer.json()["errors"][0]["meta"] == {}


async def test_a_finished_task_shows_in_the_lists(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await world.admin(organization)
        parent, child = await world.group(organization, "parent"), await world.group(organization, "child")
        task = await requested(world, child, parent, admin)
        shown = await finished(world, task, admin)
        assert set(shown) == {"kind", "state", "created-time", "finished-time", "error", "position"}
        assert (shown["kind"], shown["state"], shown["error"]) == ("move-group", "done", None)
        assert await parent_of(world, child, admin) == str(parent)
        assert (await world.get(f"{V2}{parent}/", admin))["data"]["attributes"]["child-count"] == 1
        headers = {**admin.bearer, "X-At-Least-Position": str(shown["position"])}
        assert (await world.client.get(f"{V2}{child}/", headers=headers)).status_code == 200
        assert await parent_of(world, child, admin) == str(parent)
        await finished(world, await requested(world, child, None, admin), admin)
        assert await parent_of(world, child, admin) is None


async def test_divisions_stand_under_divisions_and_groups_under_both(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await world.admin(organization)
        root, division = [await world.group(organization, **{"node-type": "division"}) for _ in range(2)]
        group, team = [await world.group(organization) for _ in range(2)]
        for node, parent in ((division, root), (group, division), (team, group)):
            await finished(world, await requested(world, node, parent, admin), admin)
            assert await parent_of(world, node, admin) == str(parent)


async def test_a_move_that_changes_nothing_is_done_at_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, group = await world.admin(organization), await world.group(organization)
        shown = await attributes(world, await requested(world, group, None, admin), admin)
        assert (shown["state"], shown["error"]) == ("done", None)
        assert shown["position"] is not None


async def test_a_task_is_shown_to_the_user_who_started_it(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin, colleague = await world.admin(organization), await world.admin(organization)
        task = await requested(world, await world.group(organization), None, admin)
        for caller in (admin, world.system, world.service):
            assert (await attributes(world, task, caller))["state"] == "done"
        assert code(await world.get(f"/v1/tasks/{task}/", colleague, 404)) == "not-found"
        assert code(await world.get(f"/v1/tasks/{uuid4()}/", admin, 404)) == "not-found"
        assert code(await world.get("/v1/tasks/x/", admin, 400)) == "invalid-parameter"


async def test_invalid_moves_are_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization, other = await world.organization(), await world.organization()
        admin, leader = await world.admin(organization), await world.provider(organization)
        group = await world.group(organization, "Group", **{"leader-ids": [str(leader.user_id)]})
        below, division = await world.group(organization), await world.group(organization, **{"node-type": "division"})
        beside, foreign, closed = (
            await world.group(organization),
            await world.group(other),
            await world.group(organization),
        )
        await world.move(below, group)
        await world.post(f"{V1}{beside}/add-members/", {"user-ids": [str(leader.user_id)]}, admin)
        await world.client.delete(f"{V1}{closed}/", headers=admin.bearer)
        computed = system_group_id(organization, "all_participants")
        for caller, node, parent, status, expected in (
            (admin, group, group, 409, "group-cycle"),
            (admin, group, below, 409, "group-cycle"),
            (admin, division, group, 409, "conflict"),
            (admin, group, closed, 409, "invalid-state"),
            (admin, group, computed, 409, "group-system-managed"),
            (admin, group, foreign, 404, "not-found"),
            (world.system, group, foreign, 409, "conflict"),
            (admin, group, uuid4(), 404, "not-found"),
            (admin, uuid4(), group, 404, "not-found"),
            (leader, group, beside, 403, "forbidden"),
            (leader, group, division, 404, "not-found"),
            (leader, group, None, 403, "forbidden"),
            (leader, division, group, 404, "not-found"),
            (leader, beside, group, 403, "forbidden"),
        ):
            refused = await world.post(f"{V1}{node}/move-group/", to(parent), caller, status)
            assert code(refused) == expected, (node, parent)
        assert code(await world.post(f"{V1}{group}/move-group/", {}, admin, 400)) == "missing-attribute"


async def test_a_tree_has_at_most_32_levels(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await world.admin(organization)
        top, *chain = [await world.group(organization) for _ in range(32)]
        below = await world.group(organization)
        await world.move(below, chain[-1])
        for parent, child in pairwise([top, *chain[:-1]]):
            task, _ = await world.identity.group_moves.request(a_principal(admin.user_id), child, parent)
            await world.identity.group_moves.carry_out(organization, task)
        refused = await world.post(f"{V1}{chain[-1]}/move-group/", to(chain[-2]), admin, 409)
        assert code(refused) == "conflict"
        await finished(world, await requested(world, below, None, admin), admin)
        done = await finished(world, await requested(world, chain[-1], chain[-2], admin), admin)
        assert done["state"] == "done"
        refused = await world.post(f"{V1}{below}/move-group/", to(chain[-1]), admin, 409)
        assert code(refused) == "conflict"


async def test_a_pending_move_changes_neither_tree_nor_rights(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        old_leader, new_leader = await world.provider(organization), await world.provider(organization)
        old = await world.group(organization, "old", **{"leader-ids": [str(old_leader.user_id)]})
        new = await world.group(organization, "new", **{"leader-ids": [str(new_leader.user_id)]})
        patient = await world.patient(organization)
        child = await world.group(organization, "child", **{"individual-ids": [str(patient.individual_id)]})
        await world.move(child, old)
        admin = await slowed(world, await world.admin(organization), 60_000)
        task = await requested(world, child, new, admin)
        await world.catch_up()
        pending = await attributes(world, task, admin)
        assert (pending["state"], pending["position"], pending["finished-time"]) == ("pending", None, None)
        assert await parent_of(world, child, admin) == str(old)
        await world.get(f"{V1}{child}/", old_leader)
        await world.get(f"{V1}{child}/", new_leader, 404)
        assert code(await world.post(f"{V1}{child}/move-group/", to(None), admin, 409)) == "move-in-progress"
        rename = {"data": {"type": "individual-groups", "id": str(child), "attributes": {"name": "renamed"}}}
        await world.patch(f"{V1}{child}/", rename, admin)
        await world.identity.group_moves.carry_out(organization, task)
        await world.get(f"{V1}{child}/", old_leader, 404)
        await world.get(f"{V1}{child}/", new_leader)
        done = await finished(world, task, admin)
        assert done["state"] == "done"
        asked = {"individual-group-id": str(child)}
        people = await world.get("/v1/individual-group-individuals/", new_leader, **asked)
        assert [row["attributes"]["individual"]["id"] for row in people["data"]] == [str(patient.individual_id)]


async def test_a_short_delay_passes_and_the_move_is_carried_out(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await slowed(world, await world.admin(organization), 300)
        parent, child = await world.group(organization), await world.group(organization)
        task = await requested(world, child, parent, admin)
        await world.catch_up()
        assert (await attributes(world, task, admin))["state"] == "pending"
        assert (await finished(world, task, admin))["state"] == "done"


@pytest.mark.parametrize("cycle", [True, False])
async def test_a_move_that_became_impossible_fails_and_says_why(database_url: str, *, cycle: bool) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await slowed(world, await world.admin(organization), 60_000)
        one, other = await world.group(organization), await world.group(organization)
        task = await requested(world, one, other, admin)
        if cycle:
            await world.move(other, one)
        else:
            await world.client.delete(f"{V1}{other}/", headers=admin.bearer)
        for _ in range(2):
            await world.identity.group_moves.carry_out(organization, task)
        shown = await finished(world, task, admin)
        assert (shown["state"], shown["error"]) == ("failed", "group-cycle" if cycle else "invalid-state")
        assert await parent_of(world, one, admin) is None
        tree = await world.identity.store.get(GroupTree, tree_id(organization))
        assert tree.moves == {}


async def test_the_events_of_a_move_name_the_user_who_requested_it(database_url: str) -> None:
    async with a_world(database_url) as world:
        organization = await world.organization()
        admin = await world.admin(organization)
        parent, child = await world.group(organization), await world.group(organization)
        await finished(world, await requested(world, child, parent, admin), admin)
        async with world.pool.connection() as connection:
            cursor = await connection.execute("SELECT actor FROM events WHERE topic = %s", (GroupTree.Moved.TOPIC,))
            assert await cursor.fetchall() == [(admin.user_id,)]
