"""Signing up with an organization code (rulings K3, K81, K82, K85 to K89, K138, K139, K141, K145, K150)."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import time_machine

from domain.people.login_names import parse_login_name
from domain.people.sign_ups import SignUp, sign_up_id
from domain.people.users import User
from domain.people.verification_codes import VerificationCodes, verification_codes_id
from tests.api.onboarding.test_requests import count
from tests.api.onboarding.test_service_documents import add
from tests.api.organizations.templates import changed, deactivated
from tests.api.organizations.test_enrollment_codes import PAST, PATH, SCHEMA, a_code
from tests.support.tables import appended
from tests.support.world.product import PASSWORD, World, a_world

SIGN_UP = "/v1/sign-up/"
GROUPS = "/v2/individual-groups/"
LOGS = "/v1/individual-group-logs/"
ADA = "ada@people.test"
PHONE = "+12025550123"
OPEN: dict[str, Any] = {"sign_ups_address": 0, "lookup_misses_address": 0}


def body(**attributes: Any) -> dict[str, Any]:
    usual = {
        "first_name": "Ada", "last_name": "Byron", "organization_code": "North-1", "password": PASSWORD,
        "username": ADA,
    }  # fmt: skip
    given = {**usual, **attributes}
    return {name.replace("_", "-"): value for name, value in given.items() if value is not ...}


async def signed_up(world: World, status: int = 201, /, **attributes: Any) -> httpx2.Response:
    answer = await world.client.post(SIGN_UP, json=body(**attributes))
    assert answer.status_code == status, answer.text
    return answer


def refusals(answer: httpx2.Response) -> list[tuple[str, str]]:
    return sorted((error["code"], error["source"].get("pointer", "")) for error in answer.json()["errors"])


async def user_named(world: World, name: str = ADA) -> User:
    (user_id,) = await world.services.directory.users_named([parse_login_name(name)])
    return await world.identity.store.get(User, user_id)


async def codes_of(world: World, user: User) -> dict[str, str]:
    """The templates of the codes that were issued, by channel."""
    codes = await world.identity.store.get(VerificationCodes, verification_codes_id(user.id))
    return {code.channel: code.template for code in codes.codes.values()}


async def test_a_person_signs_up_with_a_code(database_url: str) -> None:
    async with a_world(database_url, **OPEN) as world:
        clinic = await world.organization(classification="customer_test")
        group = await world.group(clinic)
        await a_code(world, clinic, individual_group_id=str(group))
        answer = await signed_up(world, organization_code="nORTH-1")
        assert answer.json() == {"account-type": "patient"}
        assert answer.headers["content-type"] == "application/vnd.api+json"
        assert int(answer.headers["X-Position"]) > 0
        user = await user_named(world)
        assert (user.state, user.provisional, user.classification) == ("registered", False, "customer_test")
        shown = (await world.get(f"/v1/users/{user.id}/", world.service))["data"]["attributes"]
        expected = {
            "first-name": "Ada", "last-name": "Byron", "username": ADA, "email": ADA, "email-verified": False,
            "locale": "en_US", "locale-explicit": False, "tz": None, "tz-explicit": False, "state": "registered",
        }  # fmt: skip
        assert shown == shown | expected
        assert [each["id"] for each in shown["shared-with"]] == [str(clinic)]
        individual = await world.get(f"/v1/individuals/{user.individual_id}/", world.service)
        assert str(user.id) in str(individual["data"]["attributes"])
        assert (await world.get(f"{GROUPS}{group}/", world.service))["data"]["attributes"]["individuals-count"] == 1
        log = (await world.get(LOGS, world.service, 200, **{"individual-group-id": str(group)}))["data"][0]
        assert (log["attributes"]["event"], log["attributes"]["created-by"]) == ("add", {"id": str(user.id)})
        code = (await world.get(f"{PATH}North-1/", world.system))["data"]["attributes"]
        assert code["sign-up-requests-count"] == 1
        assert await codes_of(world, user) == {"email": "verify-email"}


async def test_everything_of_a_sign_up_is_one_append(database_url: str) -> None:
    """Ruling K138."""
    async with a_world(database_url, projecting=False, **OPEN) as world:
        clinic = await world.organization()
        await a_code(world, clinic, individual_group_id=str(await world.group(clinic)))
        before = await world.identity.store.save()
        position = int((await signed_up(world)).headers["X-Position"])
        async with world.pool.connection() as connection:
            topics, transactions = await appended(connection, before, position)
        assert transactions == 1
        assert topics >= {
            "user.created", "user.password-set", "individual.created", "individual.shared-with-organization",
            "roster-entry.added", "sign-up.created", "verification-code.issued",
        }  # fmt: skip
        assert not any(topic.startswith("organization-code") for topic in topics)


async def test_what_the_person_tells_is_kept_with_the_sign_up(database_url: str) -> None:
    async with a_world(database_url, **OPEN) as world:
        clinic = await world.organization()
        await a_code(world, clinic)
        document = await add(world, organization_id=str(clinic))
        data = {"age": 36, "likes": ["numbers"]}
        told: dict[str, Any] = {"birth_date": "1980-12-10", "gender": "female", "preferred_name": "Countess"}
        await signed_up(
            world, **told, enrollment_data=data, service_document_agreements=[document], locale="es_US",
            tz="Europe/London",
        )  # fmt: skip
        user = await user_named(world)
        sign_up = await world.identity.store.get(SignUp, sign_up_id(user.id))
        assert (sign_up.organization_id, sign_up.code) == (clinic, "North-1")
        shown = (await world.get(f"/v1/users/{user.id}/", world.service))["data"]["attributes"]
        assert (shown["birth-date"], shown["locale"], shown["tz"]) == ("1980-12-10", "es_US", "Europe/London")
        assert "Countess" not in str(shown)
        assert "female" not in str(shown)


NAMES = [
    ({"username": ADA}, (ADA, None, None, ADA)),
    ({"username": "ADA@people.test", "email": ADA}, (ADA, None, None, ADA)),
    ({"username": PHONE}, (None, PHONE, None, PHONE)),
    ({"username": PHONE, "email": ADA}, (ADA, PHONE, None, PHONE)),
    ({"username": "countess", "email": ADA}, (ADA, None, "countess", "countess")),
    ({"username": "countess", "contact_phone_mobile": PHONE}, (None, PHONE, "countess", "countess")),
    ({"username": "countess", "email": ADA, "set_username": "email"}, (ADA, None, None, ADA)),
    (
        {"username": "countess", "email": ADA, "contact_phone_mobile": PHONE, "set_username": "phone"},
        (ADA, PHONE, None, PHONE),
    ),
]


@pytest.mark.parametrize(("given", "expected"), NAMES)
async def test_the_user_name_is_a_contact_or_stands_beside_one(
    database_url: str, given: dict[str, Any], expected: tuple[str | None, ...]
) -> None:
    """Ruling K82: e-mail address, phone number, user name, and the login name that is shown."""
    async with a_world(database_url, projecting=False, **OPEN) as world:
        await a_code(world, await world.organization())
        await signed_up(world, **given)
        user = await user_named(world, ADA if "email" in given or given["username"] == ADA else PHONE)
        assert (*user.names.revealed, user.login_name) == expected


BAD = [
    ({"username": "ada@"}, [("invalid-attribute", "/username")]),
    ({"username": ADA, "email": "other@people.test"}, [("invalid-attribute", "/username")]),
    ({"username": "+1"}, [("invalid-attribute", "/username")]),
    ({"username": PHONE, "contact_phone_mobile": "+12025550124"}, [("invalid-attribute", "/username")]),
    ({"username": "countess"}, [("missing-attribute", "/email")]),
    ({"username": "co", "email": ADA}, [("invalid-attribute", "/username")]),
    ({"username": "lady countess", "email": ADA}, [("invalid-attribute", "/username")]),
    ({"username": "x" * 65, "email": ADA}, [("invalid-attribute", "/username")]),
    ({"set_username": "phone"}, [("invalid-attribute", "/set-username")]),
    ({"source": "sms"}, [("invalid-attribute", "/source")]),
    ({"notifications": ["email", "sms"]}, [("invalid-attribute", "/notifications/1")]),
    ({"notifications": ["fax"]}, [("invalid-attribute", "/notifications/0")]),
    ({"birth_date": "1899-12-31"}, [("invalid-attribute", "/birth-date")]),
    ({"birth_date": "2999-01-01"}, [("invalid-attribute", "/birth-date")]),
    ({"gender": "unsaid"}, [("invalid-attribute", "/gender")]),
    ({"locale": "de_DE"}, [("invalid-attribute", "/locale")]),
    ({"tz": "Europe/Atlantis"}, [("invalid-attribute", "/tz")]),
    ({"first_name": " "}, [("invalid-attribute", "/first-name")]),
    ({"last_name": ...}, [("missing-attribute", "/last-name")]),
    (
        {"first_name": ..., "last_name": ...},
        [("missing-attribute", "/first-name"), ("missing-attribute", "/last-name")],
    ),
    ({"password": "x" * 256}, [("invalid-attribute", "/password")]),
    ({"organization_code": "x" * 21}, [("invalid-attribute", "/organization-code")]),
    ({"enrollment_data": []}, [("invalid-attribute", "/enrollment-data")]),
    ({"service_document_agreements": ["x"]}, [("invalid-attribute", "/service-document-agreements/0")]),
    ({"organization_code": ...}, [("missing-attribute", "/organization-code")]),
    ({"referral_code": "ABCD-EFGH-JKMN-PQRS"}, [("invalid-attribute", "/referral-code")]),
    (
        {"organization_code": ..., "referral_code": "ABCD-EFGH-JKMN-PQRS"},
        [("invalid-attribute", "/first-name"), ("invalid-attribute", "/last-name")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), BAD)
async def test_bad_attributes_are_refused(
    database_url: str, given: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """Rulings K81, K82, K85, K87 and K149: before the code is looked up."""
    async with a_world(database_url, projecting=False, sign_ups_address=2) as world:
        assert refusals(await signed_up(world, 400, **given)) == expected
        assert refusals(await signed_up(world, 400, **given)) == expected


async def test_a_user_name_is_needed(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        assert refusals(await signed_up(world, 400, username=..., password=...)) == [
            ("missing-attribute", "/password"), ("missing-attribute", "/username"),
        ]  # fmt: skip


CHANNELS = [
    ({}, {"email"}),
    ({"notifications": []}, {"email"}),
    ({"notifications": [], "source": "sms"}, {"sms"}),
    ({"source": "sms"}, {"sms"}),
    ({"notifications": ["sms"], "source": "email"}, {"sms"}),
    ({"notifications": ["email", "sms"]}, {"email", "sms"}),
]


@pytest.mark.parametrize(("given", "expected"), CHANNELS)
async def test_codes_go_to_the_chosen_channels(database_url: str, given: dict[str, Any], expected: set[str]) -> None:
    """Ruling K85."""
    async with a_world(database_url, projecting=False, **OPEN) as world:
        await a_code(world, await world.organization())
        await signed_up(world, contact_phone_mobile=PHONE, **given)
        assert (await codes_of(world, await user_named(world))).keys() == expected


async def test_text_messages_are_for_those_without_an_address(database_url: str) -> None:
    async with a_world(database_url, projecting=False, **OPEN) as world:
        await a_code(world, await world.organization())
        await signed_up(world, username=PHONE)
        assert await codes_of(world, await user_named(world, PHONE)) == {"sms": "verify"}


@pytest.mark.parametrize("why", ["unknown", "expired", "deleted", "inactive", "staffed"])
async def test_a_code_that_is_not_valid_is_refused(database_url: str, why: str) -> None:
    """Rulings K3 and K88."""
    async with a_world(database_url, projecting=False, **OPEN) as world:
        clinic = await world.organization()
        if why != "unknown":
            await a_code(world, clinic)
        match why:
            case "expired":
                await world.patch(
                    f"{PATH}North-1/", changed("organization-codes", "North-1", expires_at=PAST), world.system
                )
            case "deleted":
                await world.client.delete(f"{PATH}North-1/", headers=world.system.bearer)
            case "inactive":
                await deactivated(world, clinic)
            case "staffed":
                staffed = changed("organizations", str(clinic), classification="carium")
                await world.patch(f"/v1/organizations/{clinic}/", staffed, world.system)
        head = await world.identity.store.save()
        assert refusals(await signed_up(world, 400)) == [("invalid-organization-code", "/organization-code")]
        assert await world.identity.store.save() == head


async def test_a_referral_code_that_is_unknown_is_refused(database_url: str) -> None:
    async with a_world(database_url, projecting=False, **OPEN) as world:
        given = {"organization_code": ..., "first_name": ..., "last_name": ..., "referral_code": "ABCD-EFGH-JKMN-PQRS"}
        assert refusals(await signed_up(world, 400, **given)) == [("invalid-referral-code", "/referral-code")]


async def test_enrollment_data_fits_the_schema(database_url: str) -> None:
    """Ruling K87: one error for each violation, at its place, and no value is quoted."""
    async with a_world(database_url, projecting=False, **OPEN) as world:
        schema = {**SCHEMA, "additionalProperties": False}
        schema["properties"] = {"age": {"type": "integer"}, "a/b": {"type": "array", "items": {"maxLength": 3}}}
        await a_code(world, await world.organization(), enrollment_schema=schema)
        missing = [("missing-attribute", "/enrollment-data/age")]
        assert refusals(await signed_up(world, 400)) == missing
        assert refusals(await signed_up(world, 400, enrollment_data={})) == missing
        wrong = {"age": "thirty-six", "a/b": ["abc", "secretive"], "more_": 1}
        answer = await signed_up(world, 400, enrollment_data=wrong)
        assert refusals(answer) == [
            ("invalid-attribute", f"/enrollment-data/{place}") for place in ("age", "a~1b/1", "more_")
        ]
        assert "secretive" not in answer.text
        assert "thirty-six" not in answer.text
        await signed_up(world, enrollment_data={"age": 36})


async def test_data_without_a_schema_is_any_small_object(database_url: str) -> None:
    async with a_world(database_url, projecting=False, **OPEN) as world:
        await a_code(world, await world.organization())
        expected = [("invalid-attribute", "/enrollment-data")]
        assert refusals(await signed_up(world, 400, enrollment_data={"x": "y" * 65_536})) == expected
        assert (await signed_up(world, 413, enrollment_data={"x": "y" * 140_000})).json()["errors"]
        await signed_up(world, enrollment_data={"x": "y" * 65_000})


async def test_the_current_documents_must_be_agreed_to(database_url: str) -> None:
    """Ruling K88."""
    async with a_world(database_url, projecting=False, **OPEN) as world:
        clinic, other = await world.organization(), await world.organization()
        await a_code(world, clinic)
        old = await add(world, "1")
        terms, own, foreign = (
            await add(world, "2"),
            await add(world, organization_id=str(clinic)),
            await add(world, organization_id=str(other)),
        )
        answer = await signed_up(world, 403)
        (error,) = answer.json()["errors"]
        assert (error["code"], error["meta"]) == ("service-documents-required", {"service-documents": [own, terms]})
        (error,) = (await signed_up(world, 403, service_document_agreements=[own])).json()["errors"]
        assert error["meta"] == {"service-documents": [terms]}
        unknown = [own, old, own, str(uuid4()), terms]
        assert refusals(await signed_up(world, 400, service_document_agreements=unknown)) == [
            ("invalid-attribute", f"/service-document-agreements/{index}") for index in (1, 3)
        ]
        await signed_up(world, service_document_agreements=[terms, own, foreign, own])


async def test_refusals_come_in_their_order(database_url: str) -> None:
    """Ruling K81: code, enrollment data, documents, password, names."""
    async with a_world(database_url, projecting=False, **OPEN) as world:
        clinic = await world.organization()
        document = await add(world)
        wrong: dict[str, Any] = {"password": "password", "username": (await world.patient(clinic)).email}
        assert refusals(await signed_up(world, 400, **wrong))[0][0] == "invalid-organization-code"
        await a_code(world, clinic, enrollment_schema=SCHEMA)
        assert refusals(await signed_up(world, 400, **wrong))[0][0] == "missing-attribute"
        wrong["enrollment_data"] = {"age": 36}
        assert refusals(await signed_up(world, 403, **wrong))[0][0] == "service-documents-required"
        wrong["service_document_agreements"] = [document]
        assert refusals(await signed_up(world, 400, **wrong)) == [("weak-password", "/password")]
        wrong["password"] = PASSWORD
        assert refusals(await signed_up(world, 409, **wrong)) == [("already-exists", "/username")]


async def test_a_password_that_has_the_names_of_the_person_is_weak(database_url: str) -> None:
    async with a_world(database_url, projecting=False, **OPEN) as world:
        await a_code(world, await world.organization())
        given = {
            "first_name": "Bartholomew",
            "last_name": "Featherstonehaugh",
            "password": "bartholomewfeatherstonehaugh",
        }
        assert refusals(await signed_up(world, 400, **given)) == [("weak-password", "/password")]


async def test_a_taken_name_is_refused_at_its_place(database_url: str) -> None:
    async with a_world(database_url, projecting=False, **OPEN) as world:
        await a_code(world, await world.organization())
        await signed_up(world, username="countess", email=ADA, contact_phone_mobile=PHONE)
        for given, pointer in (
            ({"username": "ADA@People.test"}, "/username"),
            ({"username": PHONE}, "/username"),
            ({"username": "COUNTESS", "email": "new@people.test"}, "/username"),
            ({"username": "duchess", "email": ADA}, "/email"),
            ({"username": "new@people.test", "contact_phone_mobile": PHONE}, "/contact-phone-mobile"),
        ):
            assert refusals(await signed_up(world, 409, **given)) == [("already-exists", pointer)], given


async def test_of_two_sign_ups_with_one_name_one_succeeds(database_url: str) -> None:
    """Ruling K89."""
    async with a_world(database_url, **OPEN) as world:
        clinic = await world.organization()
        await a_code(world, clinic)
        answers = await asyncio.gather(*(world.client.post(SIGN_UP, json=body()) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert {refusals(answer)[0] for answer in answers if answer.status_code == 409} == {
            ("already-exists", "/username")
        }
        code = (await world.get(f"{PATH}North-1/", world.system))["data"]["attributes"]
        assert code["sign-up-requests-count"] == 1
        shared = {"organization-id": str(clinic), "filter[include-participants]": "true"}
        people = await world.get("/v1/users/", world.system, 200, **shared, **{"filter[include-unverified]": "true"})
        assert people["meta"]["page[total]"] == 1
        assert await count(world, "SELECT count(*) FROM individual_organizations") == 1


async def test_an_inactive_group_of_the_code_stays_empty(database_url: str) -> None:
    """Ruling K88."""
    async with a_world(database_url, **OPEN) as world:
        clinic = await world.organization()
        group = await world.group(clinic)
        await a_code(world, clinic, individual_group_id=str(group))
        await world.client.delete(f"/v1/individual-groups/{group}/", headers=world.system.bearer)
        await signed_up(world)
        user = await user_named(world)
        assert user.individual_id is not None
        assert await world.services.directory.placements(user.individual_id, clinic) == []


async def test_flags_of_other_sign_ups_are_ignored(database_url: str) -> None:
    """Ruling K86."""
    async with a_world(database_url, projecting=False, **OPEN) as world:
        await a_code(world, await world.organization())
        await signed_up(world, auto_confirm=True, auto_sign_up=True)
        assert (await user_named(world)).state == "registered"


async def test_an_idempotency_key_is_ignored(database_url: str) -> None:
    """Ruling K141."""
    async with a_world(database_url, projecting=False, **OPEN) as world:
        await a_code(world, await world.organization())
        statuses = [
            (await world.client.post(SIGN_UP, json=body(), headers={"Idempotency-Key": "once"})).status_code
            for _ in range(2)
        ]
        assert statuses == [201, 409]


async def test_an_abandoned_sign_up_gives_way(database_url: str) -> None:
    """Ruling K5: once the lifetime of the last code of a user who never confirmed has passed."""
    async with a_world(database_url, **OPEN) as world:
        clinic = await world.organization()
        admin, group = await world.admin(clinic), await world.group(clinic)
        await a_code(world, clinic, individual_group_id=str(group))
        await signed_up(world)
        first = await user_named(world)
        await signed_up(world, 409)
        with time_machine.travel(timedelta(seconds=86_401)):
            await signed_up(world)
        second = await user_named(world)
        assert second.id != first.id
        assert (await world.identity.store.get(User, first.id)).state == "archived"
        placed = await world.get(f"{GROUPS}{group}/", world.system)
        assert placed["data"]["attributes"]["individuals-count"] == 1
        for individual_id, allow in ((first.individual_id, False), (second.individual_id, True)):
            query = {"access-query": [f"individual:{individual_id}:write"], "user-id": str(admin.user_id)}
            assert await world.post("/v1/authz-resource-access/", query, world.system) == {"allow": allow}


async def test_an_account_that_was_not_signed_up_never_gives_way(database_url: str) -> None:
    async with a_world(database_url, projecting=False, **OPEN) as world:
        clinic = await world.organization()
        await a_code(world, clinic)
        person = await world.patient(clinic)
        with time_machine.travel(timedelta(days=400)):
            assert refusals(await signed_up(world, 409, username=person.email)) == [("already-exists", "/username")]


async def test_sign_ups_of_an_address_are_bounded(database_url: str) -> None:
    """Ruling K22: whatever comes of them, once their syntax is right. Without Redis half of the limit counts."""
    async with a_world(database_url, projecting=False, sign_ups_address=4) as world:
        await a_code(world, await world.organization())
        await signed_up(world, 400, birth_date="1899-12-31")
        await signed_up(world)
        await signed_up(world, 409)
        answer = await signed_up(world, 429, username="bob@people.test")
        assert answer.json()["errors"][0]["code"] == "too-many-requests"
        assert 1 <= int(answer.headers["Retry-After"]) <= 3600


async def test_invalid_codes_count_as_missed_look_ups(database_url: str) -> None:
    """Ruling K23: together with those of organization-code-info."""
    async with a_world(database_url, projecting=False, lookup_misses_address=4) as world:
        await a_code(world, await world.organization())
        await signed_up(world)
        await signed_up(world, 400, organization_code="unknown-1", username="bob@people.test")
        assert (await world.client.get("/v1/organization-code-info/unknown-1/")).status_code == 404
        await signed_up(world, 429, username="bob@people.test")
        assert (await world.client.get("/v1/organization-code-info/North-1/")).status_code == 429


async def test_the_password_stands_in_no_refusal(database_url: str) -> None:
    """Ruling K145."""
    async with a_world(database_url, projecting=False, **OPEN) as world:
        answer = await signed_up(world, 400, password="open-sesame-4711")
        assert "sesame" not in answer.text
        answer = await signed_up(world, 400, password=["open-sesame-4711"])
        assert "sesame" not in answer.text
