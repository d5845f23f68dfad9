"""What a referral code proves, and whom an address means that nobody proved (rulings K1, K6, K99, O1 and O2)."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.api.onboarding.test_claims import claim
from tests.api.onboarding.test_requests import AT_ONCE, allowed
from tests.api.onboarding.test_requests import ask as ask_to_onboard
from tests.api.organizations.templates import deactivated
from tests.api.organizations.test_enrollment_codes import a_code
from tests.api.people.test_codes import ask, codes, log_in, refusal
from tests.api.people.test_referral_sign_ups import ADDRESS, NEW, NUMBER, given, invited, request_of
from tests.api.people.test_user_changes import change
from tests.support.authenticators import an_enabled_authenticator
from tests.support.world.product import PASSWORD, Person, World, a_world

OTHER = "other@people.test"


async def user_of(world: World, email: str) -> UUID:
    found = await world.services.directory.users_by_email([email])
    return found[email]


async def shown_user(world: World, user_id: UUID) -> dict[str, Any]:
    await world.catch_up()
    attributes: dict[str, Any] = (await world.get(f"/v1/users/{user_id}/", world.system))["data"]["attributes"]
    return attributes


async def a_confirmed_person(world: World, email: str, organization_id: UUID) -> Person:
    """Who signed up with the code of an invitation, proved the address, and is logged in."""
    _, code = await invited(world, await world.admin(organization_id), organization_id, **{"patient-email": email})
    assert (await ask(world, "sign-up", **given(code, username=email))).is_success
    confirmation = (await codes(world, email, "verify-email"))[-1]
    session = await ask(world, "confirm-sign-up", username=email, confirmation_code=confirmation, login=True)
    document = session.json()
    return Person(UUID(document["user-id"]), None, email, {"Authorization": f"Bearer {document['access-token']}"})


async def unproved(world: World, address: str) -> Person:
    """A confirmed person who has changed to an address that they never prove."""
    person = await a_confirmed_person(world, "mallory@people.test", await world.organization())
    await change(world, person, person, email=address)
    return person


async def victim(world: World, kind: str) -> UUID:
    """Somebody whose address nobody has proved yet."""
    north = await world.organization()
    admin = await world.admin(north)
    if kind == "invited":
        await ask_to_onboard(world, admin, north, **{"patient-email": ADDRESS})
    elif kind == "provisional":
        made = {**AT_ONCE, "onboard-type": "provider", "provider-roles": ["org.admin"], "notifications": []}
        await ask_to_onboard(world, admin, north, **{"patient-email": ADDRESS, **made})
    else:
        await a_code(world, north)
        names = {"first_name": "Ann", "last_name": "Lee", "username": ADDRESS, "password": PASSWORD}
        assert (await ask(world, "sign-up", organization_code="North-1", **names)).is_success
    return await user_of(world, ADDRESS)


@pytest.mark.parametrize("kind", ["invited", "provisional", "registered"])
async def test_a_code_to_another_contact_opens_no_account(database_url: str, tmp_path: Path, kind: str) -> None:
    """Whoever invites somebody with the address of an account and a number of their own gets nothing of the account."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        user_id, south = await victim(world, kind), await world.organization()
        wanted = {"patient-email": ADDRESS, "phone-number": NUMBER, "notifications": ["sms", "email"]}
        await ask_to_onboard(world, await world.provider(south), south, **wanted)
        (mine,) = await codes(world, NUMBER, "onboarding")
        assert (await ask(world, "sign-up", **given(mine, username=NUMBER, password=NEW, source="sms"))).is_success
        assert (await log_in(world, ADDRESS, NEW), await log_in(world, NUMBER, NEW)) == (401, 403)
        (confirmation,) = await codes(world, NUMBER, "verify")
        body = {"username": NUMBER, "confirmation_code": confirmation, "login": True}
        document = (await ask(world, "confirm-sign-up", **body)).json()
        individual = (await shown_user(world, user_id))["primary-individual-id"]
        assert document["user-id"] != str(user_id)
        assert not await allowed(world, UUID(document["user-id"]), f"individual:{individual}:read")
        user = await shown_user(world, user_id)
        assert (user["email"], user["phone"], user["phone-verified"]) == (ADDRESS, None, False)


async def test_further_contacts_of_a_request_do_not_become_those_of_an_account(
    database_url: str, tmp_path: Path
) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        user_id, south = await victim(world, "invited"), await world.organization()
        both = {"patient-email": ADDRESS, "phone-number": NUMBER, "notifications": ["email"]}
        await ask_to_onboard(world, await world.provider(south), south, **both)
        theirs = (await codes(world, ADDRESS, "onboarding"))[-1]
        assert (await ask(world, "sign-up", **given(theirs, password=NEW))).is_success
        user = await shown_user(world, user_id)
        assert (user["state"], user["email"], user["phone"]) == ("registered", ADDRESS, None)


async def test_an_address_is_no_way_into_the_account_of_a_number(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north, south = await world.organization(), await world.organization()
        await ask_to_onboard(world, await world.admin(north), north, **{"phone-number": NUMBER})
        both = {"patient-email": OTHER, "phone-number": NUMBER}
        _, mine = await invited(world, await world.provider(south), south, **both)
        assert (await ask(world, "sign-up", **given(mine, username=OTHER, password=NEW))).is_success
        user = await shown_user(world, await user_of(world, OTHER))
        assert (user["email"], user["phone"]) == (OTHER, None)


async def test_services_admit_the_owner_of_an_address_not_who_changed_to_it(database_url: str, tmp_path: Path) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        mallory, clinic = await unproved(world, ADDRESS), await world.organization()
        record = await world.individual(clinic)
        wanted = {**AT_ONCE, "patient": str(record), "notifications": [], "password": NEW}
        made = await ask_to_onboard(world, world.service, clinic, **{"patient-email": ADDRESS, **wanted})
        assert (made["status"], made["claimed-by"] == str(mallory.user_id)) == ("claimed", False)
        assert not await allowed(world, mallory.user_id, f"individual:{record}:read")
        assert (await log_in(world, ADDRESS, NEW), await log_in(world, ADDRESS, PASSWORD)) == (201, 401)
        assert (await shown_user(world, mallory.user_id))["email"] is None


@pytest.mark.parametrize("more", [{}, {**AT_ONCE, "password": NEW}, {"auto-sign-up": True, "password": NEW}])
async def test_an_owner_signs_up_although_another_user_changed_to_the_address(
    database_url: str, tmp_path: Path, more: dict[str, Any]
) -> None:
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        mallory, clinic = await unproved(world, ADDRESS), await world.organization()
        admin = await world.admin(clinic)
        request, code = await invited(world, admin, clinic, **more)
        shown = await request_of(world, request, admin)
        assert (shown["status"], shown["claimed-by"]) == ("invited", None)
        assert (await shown_user(world, mallory.user_id))["email"] == ADDRESS
        assert (await ask(world, "sign-up", **given(code))).status_code == 201
        assert (await shown_user(world, mallory.user_id))["email"] is None
        if not more.get("auto-confirm"):
            (confirmation,) = await codes(world, ADDRESS, "verify-email")
            assert (await ask(world, "confirm-sign-up", username=ADDRESS, confirmation_code=confirmation)).is_success
        shown = await request_of(world, request, admin)
        assert (shown["status"], shown["claimed-by"] == str(mallory.user_id)) == ("claimed", False)


async def test_an_unproved_address_adds_no_user_to_organizations_and_rosters(database_url: str, tmp_path: Path) -> None:
    """Neither to an organization, nor to the roster of a group."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north, south = await world.organization(), await world.organization()
        provider, group = await world.provider(north), await world.group(north)
        await change(world, provider, provider, email=ADDRESS)
        added = {"data": {"type": "organizations", "attributes": {"email": ADDRESS}}}
        await world.post(f"/v1/organizations/{south}/add-user/", added, world.system, 404)
        body = {"user-emails": [ADDRESS]}
        refused = await world.post(f"/v1/individual-groups/{group}/add-members/", body, await world.admin(north), 404)
        assert refused["errors"][0]["meta"] == {"user-emails": [ADDRESS]}
        (code,) = await codes(world, ADDRESS, "reverify-email")
        assert (await ask(world, "confirm-sign-up", username=ADDRESS, confirmation_code=code)).is_success
        await world.post(f"/v1/individual-groups/{group}/add-members/", body, await world.admin(north))


async def test_a_changed_address_opens_no_account_that_was_proved_before(database_url: str, tmp_path: Path) -> None:
    """Rulings K6 and K91: no code goes to the new address, the second factor stays, the account is not handed over."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        ann = await a_confirmed_person(world, ADDRESS, await world.organization())
        await an_enabled_authenticator(world, ann)
        await change(world, ann, ann, email=OTHER)
        assert (await ask(world, "forgot-password", username=OTHER)).is_success
        assert await codes(world, OTHER, "forgot-password") == []
        south = await world.organization()
        made = {**AT_ONCE, "patient-email": OTHER, "password": NEW, "notifications": []}
        claimed = await ask_to_onboard(world, world.service, south, **made)
        assert claimed["claimed-by"] != str(ann.user_id)
        assert (await world.client.post("/v1/authenticate/", json={}, headers=ann.bearer)).status_code == 201


async def test_only_the_confirmation_claims_what_a_person_signed_up_for(database_url: str, tmp_path: Path) -> None:
    """Ruling K99: an earlier request stays open, whatever codes the person uses later."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north, south = await world.organization(), await world.organization()
        first, first_code = await invited(world, await world.admin(south), south)
        last, last_code = await invited(world, await world.admin(north), north)
        for code in (first_code, last_code):
            assert (await ask(world, "sign-up", **given(code))).is_success
        confirmation = (await codes(world, ADDRESS, "verify-email"))[-1]
        assert (await ask(world, "confirm-sign-up", username=ADDRESS, confirmation_code=confirmation)).is_success
        await reset(world)
        shown = [(await request_of(world, each, world.system))["status"] for each in (last, first)]
        assert shown == ["claimed", "registering"]


async def reset(world: World) -> None:
    assert (await ask(world, "forgot-password", username=ADDRESS)).is_success
    code = (await codes(world, ADDRESS, "forgot-password"))[-1]
    body = {"username": ADDRESS, "confirmation_code": code, "password": NEW}
    assert (await ask(world, "confirm-forgot-password", **body)).is_success


async def test_a_request_of_an_organization_that_was_inactive_stays_open(database_url: str, tmp_path: Path) -> None:
    """Ruling K99."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north = await world.organization()
        request, code = await invited(world, await world.admin(north), north, **{"onboard-type": "provider"})
        assert (await ask(world, "sign-up", **given(code))).is_success
        await deactivated(world, north)
        (confirmation,) = await codes(world, ADDRESS, "verify-email")
        assert (await ask(world, "confirm-sign-up", username=ADDRESS, confirmation_code=confirmation)).is_success
        changed = {"data": {"type": "organizations", "id": str(north), "attributes": {"is-active": True}}}
        await world.patch(f"/v1/organizations/{north}/", changed, world.system)
        await reset(world)
        assert (await request_of(world, request, world.system))["status"] == "registering"


async def test_a_user_who_proves_the_changed_address_claims_with_it(database_url: str, tmp_path: Path) -> None:
    """Ruling K8: the request is about them, although a user was made for it while nobody had proved the address."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        ann, clinic = await unproved(world, ADDRESS), await world.organization()
        request, code = await invited(world, await world.admin(clinic), clinic)
        assert (await claim(world, ann, code)).status_code == 404
        (confirmation,) = await codes(world, ADDRESS, "reverify-email")
        assert (await ask(world, "confirm-sign-up", username=ADDRESS, confirmation_code=confirmation)).is_success
        assert (await claim(world, await world.patient(clinic), code)).status_code == 404
        assert (await claim(world, ann, code)).status_code == 201
        shown = await request_of(world, request, world.system)
        assert (shown["status"], shown["claimed-by"]) == ("claimed", str(ann.user_id))


async def test_codes_end_when_an_account_is_handed_over(database_url: str, tmp_path: Path) -> None:
    """Ruling O1: who signed up under the address, with a number of their own, has no way back in."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        north, south = await world.organization(), await world.organization()
        _, code = await invited(world, await world.admin(north), north)
        assert (await ask(world, "sign-up", **given(code, username=NUMBER, source="sms"))).is_success
        (confirmation,) = await codes(world, NUMBER, "verify")
        made = {**AT_ONCE, "patient-email": ADDRESS, "password": NEW, "notifications": []}
        await ask_to_onboard(world, world.service, south, **made)
        for name in (NUMBER, ADDRESS):
            body = {"username": name, "confirmation_code": confirmation, "login": True}
            assert (await refusal(world, "confirm-sign-up", **body))[0] == "code-mismatch"


async def test_the_code_to_a_contact_that_another_person_proved_verifies_nothing(
    database_url: str, tmp_path: Path
) -> None:
    """Ruling K4: its former holder gets the same refusal as for any other code."""
    async with a_world(database_url, outbox=tmp_path / "outbox") as world:
        mallory, clinic = await unproved(world, ADDRESS), await world.organization()
        await change(world, mallory, mallory, phone=NUMBER)
        (reverification,) = await codes(world, ADDRESS, "reverify-email")
        _, code = await invited(world, await world.admin(clinic), clinic)
        assert (await ask(world, "sign-up", **given(code))).is_success
        body = {"username": NUMBER, "confirmation_code": reverification}
        assert (await refusal(world, "confirm-sign-up", **body))[0] == "code-mismatch"
        assert (await shown_user(world, mallory.user_id))["email-verified"] is False
