"""Onboarding requests that are refused."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.api.onboarding.test_requests import AT_ONCE, ask
from tests.support.world.product import PASSWORD, a_world


async def test_an_individual_of_another_owner_is_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        admin, known = await world.admin(north), await world.patient(north)
        for individual, status in ((known.individual_id, 409), (uuid4(), 404)):
            refusal = await ask(
                world, admin, north, status, **{"patient": str(individual), "patient-email": "ann@people.test"}
            )
            assert refusal["source"] == {"pointer": "/data/attributes/patient"}


async def test_providers_bring_in_patients_of_their_organization_only(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        provider, patient = await world.provider(north), await world.patient(north)
        assert (await ask(world, provider, north, **{"patient-email": "ann@people.test"}))["status"] == "created"
        other = {"patient-email": "bob@people.test"}
        assert (await ask(world, provider, south, 404, **other))["code"] == "not-found"
        assert (await ask(world, patient, north, 404, **other))["code"] == "not-found"
        for refused in (
            {"onboard-type": "provider"},
            AT_ONCE,
            {"auto-confirm": True},
            {"auto-sign-up": True, "password": PASSWORD},
        ):
            assert (await ask(world, provider, north, 403, **other, **refused))["code"] == "forbidden"


async def test_groups_must_be_writable_and_of_the_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        provider, admin = await world.provider(north), await world.admin(north)
        group, foreign = await world.group(north), await world.group(south)
        closed = await world.group(north, type="provider_only")
        for by, named, status, code in (
            (provider, group, 404, "not-found"),
            (admin, foreign, 404, "not-found"),
            (world.system, foreign, 409, "conflict"),
            (admin, closed, 409, "group-provider-only"),
        ):
            refusal = await ask(
                world, by, north, status, **{"patient-email": "ann@p.test", "individual-group-ids": [str(named)]}
            )
            assert (refusal["code"], refusal["source"]["pointer"]) == (code, "/data/attributes/individual-group-ids")


async def test_only_system_administrators_onboard_into_the_operator_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        operator = UUID((await world.post("/v1/authenticate/", {}, world.system))["data"]["organization-id"])
        staff = {"onboard-type": "provider", **AT_ONCE}
        claimed = await ask(world, world.system, operator, **staff, **{"patient-email": "staff@people.test"})
        member = await world.as_(UUID(claimed["claimed-by"]))
        user = (await world.get(f"/v1/users/{member.user_id}/", world.system))["data"]["attributes"]
        assert user["classification"] == "carium"
        for by in (world.service, member):
            refusal = await ask(world, by, operator, 403, **staff, **{"patient-email": "more@people.test"})
            assert refusal["code"] == "forbidden"
        north = await world.organization()
        refusal = await ask(world, member, north, 403, **{"patient-email": "more@people.test"})
        assert refusal["code"] == "forbidden"  # staff see every organization and work in none of them


async def test_a_provider_is_no_patient(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        provider, patient = await world.provider(north), await world.patient(north)
        refusal = await ask(world, world.system, north, 409, **AT_ONCE, **{"patient-email": provider.email})
        assert refusal["code"] == "conflict"
        as_provider = {"onboard-type": "provider", "patient-email": patient.email}
        refusal = await ask(world, world.system, north, 409, **AT_ONCE, **as_provider)
        assert refusal["code"] == "user-is-participant"
        await ask(world, world.system, north, **{"patient-email": "ahead@people.test"})
        south, as_provider = await world.organization(), {**as_provider, "patient-email": "ahead@people.test"}
        refusal = await ask(world, world.system, south, 409, **AT_ONCE, **as_provider)
        assert refusal["code"] == "user-is-participant"  # north keeps the record, which its patient has yet to claim


async def test_a_disabled_person_does_not_come_in_at_once(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        ann = await world.patient(north, "disabled@people.test")
        await world.post(f"/v1/users/{ann.user_id}/disable/", {}, world.system)
        contact = {"patient-email": "disabled@people.test"}
        refusal = await ask(world, world.service, south, 409, **AT_ONCE, **contact)
        assert refusal["code"] == "invalid-state"
        told = await ask(world, await world.admin(south), south, **AT_ONCE, **contact)
        assert (told["status"], told["claimed-by"]) == ("created", None)


@pytest.mark.parametrize(
    ("inviting", "onboard_type"), [("admin", "patient"), ("admin", "provider"), ("provider", "patient")]
)
async def test_an_invitation_does_not_reveal_known_users(database_url: str, inviting: str, onboard_type: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization(), await world.organization()
        by = await (world.admin(north) if inviting == "admin" else world.provider(north))
        people = [await world.patient(south), await world.provider(south), await world.patient(north), world.system]
        await world.post(f"/v1/users/{people[0].user_id}/disable/", {}, world.system)
        await ask(world, world.system, south, **{"patient-email": "ahead@people.test"})
        told = []
        for email in [*(person.email for person in people), "ahead@people.test", "nobody@people.test"]:
            given = {"organization": str(north), "onboard-type": onboard_type, "patient-email": email}
            body = {"data": {"type": "onboarding-requests", "attributes": given}}
            answer = await world.client.post("/v1/onboarding-requests/", json=body, headers=by.bearer)
            shown = answer.json()["data"]["attributes"]
            assert shown.pop("patient-email") == email
            assert shown["last-invite"]["email"].pop("id")  # chosen at random
            shown["last-invite"]["email"].pop("created-time")
            told.append((answer.status_code, sorted(answer.headers), {**shown, "created-time": None}))
        assert told == [told[-1]] * len(told)


@pytest.mark.parametrize(
    ("attributes", "pointer", "code"),
    [
        ({"auto-sign-up": True}, "password", "missing-attribute"),
        ({"auto-sign-up": True, "password": "short"}, "password", "weak-password"),
        ({"auto-sign-up": True, "password": "password123"}, "password", "weak-password"),
        ({"auto-sign-up": True, "password": "ann@people.test"}, "password", "weak-password"),
        ({"password": PASSWORD}, "password", "invalid-attribute"),
        ({"provider-roles": ["org.admin"]}, "provider-roles", "invalid-attribute"),
        ({"onboard-type": "provider", "patient": str(uuid4())}, "patient", "invalid-attribute"),
        ({"onboard-type": "boss"}, "onboard-type", "invalid-attribute"),
        ({"phone-number": "12"}, "phone-number", "invalid-attribute"),
        ({"first-name": "Ann"}, "first-name", "invalid-attribute"),
    ],
    ids=lambda value: str(value)[:20] if not isinstance(value, dict) else "-".join(value),
)
async def test_contradictory_attributes_are_refused(
    database_url: str, attributes: dict[str, Any], pointer: str, code: str
) -> None:
    async with a_world(database_url, projecting=False) as world:
        north = await world.organization()  # passwords are judged once the caller is known to be allowed (ruling O8)
        refusal = await ask(world, world.system, north, 400, **{"patient-email": "ann@people.test", **attributes})
        assert (refusal["source"], refusal["code"]) == ({"pointer": f"/data/attributes/{pointer}"}, code)


async def test_a_role_that_is_not_there_is_refused(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization()
        roles = {"onboard-type": "provider", "patient-email": "doc@people.test", "provider-roles": ["boss"]}
        refusal = await ask(world, world.system, north, 409, **roles)
        assert refusal["source"] == {"pointer": "/data/attributes/provider-roles"}


@pytest.mark.parametrize("onboard_type", ["patient", "provider"])
async def test_an_inactive_organization_onboards_no_user(database_url: str, onboard_type: str) -> None:
    """Ruling K144."""
    async with a_world(database_url) as world:
        north = await world.organization()
        admin = await world.admin(north)
        switched = {"type": "organizations", "id": str(north), "attributes": {"is-active": False}}
        await world.patch(f"/v1/organizations/{north}/", {"data": switched}, world.system)
        asked = {"onboard-type": onboard_type, "patient-email": "ann@people.test"}
        for by, status, code in (
            (world.system, 409, "invalid-state"),
            (world.service, 409, "invalid-state"),
            (admin, 404, "not-found"),
        ):
            refusal = await ask(world, by, north, status, **asked)
            assert (refusal["code"], refusal["source"]) == (code, {"pointer": "/data/attributes/organization"})


@pytest.mark.parametrize(
    "attributes",
    [{}, {"username": "ann.b"}, {"username": "ann.b", "auto-sign-up": True, "password": PASSWORD}, AT_ONCE],
    ids=["nothing", "user name", "user name, to be confirmed", "at once without a name"],
)
async def test_a_request_needs_a_contact(database_url: str, attributes: dict[str, Any]) -> None:
    """Ruling K95."""
    async with a_world(database_url, projecting=False) as world:
        refusal = await ask(world, world.system, uuid4(), 400, **attributes)
        missing = ("missing-attribute", {"pointer": "/data/attributes/patient-email"})
        assert (refusal["code"], refusal["source"]) == missing


async def test_a_user_name_alone_suffices_at_once(database_url: str) -> None:
    """Ruling K95."""
    async with a_world(database_url) as world:
        claimed = await ask(world, world.system, await world.organization(), **AT_ONCE, username="ann.b")
        assert claimed["status"] == "claimed"
