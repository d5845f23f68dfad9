"""What a command rests on ends before it is recorded: its group, its organization (ruling O7)."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from adapters.security.passwords import PasswordPool
from tests.api.access.test_ended_rights import deactivate, just_before_the_append, recorded_by
from tests.support.world.product import PASSWORD, Person, World, a_world

pytestmark = pytest.mark.slow

ONBOARDING = "/v1/onboarding-requests/"
EMAIL = "new@people.test"
Ending = Callable[[World, UUID, UUID, Person], Awaitable[Any]]


def invitation(organization: UUID, group: UUID, onboard_type: str) -> dict[str, Any]:
    given = {
        "organization": str(organization),
        "onboard-type": onboard_type,
        "patient-email": EMAIL,
        "password": PASSWORD,
        "auto-sign-up": True,
        "auto-confirm": True,
        "individual-group-ids": [str(group)],
        **({"provider-roles": ["org.admin"]} if onboard_type == "provider" else {}),
    }
    return {"data": {"type": "onboarding-requests", "attributes": given}}


async def deactivate_group(world: World, _: UUID, group: UUID, __: Person) -> None:
    answer = await world.client.delete(f"/v1/individual-groups/{group}/", headers=world.system.bearer)
    assert answer.status_code == 204


async def deactivate_organization(world: World, organization: UUID, _: UUID, __: Person) -> None:
    await deactivate(world, organization)


async def disable(world: World, _: UUID, __: UUID, inviter: Person) -> None:
    await world.post(f"/v1/users/{inviter.user_id}/disable/", {}, world.system)


def while_hashing(_: World, monkeypatch: pytest.MonkeyPatch, ending: Callable[[], Awaitable[Any]]) -> None:
    """Have it happen while the next password is hashed."""
    hash_password = PasswordPool.hash

    async def interrupted(pool: PasswordPool, password: str) -> str:
        monkeypatch.setattr(PasswordPool, "hash", hash_password)
        await ending()
        return await hash_password(pool, password)

    monkeypatch.setattr(PasswordPool, "hash", interrupted)


@pytest.mark.parametrize("moment", [while_hashing, just_before_the_append])
@pytest.mark.parametrize("onboard_type", ["patient", "provider"])
@pytest.mark.parametrize(
    ("ending", "by_system", "status"),
    [
        (deactivate_group, True, 409),
        (deactivate_group, False, 409),
        (deactivate_organization, True, 409),
        (deactivate_organization, False, 409),
        (disable, False, 401),
    ],
)
async def test_onboarding_creates_no_user_when_its_grounds_end(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    moment: Callable[..., None],
    onboard_type: str,
    ending: Ending,
    by_system: bool,
    status: int,
) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        group, admin, _ = await world.group(clinic), await world.admin(clinic), await world.admin(clinic)
        by = world.system if by_system else admin
        moment(world, monkeypatch, lambda: ending(world, clinic, group, by))
        body = invitation(clinic, group, onboard_type)
        answer = await world.client.post(ONBOARDING, json=body, headers=by.bearer)
        assert answer.status_code == status, answer.text
        assert await world.services.directory.user_by_login(EMAIL) is None


async def test_no_user_joins_an_organization_deactivated_at_that_moment(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_world(database_url) as world:
        clinic, other = await world.organization(), await world.organization()
        nurse = await world.provider(other)
        for_system = recorded_by(database_url, world.system)
        just_before_the_append(world, monkeypatch, lambda: deactivate(world, clinic))
        body = {"data": {"type": "organizations", "attributes": {"user-id": str(nurse.user_id)}}}
        path = f"/v1/organizations/{clinic}/add-user/"
        answer = await world.client.post(path, json=body, headers=world.system.bearer)
        assert answer.status_code == 409
        assert recorded_by(database_url, world.system) == for_system + 1, "the deactivation alone"
    assert joined(database_url, nurse) == 1


async def test_no_move_is_requested_under_a_group_deactivated_at_that_moment(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin, group, parent = await world.admin(clinic), await world.group(clinic), await world.group(clinic)
        before = recorded_by(database_url, admin)
        just_before_the_append(world, monkeypatch, lambda: deactivate_group(world, clinic, parent, admin))
        path = f"/v1/individual-groups/{group}/move-group/"
        body = {"to-parent-group-id": str(parent)}
        answer = await world.client.post(path, json=body, headers=admin.bearer)
        assert answer.status_code == 409
        assert answer.json()["errors"][0]["code"] == "invalid-state"
    assert recorded_by(database_url, admin) == before


def joined(database_url: str, person: Person) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM events WHERE originator_id = %s AND topic = 'user.joined-organization'",
            [person.user_id],
        ).fetchone()
    assert row is not None
    return int(row[0])
