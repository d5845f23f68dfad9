"""What changes `last-modified-time` of a user, and what does not (ruling K148)."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from domain.access.roles import ORGANIZATION_ADMIN, role_id
from tests.api.onboarding.test_service_documents import add
from tests.api.organizations.templates import an_employee, changed, created
from tests.api.people.test_codes import NEW_PASSWORD, ask, codes
from tests.api.people.test_referral_sign_ups import ADDRESS, given, invited
from tests.api.people.test_users import shown
from tests.support.authenticators import an_authenticator, an_enabled_authenticator
from tests.support.world.product import PASSWORD, World, a_world

Step = Callable[[], Awaitable[Any]]


async def modified(world: World, user_id: UUID) -> str:
    attributes = await shown(world, world.system, user_id)
    assert attributes["date-last-modified"] == attributes["last-modified-time"]
    return str(attributes["last-modified-time"])


async def a_minute_passes(world: World) -> None:
    """Events take the time of the log, which never goes back."""
    async with world.pool.connection() as connection:
        await connection.execute("UPDATE log_head SET recorded_at = greatest(recorded_at, now()) + interval '1 minute'")


async def changing(world: World, user_id: UUID, steps: dict[str, Step]) -> list[str]:
    """Take one step a minute. Return those that changed the time of the user."""
    found = []
    for name, step in steps.items():
        before = await modified(world, user_id)
        await a_minute_passes(world)
        await step()
        if await modified(world, user_id) != before:
            found.append(name)
    return found


async def test_profile_contacts_state_memberships_and_roles_change_the_time(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north, south = await world.organization(), await world.organization()
        await world.admin(north)
        ann = await world.provider(north)
        path, role = f"/v1/users/{ann.user_id}/", str(role_id(north, ORGANIZATION_ADMIN))

        def patch(**attributes: Any) -> Step:
            return lambda: world.patch(path, changed("users", str(ann.user_id), **attributes), world.system)

        def post(target: str, body: Any) -> Step:
            return lambda: world.post(target, body, world.system)

        joining = created("organizations", user_id=str(ann.user_id))
        number = {"phone-number": "+12025550147"}
        steps = {
            "name": patch(first_name="Ann"),
            "locale": patch(locale="es_US"),
            "time zone": patch(tz="Europe/Madrid"),
            "preferences": patch(communication_preferences={"sms": {"quiet": True}}),
            "default organization": patch(default_organization_id=str(north)),
            "classification": patch(classification="customer_test"),
            "phone": patch(phone="+12025550147"),
            "verification": post(f"{path}confirm-phone/", number),
            "login name": patch(username="phone"),
            "e-mail": post(f"{path}change-email/", {"email": "new@people.test"}),
            "role granted": post("/v1/role-users/", created("role-users", role_id=role, user_id=str(ann.user_id))),
            "role revoked": post(f"/v1/roles/{role}/remove-user/", created("roles", user_id=str(ann.user_id))),
            "joined": post(f"/v1/organizations/{south}/add-user/", joining),
            "left": post(f"/v1/organizations/{south}/remove-user/", joining),
            "disabled": post(f"{path}disable/", {}),
            "enabled": post(f"{path}enable/", {}),
            "reset required": post(
                f"{path}change-password/", {"context": "carium-support", "new-password": NEW_PASSWORD}
            ),
        }
        assert await changing(world, ann.user_id, steps) == list(steps)


async def test_repeated_changes_do_not_change_the_time(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        await world.admin(north)
        ann = await world.admin(north)
        path, role = f"/v1/users/{ann.user_id}/", str(role_id(north, ORGANIZATION_ADMIN))
        granting = created("role-users", role_id=role, user_id=str(ann.user_id))
        support = {"context": "carium-support", "new-password": NEW_PASSWORD}
        await world.post(f"{path}change-password/", support, world.system)
        steps: dict[str, Step] = {
            "enabled": lambda: world.post(f"{path}enable/", {}, world.system),
            "granted": lambda: world.post("/v1/role-users/", granting, world.system),
            "another temporary password": lambda: world.post(
                f"{path}change-password/", support | {"new-password": PASSWORD}, world.system
            ),
        }
        assert await changing(world, ann.user_id, steps) == []


async def test_logins_passwords_second_factors_and_agreements_do_not_change_the_time(database_url: str) -> None:
    """A new password in the same state is in neither list of the ruling: decision 0060."""
    async with a_world(database_url) as world:
        ann = await an_employee(world)
        document = await add(world)
        login = {"username": ann.email, "password": PASSWORD, "service-document-agreements": [document]}
        path = f"/v1/users/{ann.user_id}/"
        session: dict[str, Any] = {}

        async def log_in() -> None:
            session.update((await world.client.post("/v1/login/", json=login)).json())
            assert "access-token" in session

        async def refresh() -> None:
            assert (await ask(world, "refresh-token", refresh_token=session["refresh-token"])).status_code == 201

        async def log_out() -> None:
            token = session["access-token"]
            path = f"/v1/sessions/{world.tokens.verify(token).session_id}/"
            ended = await world.client.delete(path, headers={"Authorization": f"Bearer {token}"})
            assert ended.status_code == 204

        passwords = {"old-password": PASSWORD, "new-password": NEW_PASSWORD, "maintain-active-sessions": True}
        steps: dict[str, Step] = {
            "login with agreement": log_in,
            "refresh": refresh,
            "logout": log_out,
            "agreements forgotten": lambda: world.post(f"{path}delete-service-document-agreements/", {}, ann),
            "authenticator made": lambda: an_authenticator(world, ann),
            "authenticator enabled": lambda: an_enabled_authenticator(world, ann),
            "password": lambda: world.post(f"{path}change-password/", passwords, ann),
        }
        assert await changing(world, ann.user_id, steps) == []


async def test_signing_up_and_confirming_change_the_time(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        _, code = await invited(world, world.system, await world.organization())
        user_id = (await world.services.directory.users_by_email([ADDRESS]))[ADDRESS]

        async def confirm() -> None:
            sent = await codes(world, ADDRESS, "verify-email")
            assert (await ask(world, "confirm-sign-up", username=ADDRESS, confirmation_code=sent[-1])).is_success

        async def reset() -> None:
            await ask(world, "forgot-password", username=ADDRESS)
            (sent,) = await codes(world, ADDRESS, "forgot-password")
            body = {"username": ADDRESS, "confirmation_code": sent, "password": NEW_PASSWORD}
            assert (await ask(world, "confirm-forgot-password", **body)).is_success

        steps: dict[str, Step] = {
            "registered": lambda: ask(world, "sign-up", **given(code)),
            "confirmed": confirm,
            "password reset": reset,
        }
        assert await changing(world, user_id, steps) == ["registered", "confirmed"]
