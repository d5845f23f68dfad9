"""Registration invitations (rulings K58, K108 and K139)."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.api.organizations.templates import an_employee, created, deactivated
from tests.api.people.test_codes import ask
from tests.api.people.test_referral_sign_ups import ADDRESS, given
from tests.api.people.test_referral_sign_ups import invited as invited_to_sign_up
from tests.support.world.product import PASSWORD, Person, World, a_world

PATH = "/v1/registration-invitations/"
KIND = "registration-invitations"


async def invited(world: World, email: str, by: Person, status: int = 201) -> Any:
    return await world.post(PATH, created(KIND, invited_email=email), by, status)


async def onboarded(world: World, organization_id: UUID, email: str, by: Person) -> None:
    attributes = {
        "organization": str(organization_id), "patient_email": email, "password": PASSWORD, "auto_sign_up": True,
        "auto_confirm": True, "notifications": [],
    }  # fmt: skip
    await world.post("/v1/onboarding-requests/", created("onboarding-requests", **attributes), by)


async def claimed_times(world: World) -> list[str | None]:
    return [row["attributes"]["claimed-time"] for row in (await world.get(PATH, world.system))["data"]]


async def test_an_administrator_invites_an_address(database_url: str) -> None:
    async with a_world(database_url) as world:
        admin = await world.admin(await world.organization())
        made = (await invited(world, "Ada@people.test", admin))["data"]
        assert made["type"] == KIND
        created_time = made["attributes"].pop("created-time")
        assert len(created_time) == len("2026-01-01 00:00:00")
        expected = {"claimed-time": None, "created-by": str(admin.user_id), "invited-email": "Ada@people.test"}
        assert made["attributes"] == expected
        shown = (await world.get(f"{PATH}{made['id']}/", admin))["data"]
        assert (shown["id"], shown["attributes"]) == (made["id"], {**expected, "created-time": created_time})


async def test_an_unclaimed_invitation_of_an_address_is_returned_again(database_url: str) -> None:
    async with a_world(database_url) as world:
        admin, other = await world.admin(await world.organization()), await world.admin(await world.organization())
        first = await invited(world, "ada@people.test", admin)
        head = await world.identity.store.save()
        again = await invited(world, "ADA@People.test", admin)
        assert again["data"] == first["data"]
        assert await world.identity.store.save() == head
        assert (await invited(world, "ada@people.test", other))["data"]["id"] != first["data"]["id"]


async def test_two_invitations_of_an_address_at_once_are_one(database_url: str) -> None:
    async with a_world(database_url) as world:
        admin = await world.admin(await world.organization())
        answers = await asyncio.gather(*(invited(world, "ada@people.test", admin) for _ in range(4)))
        assert len({answer["data"]["id"] for answer in answers}) == 1
        assert len((await world.get(PATH, admin))["data"]) == 1


@pytest.mark.parametrize(
    "email", ["nobody", "", None, 1, "a@b@people.test", "x" * 250 + "@people.test", "a\r\n@b.test"]
)
async def test_a_bad_address_is_refused(database_url: str, email: Any) -> None:
    async with a_world(database_url, projecting=False) as world:
        refusal = await invited(world, email, world.system, 400)
        assert refusal["errors"][0]["code"] == "invalid-attribute"
        assert refusal["errors"][0]["source"] == {"pointer": "/data/attributes/invited-email"}


async def test_an_address_is_required(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        refusal = await world.post(PATH, created(KIND), world.system, 400)
        assert refusal["errors"][0]["code"] == "missing-attribute"


async def test_only_administrators_of_the_current_organization_invite(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        provider, patient = await world.people(clinic, "provider", "patient")
        for by in (provider, patient, await an_employee(world), world.service):
            await invited(world, "ada@people.test", by, 403)
            await world.get(PATH, by, 403)
        await invited(world, "ada@people.test", world.system)


async def test_the_list_has_the_organizations_that_the_caller_administers(database_url: str) -> None:
    async with a_world(database_url) as world:
        admin, other = await world.admin(await world.organization()), await world.admin(await world.organization())
        ids = [(await invited(world, f"{name}@people.test", admin))["data"]["id"] for name in ("ada", "bob", "cy")]
        foreign = (await invited(world, "ada@people.test", other))["data"]["id"]
        for by, expected in ((admin, ids[::-1]), (other, [foreign]), (world.system, [foreign, *ids[::-1]])):
            answer = await world.get(PATH, by)
            assert [row["id"] for row in answer["data"]] == expected
            assert answer["meta"]["page[total]"] == len(expected)
        await world.get(f"{PATH}{foreign}/", admin, 404)
        await world.get(f"{PATH}{foreign}/", world.service, 404)
        await world.get(f"{PATH}{uuid4()}/", world.system, 404)
        await world.get(f"{PATH}{foreign}/", world.system)
        await world.get(PATH, admin, 400, **{"page[limit]": "1"})


async def test_an_inactive_organization_sends_no_invitations(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin = await world.admin(clinic)
        made = (await invited(world, "ada@people.test", admin))["data"]["id"]
        await deactivated(world, clinic)
        await invited(world, "bob@people.test", admin, 403)
        await world.get(f"{PATH}{made}/", admin, 404)
        await world.get(PATH, admin, 403)


async def test_a_user_who_confirms_with_the_address_verified_claims_it(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        for clinic in (north, south):
            await invited(world, "Ada@people.test", await world.admin(clinic))
            await invited(world, "bob@people.test", await world.admin(clinic))
        await onboarded(world, north, "ada@PEOPLE.test", world.system)
        claimed = await claimed_times(world)
        assert [time is not None for time in claimed] == [False, True, False, True]
        admin = await world.admin(north)
        assert (await invited(world, "ada@people.test", admin))["data"]["attributes"]["claimed-time"] is None
        assert len(await claimed_times(world)) == 5


async def test_an_invited_person_who_is_confirmed_at_once_claims_it(database_url: str, tmp_path: Path) -> None:
    """Ruling K108: the code of the onboarding request verifies the address."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        clinic = await world.organization()
        admin = await world.admin(clinic)
        await invited(world, ADDRESS, admin)
        _, code = await invited_to_sign_up(world, admin, clinic, **{"auto-confirm": True})
        assert (await ask(world, "sign-up", **given(code))).is_success
        assert [time is not None for time in await claimed_times(world)] == [True]


async def test_a_user_without_a_verified_address_claims_nothing(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        admin = await world.admin(clinic)
        await invited(world, "ada@people.test", admin)
        await onboarded(world, clinic, "ada@people.test", admin)
        assert await claimed_times(world) == [None]


async def test_an_invitation_of_an_existing_user_stays_unclaimed(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        await onboarded(world, clinic, "ada@people.test", world.system)
        await invited(world, "ada@people.test", await world.admin(clinic))
        await onboarded(world, await world.organization(), "ada@people.test", world.system)
        assert await claimed_times(world) == [None]
