"""Commands on archived users, and what people without a token learn of them (ruling K143)."""

from pathlib import Path
from typing import Any

from tests.api.organizations.templates import an_employee
from tests.api.people.test_codes import MISMATCH, ask, codes, log_in, messages, refusal, registered
from tests.api.people.test_user_search import archive
from tests.support.authenticators import an_enabled_authenticator
from tests.support.world.product import PASSWORD, Person, World, a_world

NEW = "another-battery-staple-7"
Sent = tuple[str, str, Any]
STATE, UNKNOWN = (409, "invalid-state"), (404, "not-found")


async def outcome(world: World, by: Person, sent: Sent) -> tuple[int, str]:
    """The status and the code of the refusal."""
    method, path, body = sent
    answer = await world.client.request(method, path, json=body, headers=by.bearer)
    return answer.status_code, answer.json()["errors"][0]["code"]


def commands(person: Person) -> dict[str, Sent]:
    """The commands that name a user; the documents are right."""
    user_id = str(person.user_id)
    path = f"/v1/users/{user_id}/"
    renamed = {"data": {"type": "users", "id": user_id, "attributes": {"first-name": "Ana"}}}
    named = {"attributes": {"user-id": user_id}}
    return {
        "rename": ("PATCH", path, renamed),
        "change-email": ("POST", f"{path}change-email/", {"email": "new@people.test"}),
        "confirm-phone": ("POST", f"{path}confirm-phone/", {"phone-number": "+12025550147"}),
        "change-password": (
            "POST", f"{path}change-password/", {"context": "carium-support", "new-password": NEW},
        ),
        "disable": ("POST", f"{path}disable/", {}),
        "enable": ("POST", f"{path}enable/", {}),
        "impersonate": ("POST", "/v1/impersonation-requests/", {"data": {"type": "impersonation-requests", **named}}),
        "synthesize": ("POST", "/v1/synthetic-user-tokens/", {"data": {"user-id": user_id}}),
    }  # fmt: skip


async def test_commands_on_archived_users_are_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, person = await world.people(north, "admin", "provider")
        staff = await an_employee(world)
        await archive(world, person.user_id)
        asked = commands(person)
        joining = {"data": {"type": "organizations", "attributes": {"user-id": str(person.user_id)}}}
        asked["add-user"] = ("POST", f"/v1/organizations/{north}/add-user/", joining)
        allowed = [
            (world.system, asked.keys() - {"synthesize"}),
            (world.service, {"rename", "change-email", "confirm-phone", "synthesize"}),
            (staff, {"confirm-phone", "change-password", "impersonate"}),
        ]
        for by, names in allowed:
            assert {name: await outcome(world, by, asked[name]) for name in names} == dict.fromkeys(names, STATE)
        for name in sorted(asked.keys() - {"impersonate", "synthesize"}):
            assert await outcome(world, admin, asked[name]) == UNKNOWN, name


async def test_the_second_factor_of_an_archived_user_is_not_disabled(database_url: str) -> None:
    async with a_world(database_url) as world:
        person = await world.provider(await world.organization())
        path = (await an_enabled_authenticator(world, person)).path
        await archive(world, person.user_id)
        assert await outcome(world, world.system, ("POST", f"{path}disable/", {"password": PASSWORD})) == STATE
        wrong = await outcome(world, world.system, ("POST", f"{path}disable/", {"password": "wrong"}))
        assert wrong == (403, "invalid-credentials")


async def test_callers_without_a_token_learn_nothing_of_archived_users(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        person = await world.patient(await world.organization(), "ann@people.test")
        new = await registered(world, "new@people.test", notifications=["email"])
        await ask(world, "forgot-password", username="ann@people.test")
        (reset,) = await codes(world, "ann@people.test", "forgot-password")
        (confirming,) = await codes(world, "new@people.test", "verify-email")
        for user_id in (person.user_id, new):
            await archive(world, user_id)
        sent = len(messages(world))
        assert await log_in(world, "ann@people.test", PASSWORD) == 401
        for operation, name in (("forgot-password", "ann@people.test"), ("resend-confirmation", "new@people.test")):
            answer = await ask(world, operation, username=name)
            assert (answer.status_code, answer.json()) == (201, {})
        body = {"username": "ann@people.test", "confirmation_code": reset, "password": NEW}
        assert await refusal(world, "confirm-forgot-password", **body) == MISMATCH
        body = {"username": "new@people.test", "confirmation_code": confirming}
        assert await refusal(world, "confirm-sign-up", **body) == MISMATCH
        await world.catch_up()
        assert len(messages(world)) == sent
