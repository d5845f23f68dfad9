"""Commands that rest on what their caller is: a system administrator, one of the operator's people, a service (O7).

Each is sent while that ends: the body still arrives, a password is hashed, or just before what was decided is recorded.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from starlette.requests import Request

from api.edge.caller import authenticate
from domain.access.roles import SYSTEM_ADMIN, Role
from domain.core.decisions import deciding
from domain.core.errors import DecisionOutdated
from domain.core.principal import Principal
from domain.organizations.organizations import OPERATOR_ID
from domain.sessions.service_accounts import ServiceAccounts, ServiceName
from tests.api.access.test_ended_grounds import invitation, while_hashing
from tests.api.access.test_ended_rights import Story, just_before_the_append, recorded_by, rename, sent, sent_slowly
from tests.support.world.product import SERVICE, Person, World, a_world, role_id

pytestmark = pytest.mark.slow

REFUSED = {401, 403, 404}


class Command(NamedTuple):
    """A request whose sender has no other right to it."""

    method: str
    path: str
    body: dict[str, Any]


def about(kind: str, **attributes: Any) -> dict[str, Any]:
    return {"data": {"type": kind, "attributes": {name.replace("_", "-"): value for name, value in attributes.items()}}}


async def of_system_administrators(world: World) -> list[Command]:
    """One of each; everything that is named is there for it alone."""
    clinic, home = await world.organization(), await world.organization()
    await world.admin(clinic)
    nurse, leaving, dismissed, disabled = [await world.admin(clinic) for _ in range(4)]
    entering, joining = [str((await world.provider(home)).user_id) for _ in range(2)]
    disabling, appointed, granted = [str((await world.provider(clinic)).user_id) for _ in range(3)]
    await world.post(f"/v1/users/{disabled.user_id}/disable/", {}, world.system)
    role = role_id(clinic, "org.admin")
    group, other, closed = [await world.group(clinic) for _ in range(3)]
    record, lent = await world.individual(clinic), await world.individual(clinic)
    leader, path = str(nurse.user_id), f"/v1/organizations/{clinic}/"
    renamed = {"data": {"type": "organizations", "id": str(clinic), "attributes": {"display-name": "renamed"}}}
    party = {"type": "user", "id": str(leaving.user_id)}
    session = world.tokens.verify(nurse.bearer["Authorization"].removeprefix("Bearer ")).session_id
    groups = "/v1/individual-groups/"
    return [
        Command("POST", "/v1/organizations/", about("organizations", name=f"new-{uuid4().hex[:8]}")),
        Command("PATCH", path, renamed),
        Command("POST", f"{path}add-user/", about("organizations", user_id=entering)),
        Command("POST", f"{path}remove-user/", about("organizations", user_id=str(leaving.user_id))),
        Command(
            "POST", "/v1/user-organizations/",
            about("user-organizations", user_id=joining, organization_id=str(clinic)),
        ),
        Command("POST", f"/v1/roles/{role}/add-user/", about("roles", user_id=appointed)),
        Command("POST", f"/v1/roles/{role}/remove-user/", about("roles", user_id=str(dismissed.user_id))),
        Command("POST", "/v1/role-users/", about("role-users", role_id=str(role), user_id=granted)),
        Command("POST", f"/v1/users/{disabling}/disable/", {}),
        Command("POST", f"/v1/users/{disabled.user_id}/enable/", {}),
        Command("DELETE", f"/v1/sessions/{session}/", {}),
        Command("POST", groups, about("individual-groups", name="new", organization_id=str(clinic))),
        Command("PATCH", f"{groups}{group}/", rename(group)),
        Command("DELETE", f"{groups}{closed}/", {}),
        Command("POST", f"{groups}{group}/add-individuals/", {"individual-ids": [str(record)]}),
        Command("POST", f"{groups}{group}/add-leaders/", {"user-ids": [leader]}),
        Command("POST", f"{groups}{group}/move-group/", {"to-parent-group-id": str(other)}),
        Command("POST", f"/v1/individuals/{lent}/share/", {"with": party, "operation": "read"}),
        Command("POST", f"/v1/individuals/{lent}/unshare/", {"with": party}),
        *await bringing_in(world, clinic, group),
    ]  # fmt: skip


async def bringing_in(world: World, clinic: UUID, group: UUID) -> list[Command]:
    """Sign-up at once with a password; a known user is signed up at once only for trusted callers."""
    known = await world.provider(await world.organization())
    new = invitation(clinic, group, "patient")
    new["data"]["attributes"]["patient-email"] = f"new-{uuid4().hex[:12]}@people.test"
    again = invitation(clinic, group, "provider")
    again["data"]["attributes"]["patient-email"] = known.email
    return [Command("POST", "/v1/onboarding-requests/", body) for body in (new, again)]


async def of_services(world: World) -> list[Command]:
    clinic = await world.organization()
    patient, group = await world.patient(clinic), await world.group(clinic)
    session = world.tokens.verify(patient.bearer["Authorization"].removeprefix("Bearer ")).session_id
    individual = about("individuals", individual_id=str(uuid4()), owner_id=str(clinic))
    copied = about("user-replications", user_id=str(patient.user_id), service="labs")
    return [
        *await bringing_in(world, clinic, group),
        Command("POST", "/v1/individuals/", individual),
        Command("POST", "/v1/user-replications/", copied),
        Command("DELETE", f"/v1/sessions/{session}/", {}),
    ]


async def a_system_administrator(world: World) -> Person:
    """A provider of another organization too, whose session is there: it outlives the membership of the operator's."""
    person = await world.provider(await world.organization())
    belonging = about("organizations", user_id=str(person.user_id))
    await world.post(f"/v1/organizations/{OPERATOR_ID}/add-user/", belonging, world.system)
    return person


async def role_taken(world: World, person: Person) -> None:
    path = f"/v1/roles/{role_id(OPERATOR_ID, SYSTEM_ADMIN)}/remove-user/"
    await world.post(path, about("roles", user_id=str(person.user_id)), world.system)


async def left_the_operator(world: World, person: Person) -> None:
    body = about("organizations", user_id=str(person.user_id))
    await world.post(f"/v1/organizations/{OPERATOR_ID}/remove-user/", body, world.system)


def before_the_append(world: World, monkeypatch: pytest.MonkeyPatch, story: Story) -> Awaitable[Any]:
    just_before_the_append(world, monkeypatch, story.ending)
    return sent(world, story)


def as_the_password_is_hashed(world: World, monkeypatch: pytest.MonkeyPatch, story: Story) -> Awaitable[Any]:
    while_hashing(world, monkeypatch, story.ending)
    return sent(world, story)


def as_the_body_arrives(world: World, _: pytest.MonkeyPatch, story: Story) -> Awaitable[Any]:
    return sent_slowly(world, story)


Moment = Callable[[World, pytest.MonkeyPatch, Story], Awaitable[Any]]
MOMENTS = [before_the_append, as_the_password_is_hashed, as_the_body_arrives]


def fits(moment: Moment, command: Command) -> bool:
    """Whether the command has the moment."""
    if moment is as_the_password_is_hashed:
        return "onboarding" in command.path
    return moment is not as_the_body_arrives or command.method != "DELETE"


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("ending", [role_taken, left_the_operator])
async def test_a_former_system_administrator_executes_no_command(
    database_url: str, monkeypatch: pytest.MonkeyPatch, ending: Callable[..., Awaitable[None]], moment: Moment
) -> None:
    async with a_world(database_url) as world:
        for command in [each for each in await of_system_administrators(world) if fits(moment, each)]:
            person = await a_system_administrator(world)
            granted = about("role-users", role_id=str(role_id(OPERATOR_ID, SYSTEM_ADMIN)), user_id=str(person.user_id))
            await world.post("/v1/role-users/", granted, world.system)
            await refused(world, monkeypatch, moment, command, person, partial(ending, world, person))
            await carried_out(world, command, world.system)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_former_service_executes_no_command(
    database_url: str, monkeypatch: pytest.MonkeyPatch, moment: Moment
) -> None:
    async with a_world(database_url) as world:
        accounts = ServiceAccounts(world.identity.store)
        namespace, name, _ = SERVICE
        for number, command in enumerate([each for each in await of_services(world) if fits(moment, each)]):
            first = ServiceName(namespace, name)
            second = ServiceName(namespace, f"{name}-{number}")
            await accounts.sync([first, second])
            person = await world.as_(second.user_id)
            await refused(world, monkeypatch, moment, command, person, partial(leave_alone, accounts, first))
            await carried_out(world, command, world.service)


async def leave_alone(accounts: ServiceAccounts, first: ServiceName) -> None:
    """The others are none any more. It is no part of the request that waits for it."""
    await asyncio.create_task(accounts.sync([first]), context=Context())


async def refused(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    moment: Moment,
    command: Command,
    person: Person,
    ending: Callable[[], Awaitable[Any]],
) -> None:
    before = recorded_by(world.settings.owner_dsn(), person)
    story = Story(person, command.method, command.path, command.body, ending, 403)
    answer = await moment(world, monkeypatch, story)
    assert answer.status_code in REFUSED, (command, answer.text)
    assert recorded_by(world.settings.owner_dsn(), person) == before, command


async def carried_out(world: World, command: Command, by: Person) -> None:
    """It is in order: one who may sends it."""
    before = recorded_by(world.settings.owner_dsn(), by)
    answer = await world.client.request(command.method, command.path, json=command.body, headers=by.bearer)
    assert answer.status_code in {200, 201, 204}, (command, answer.text)
    if "unshare" not in command.path:
        assert recorded_by(world.settings.owner_dsn(), by) > before, command


async def caller_of(world: World, person: Person) -> Principal:
    """As a request of theirs would have it now."""
    headers = [(b"authorization", person.bearer["Authorization"].encode())]
    return await authenticate(Request({"type": "http", "headers": headers, "state": {"services": world.services}}))


async def describe(world: World, organization: UUID, **attributes: Any) -> None:
    body = about("organizations", **attributes)
    body["data"]["id"] = str(organization)
    await world.patch(f"/v1/organizations/{organization}/", body, world.system)


async def test_former_staff_of_a_reclassified_organization_execute_no_command(
    database_url: str,
) -> None:
    async with a_world(database_url) as world:
        lab, clinic = await world.organization(), await world.organization()
        await describe(world, lab, classification="carium")
        person = await world.provider(lab)
        before = await caller_of(world, person)
        assert before.staff
        await describe(world, clinic, display_name="described, and not the operator's before or after it")
        await recorded(world, before)
        await describe(world, lab, classification="customer")
        with pytest.raises(DecisionOutdated):
            await recorded(world, before)
        after = await caller_of(world, person)
        assert not after.staff
        await recorded(world, after)


async def recorded(world: World, caller: Principal) -> None:
    """Have something recorded that the caller decided on by what they are, without asking for any further right."""
    with deciding(caller.decision()):
        await world.identity.store.save(Role.create(uuid4(), f"made-{uuid4().hex}", "Made"))
