"""An account that an administrator made for an address that is not proved: what it opens, and whose it becomes (O1).

The attack: an organization's administrator onboards a stranger's contact with a password of their choice. Later the
platform onboards the real person for a clinic, under the same contact. The first password must open nothing there.
"""

from typing import Any, NamedTuple
from uuid import UUID

import httpx2
import pytest

from domain.access.roles import role_id
from domain.core.ports import AccessQuery
from domain.people.users import ProvisionalUser
from tests.support.world.principals import SERVICE
from tests.support.world.product import Person, World, a_world

pytestmark = pytest.mark.slow

PLANTED = "planted-walrus-piano-7"
REAL = "honest-otter-violin-3"
EMAIL = {"patient-email": "victim@people.test"}
PHONE = {"phone-number": "+16505550123"}
NAME = {"username": "victim"}
FORMS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "e-mail": (EMAIL, EMAIL),
    "e-mail in another case": ({"patient-email": "Victim@People.TEST"}, EMAIL),
    "e-mail as user name": ({**EMAIL, "username": "Victim@people.test"}, EMAIL),
    "phone": (PHONE, PHONE),
    "phone as user name": ({**PHONE, "username": PHONE["phone-number"]}, PHONE),
    "user name": (NAME, NAME),
    "user name in another case": ({"username": "VICTIM"}, NAME),
    "e-mail beside an own phone": ({**EMAIL, "phone-number": "+16505550199"}, EMAIL),
}
"""What the attacker plants, and what the real person is onboarded with."""


class Clinics(NamedTuple):
    """`admin` administers `first`; `second` is the clinic of the real person."""

    world: World
    first: UUID
    second: UUID
    admin: Person


async def clinics(world: World) -> Clinics:
    first, second = await world.organization(), await world.organization()
    return Clinics(world, first, second, await world.admin(first))


async def onboard(
    world: World, by: Person, organization: UUID, password: str | None, status: int = 201, /, **attributes: Any
) -> Any:
    """At once when there is a password; else a request that waits for its claim."""
    at_once = {} if password is None else {"auto-sign-up": True, "auto-confirm": True, "password": password}
    given = {"organization": str(organization), "notifications": [], **at_once, **attributes}
    body = {"data": {"type": "onboarding-requests", "attributes": given}}
    answer = await world.post("/v1/onboarding-requests/", body, by, status)
    return answer["data"]["attributes"] if status == 201 else answer["errors"][0]


async def log_in(world: World, names: dict[str, str], password: str) -> httpx2.Response:
    name = names.get("username") or next(iter(names.values()))
    return await world.client.post("/v1/login/", json={"username": name, "password": password})


async def allowed(world: World, user_id: Any, query: str) -> bool:
    kind, resource_id, operation = query.split(":")
    asked = AccessQuery(kind, UUID(resource_id), operation)  # type: ignore[arg-type]  # a test's own text
    return all(await world.services.access.decide(UUID(str(user_id)), [asked]))


@pytest.mark.parametrize("by", ["service", "system"])
@pytest.mark.parametrize("onboard_type", ["patient", "provider"])
@pytest.mark.parametrize("form", FORMS)
async def test_a_planted_password_opens_nothing_elsewhere(
    database_url: str, form: str, onboard_type: str, by: str
) -> None:
    planted, real = FORMS[form]
    kind = {"onboard-type": onboard_type}
    roles: dict[str, Any] = {"provider-roles": ["org.admin"]} if onboard_type == "provider" else {}
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        account = await onboard(world, admin, first, PLANTED, **planted, **kind, **roles)
        session = (await log_in(world, planted, PLANTED)).json()
        stolen = {"Authorization": f"Bearer {session['access-token']}"}
        assert (await world.client.post("/v1/authenticate/", json={}, headers=stolen)).status_code == 201

        inviter = world.service if by == "service" else world.system
        claimed = await onboard(world, inviter, second, REAL, **real, **kind, **roles)
        assert claimed["claimed-by"] == account["claimed-by"]

        for names in (planted, real, {"username": "+16505550199"}):
            assert (await log_in(world, names, PLANTED)).status_code == 401
        assert (await world.client.post("/v1/authenticate/", json={}, headers=stolen)).status_code == 401
        refresh = {"refresh-token": session["refresh-token"]}
        assert (await world.client.post("/v1/refresh-token/", json=refresh)).status_code == 401
        assert (await log_in(world, real, REAL)).status_code == 201

        # the person has what the second organization gave, and the first one keeps its rows
        assert await allowed(world, claimed["claimed-by"], f"individual:{claimed['patient']}:write")
        if onboard_type == "provider":
            assert await allowed(world, claimed["claimed-by"], f"organization:{second}:write")
            assert await allowed(world, claimed["claimed-by"], f"organization:{first}:write")
        else:
            assert await allowed(world, admin.user_id, f"individual:{claimed['patient']}:write")


async def test_a_password_chosen_for_an_unconfirmed_account_opens_nothing_either(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        await onboard(world, admin, first, None, **EMAIL, **{"auto-sign-up": True, "password": PLANTED})
        claimed = await onboard(world, world.service, second, REAL, **EMAIL)
        assert claimed["status"] == "claimed"
        assert [(await log_in(world, EMAIL, password)).status_code for password in (PLANTED, REAL)] == [401, 201]


@pytest.mark.parametrize("onboard_type", ["patient", "provider"])
async def test_other_organizations_only_open_a_request(database_url: str, onboard_type: str) -> None:
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        account = await onboard(world, admin, first, PLANTED, **EMAIL, **{"onboard-type": onboard_type})
        other = await world.admin(second)
        request = await onboard(world, other, second, REAL, **EMAIL, **{"onboard-type": onboard_type})
        assert (request["status"], request["claimed-by"], request["patient"]) == ("created", None, None)
        assert not await allowed(world, account["claimed-by"], f"organization:{second}:read")
        assert not await allowed(world, other.user_id, f"individual:{account['patient']}:read")
        assert [(await log_in(world, EMAIL, password)).status_code for password in (PLANTED, REAL)] == [201, 401]


async def test_a_provisional_provider_gets_no_right_in_another_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        kind = {"onboard-type": "provider"}
        provider = (await onboard(world, admin, first, PLANTED, **EMAIL, **kind))["claimed-by"]
        group, role = await world.group(second), role_id(second, "org.admin")
        both = {"type": "organizations", "attributes": {"user-id": str(admin.user_id), "role-id": str(role)}}
        await world.post(f"/v1/organizations/{second}/add-user/", {"data": both}, world.system)
        named: list[dict[str, str]] = [{"user-id": provider}, {"email": EMAIL["patient-email"]}]

        async def refusals(by: Person) -> list[str]:
            attempts: list[tuple[str, dict[str, Any]]] = [
                (f"/v1/organizations/{second}/add-user/", {"data": {"type": "organizations", "attributes": name}})
                for name in named
            ]
            attempts += [
                ("/v1/role-users/", {"data": {"type": "role-users", "attributes": {**name, "role-id": str(role)}}})
                for name in named
            ]
            attempts += [
                (f"/v1/individual-groups/{group}/{action}/", people)
                for action in ("add-leaders", "add-members")
                for people in ({"user-ids": [provider]}, {"user-emails": [EMAIL["patient-email"]]})
            ]
            codes = []
            for path, body in attempts:
                answer = await world.post(path, body, by, 409)
                codes.append(answer["errors"][0]["code"])
            return codes

        expected = ["invalid-state"] * 2 + ["not-in-organization"] * 2 + ["not-eligible"] * 4
        assert await refusals(admin) == expected
        assert await refusals(world.system) == expected
        assert not await allowed(world, provider, f"organization:{second}:read")

        await onboard(world, world.service, second, REAL, **EMAIL, **kind)
        assert await allowed(world, provider, f"organization:{second}:read")
        third = await world.organization()
        body = {"data": {"type": "organizations", "attributes": named[0]}}
        await world.post(f"/v1/organizations/{third}/add-user/", body, world.system)


async def test_a_provisional_patient_takes_part_in_no_other_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        account = await onboard(world, admin, first, PLANTED, **EMAIL)
        planted = await world.as_(UUID(account["claimed-by"]))
        relative, foreign = await world.individual(first), await world.individual(second)

        def share(individual: Any, kind: str, party: Any) -> tuple[str, dict[str, Any]]:
            given = {"with": {"type": kind, "id": str(party)}, **({"operation": "write"} if kind == "user" else {})}
            return f"/v1/individuals/{individual}/share/", given

        refused = [
            (share(foreign, "user", planted.user_id), world.system),
            (share(planted.individual_id, "organization", second), planted),
            (share(planted.individual_id, "organization", second), world.system),
        ]
        for (path, body), by in refused:
            (error,) = (await world.post(path, body, by, 409))["errors"]
            assert (error["code"], error["source"]) == ("invalid-state", {"pointer": "/with/id"})

        # inside the first organization the share counts, as long as the individual is there
        await world.post(*share(relative, "user", planted.user_id), admin)
        assert await allowed(world, planted.user_id, f"individual:{relative}:write")
        with pytest.raises(ProvisionalUser):
            await world.identity.individuals.change_owner(SERVICE, foreign, planted.user_id)
        await world.identity.individuals.change_owner(SERVICE, relative, second)
        assert not await allowed(world, planted.user_id, f"individual:{relative}:read")


async def test_a_provisional_user_claims_no_individual_of_two_organizations(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        individual = await world.individual(first)
        share = {"with": {"type": "organization", "id": str(second)}}
        await world.post(f"/v1/individuals/{individual}/share/", share, admin)
        record = {"patient": str(individual)}
        refusal = await onboard(world, admin, first, PLANTED, 409, **EMAIL, **record)
        assert (refusal["code"], refusal["source"]) == ("invalid-state", {"pointer": "/data/attributes/patient"})
        claimed = await onboard(world, world.service, first, REAL, **EMAIL, **record)
        assert claimed["patient"] == str(individual)


async def test_shares_that_the_planted_account_made_end_with_it(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        account = await onboard(world, admin, first, PLANTED, **EMAIL)
        planted, accomplice = await world.as_(UUID(account["claimed-by"])), await world.patient(first)
        share = {"with": {"type": "user", "id": str(accomplice.user_id)}, "operation": "write"}
        await world.post(f"/v1/individuals/{account['patient']}/share/", share, planted)
        assert await allowed(world, accomplice.user_id, f"individual:{account['patient']}:write")
        await onboard(world, world.service, second, REAL, **EMAIL)
        assert not await allowed(world, accomplice.user_id, f"individual:{account['patient']}:read")


async def test_two_planted_accounts_do_not_keep_the_person_out(database_url: str) -> None:
    async with a_world(database_url) as world:
        _, first, second, admin = await clinics(world)
        mail = await onboard(world, admin, first, PLANTED, **EMAIL)
        phone = await onboard(world, admin, first, PLANTED, **PHONE, username=PHONE["phone-number"])
        claimed = await onboard(world, world.service, second, REAL, **EMAIL, **PHONE)
        assert claimed["claimed-by"] == mail["claimed-by"]
        for names in (EMAIL, PHONE):
            assert (await log_in(world, names, PLANTED)).status_code == 401
            assert (await log_in(world, names, REAL)).status_code == 201
        (shown,) = [(await world.get(f"/v1/users/{phone['claimed-by']}/", world.system))["data"]["attributes"]]
        assert (shown["phone"], shown["username"]) == (None, None)
