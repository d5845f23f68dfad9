"""Service documents of the organizations that codes lead to (rulings K109, K110 and K111)."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import time_machine

from domain.onboarding.referral_codes import ReferralCodes
from domain.onboarding.requests import OnboardingRequest
from tests.api.onboarding.test_service_documents import add, listed
from tests.api.organizations.templates import changed, created
from tests.api.organizations.test_enrollment_codes import PAST, a_code
from tests.support.world.product import World, a_world

REQUESTS = "/v1/onboarding-requests/"


async def referral_code(world: World, organization_id: UUID) -> str:
    attributes = {"organization": str(organization_id), "patient_email": "ada@people.test"}
    made = await world.post(REQUESTS, created("onboarding-requests", **attributes), world.system)
    request = await world.identity.store.get(OnboardingRequest, UUID(made["data"]["id"]))
    (message_id,) = request.invites
    return ReferralCodes(world.lookup, 1).code(message_id)


async def test_a_code_adds_the_documents_of_its_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic, other = await world.organization(), await world.organization()
        for_all, own, foreign = await add(world), await add(world, organization_id=str(clinic)), str(other)
        of_other = await add(world, organization_id=foreign)
        await a_code(world, clinic, "North-1")
        asked: dict[str, Any] = {"organization-code": "nORTH-1"}
        assert await listed(world, **asked) == [own, for_all]
        assert await listed(world, **asked, organizations=[foreign]) == [of_other, own, for_all]
        await world.patch(
            "/v1/organization-codes/North-1/", changed("organization-codes", "North-1", expires_at=PAST), world.system
        )
        assert await listed(world, **asked) == [for_all]


async def test_a_referral_code_adds_the_documents_of_its_organization(database_url: str) -> None:
    async with a_world(database_url) as world:
        clinic = await world.organization()
        for_all, own = await add(world), await add(world, organization_id=str(clinic))
        code = await referral_code(world, clinic)
        for typed in (code, code.replace("-", "").lower()):
            asked: dict[str, Any] = {"referral-code": typed}
            assert await listed(world, **asked) == [own, for_all]
        with time_machine.travel(timedelta(days=31)):
            assert await listed(world, **asked) == [for_all]
        attributes = {
            "organization": str(clinic),
            "patient_email": "ada@people.test",
            "password": "correct-horse-battery-9",
        }
        at_once = {"auto_sign_up": True, "auto_confirm": True, "notifications": []}
        await world.post(REQUESTS, created("onboarding-requests", **attributes, **at_once), world.system)
        assert await listed(world, **asked) == [for_all]
