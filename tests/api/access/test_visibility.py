"""What a caller is not shown of a row neither matches a filter nor sorts it (ruling O9)."""

from typing import Any
from uuid import UUID

from tests.support.world.product import PASSWORD, Person, World, a_world

USERS = "/v1/users/"
INDIVIDUALS = "/v1/individuals/"
ACCESSIBLE = "/v1/authz-individuals/"


async def share(world: World, individual_id: UUID | None, by: Person, party: str, party_id: UUID) -> None:
    body: dict[str, Any] = {"with": {"type": party, "id": str(party_id)}}
    if party == "user":
        body["operation"] = "write"
    await world.post(f"{INDIVIDUALS}{individual_id}/share/", body, by)


async def listed(world: World, by: Person, path: str = USERS, **query: Any) -> tuple[list[str], int]:
    """The ids of a list, and its total."""
    answer = await world.get(path, by, 200, **query)
    found = answer["resource-ids"] if "resource-ids" in answer else [row["id"] for row in answer["data"]]
    return found, answer["meta"]["page[total]"]


async def a_patient_with_a_phone(world: World, organization: UUID) -> tuple[Person, str]:
    """Return a new patient, and the id of their individual."""
    body = {
        "type": "onboarding-requests",
        "attributes": {
            "organization": str(organization), "onboard-type": "patient", "patient-email": "pat@people.test",
            "phone-number": "+16505550100", "password": PASSWORD, "auto-sign-up": True, "auto-confirm": True,
        },
    }  # fmt: skip
    made = (await world.post("/v1/onboarding-requests/", {"data": body}, world.system))["data"]["attributes"]
    return await world.as_(UUID(made["claimed-by"])), made["patient"]


async def test_colleagues_search_only_by_attributes_shown_to_them(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization("north")
        admin, colleague = await world.admin(north), await world.provider(north)
        await world.catch_up()
        account, individual = await a_patient_with_a_phone(world, north)
        patient = str(account.user_id)
        await share(world, UUID(individual), account, "user", colleague.user_id)
        here = {"organization-id": str(north), "filter[include-participants]": "true"}
        here |= {"filter[include-unverified]": "true"}
        hidden: list[dict[str, Any]] = [
            {"filter[phone-number]": "+16505550100"},
            {"filter[email-verified]": "true"},
            {"filter[email-verified]": "false"},
            {"filter[registration-invite]": ["accepted", "none", "failed"]},
            {"filter[primary-individual-ids]": individual},
            {"filter[cmp-last-modified-time]": ">2000-01-01 00:00:00"},
            {"shared-with-id": str(north)},
        ]
        for query in hidden:
            matches = query.get("filter[email-verified]") != "false"
            assert (patient in (await listed(world, admin, **here, **query))[0]) is matches, query
            assert await listed(world, colleague, **here, **query) == ([], 0), query
        administrators = {**here, "filter[organization-admin]": "true"}
        assert await listed(world, admin, **administrators) == ([str(admin.user_id)], 1)
        assert await listed(world, colleague, **administrators) == ([], 0)
        for query in ({"email": "pat@people.test"}, {"filter[username]": "pat@people.test"}, {"text": "pat@"}):
            assert await listed(world, colleague, **here, **query) == ([patient], 1), query


async def test_only_readers_of_classifications_can_filter_testers(database_url: str) -> None:
    async with a_world(database_url) as world:
        trial = await world.organization("trial", classification="customer_test")
        admin, colleague = await world.admin(trial), await world.provider(trial)
        await world.catch_up()
        query = {"organization-id": str(trial), "filter[include-tester]": "false"}
        assert await listed(world, admin, **query) == ([], 0)
        assert (await listed(world, colleague, **query))[1] == 2


async def test_administrators_see_shares_with_their_own_organization_only(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization("north"), await world.organization("south")
        admin, friend = await world.admin(north), await world.patient(south)
        patient = await world.patient(north)
        await share(world, patient.individual_id, patient, "organization", south)
        await share(world, patient.individual_id, patient, "user", friend.user_id)
        both = [("organization", str(each)) for each in sorted((north, south))]
        everything, own = [*both, ("user", str(friend.user_id))], [("organization", str(north))]
        here = {"organization-id": str(north), "filter[include-participants]": "true"}
        for by, shown in ((patient, everything), (world.system, everything), (world.service, everything), (admin, own)):
            individual = await world.get(f"{INDIVIDUALS}{patient.individual_id}/", by)
            assert shares(individual["data"]) == shown
            assert shares((await world.get(f"{USERS}{patient.user_id}/", by))["data"]) == shown
            if by is not patient:
                rows = (await world.get(USERS, by, 200, **here))["data"]
                assert [shares(row) for row in rows if row["id"] == str(patient.user_id)] == [shown]


def shares(resource: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["type"], each["id"]) for each in resource["attributes"]["shared-with"]]


async def test_no_user_is_found_by_a_hidden_share(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization("north"), await world.organization("south")
        admin, friend = await world.admin(north), await world.patient(south)
        of_both = await world.admin(north)
        body = {"type": "organizations", "attributes": {"user-id": str(of_both.user_id)}}
        await world.post(f"/v1/organizations/{south}/add-user/", {"data": body}, world.system)
        patient = await world.patient(north)
        await share(world, patient.individual_id, patient, "organization", south)
        await share(world, patient.individual_id, patient, "user", friend.user_id)
        found: tuple[list[str], int] = ([str(patient.user_id)], 1)
        none_found: tuple[list[str], int] = ([], 0)
        for sharee, by, expected in (
            (north, admin, found),
            (south, admin, none_found),
            (friend.user_id, admin, none_found),
            (south, of_both, found),
            (south, world.system, found),
            (friend.user_id, world.service, found),
        ):
            query = {"organization-id": str(north), "shared-with-id": str(sharee)}
            assert await listed(world, by, **query) == expected, (sharee, by)


async def test_participants_are_not_shown_when_organizations_changed(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization("north")
        patient, colleague = await world.patient(north), await world.provider(north)
        long_ago = {"filter[cmp-last-modified-time]": ">2000-01-01 00:00:00"}
        path = "/v1/organizations/"
        assert await listed(world, patient, path) == ([str(north)], 1)
        assert await listed(world, patient, path, **long_ago) == ([], 0)
        assert await listed(world, colleague, path, **long_ago) == ([str(north)], 1)


async def test_individuals_are_not_found_by_hidden_attributes_of_owners(database_url: str) -> None:
    """A leader reads rosters and colleagues' lists; a friend, whom a record is shared with, nothing of the owner."""
    async with a_world(database_url) as world:
        north, south = await world.organization("north"), await world.organization("south")
        lead, admin, friend = await world.provider(north), await world.admin(north), await world.provider(south)
        patient, individual = await a_patient_with_a_phone(world, north)
        rosters: dict[str, Any] = {"leader-ids": [str(lead.user_id)], "individual-ids": [individual]}
        group = await world.group(north, **rosters)
        await share(world, UUID(individual), patient, "user", friend.user_id)
        everybody = {"patient", "admin", "lead", "friend"}
        expected: list[tuple[dict[str, Any], set[str]]] = [
            ({}, everybody),
            ({"filter[phone]": "+16505550100"}, {"patient", "admin"}),
            ({"filter[email]": "pat@people.test"}, {"patient", "admin", "lead"}),
            ({"filter[registered]": "true"}, {"patient", "admin", "lead"}),
            ({"filter[registered]": "false"}, set()),
            ({"filter[account-type]": "patient"}, {"patient", "admin", "lead"}),
            ({"filter[organization-id]": str(north)}, {"patient", "admin", "lead"}),
            ({"filter[organization-id]": str(south)}, set()),
            ({"filter[group-id]": str(group)}, {"admin", "lead"}),
            ({"filter[group-members-with-leader-id]": str(lead.user_id)}, {"admin", "lead"}),
        ]
        people = {"patient": patient, "admin": admin, "lead": lead, "friend": friend}
        await world.catch_up()
        index = world.services.indexing
        index.min_individuals = 0
        for indexed in (False, True):
            if indexed:
                await index.renew()
            for query, seen_by in expected:
                for name, person in people.items():
                    asks = {"user-id": str(person.user_id), "operation": "read", **query}
                    found = individual in (await listed(world, person, ACCESSIBLE, **asks))[0]
                    assert found is (name in seen_by), (query, name, indexed)
                    for_service = (await listed(world, world.service, ACCESSIBLE, **asks))[0]
                    assert (individual in for_service) is bool(seen_by), (query, name, indexed)


async def test_the_organization_of_a_named_individual_is_not_revealed(database_url: str) -> None:
    async with a_world(database_url) as world:
        north, south = await world.organization("north"), await world.organization("south")
        patient, friend = await world.patient(north), await world.provider(south)
        await share(world, patient.individual_id, patient, "user", friend.user_id)
        for person, seen in ((patient, True), (friend, False)):
            for query in (f"individual:{patient.individual_id}:read", "individual::read"):
                asked = {"user-id": str(person.user_id), "access-query": [query], "organization-id": str(north)}
                for by, found in ((person, seen), (world.service, True)):
                    answer = await world.post("/v1/authz-get-accessible-resources/", asked, by)
                    assert (str(patient.individual_id) in answer["resource-ids"]) is found, (query, by)


async def test_candidates_are_found_by_their_invitation_by_administrators_only(database_url: str) -> None:
    async with a_world(database_url) as world:
        north = await world.organization("north")
        admin, lead = await world.admin(north), await world.provider(north)
        candidate = await world.provider(north)
        leaders: dict[str, Any] = {"leader-ids": [str(lead.user_id)]}
        group = await world.group(north, **leaders)
        path = f"/v1/individual-groups/{group}/eligible-members/"
        query = {"filter[registration-invite]": "accepted", "member-type": "member"}
        assert str(candidate.user_id) in (await listed(world, admin, path, **query))[0]
        assert await listed(world, lead, path, **query) == ([], 0)
