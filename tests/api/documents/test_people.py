"""Bodies about individuals and about bringing people in."""

import uuid
from typing import Any

from api.documents.onboarding import requests as onboarding_requests
from api.documents.people import individuals, user_replications
from tests.api.documents.violations import ANN, BOB, in_envelope

ATTRIBUTES = "/data/attributes"


def an_onboarding(**more: Any) -> dict[str, Any]:
    return in_envelope("onboarding-requests", {"organization": ANN, "patient-email": "p@x.org"} | more)


TAKEN = [
    (individuals.ShareIndividual, {"with": {"type": "organization", "id": ANN}}),
    (individuals.ShareIndividual, {"with": {"type": "user", "id": ANN}, "operation": "read"}),
    (individuals.UnshareIndividual, {"with": {"type": "user", "id": ANN}}),
    (
        user_replications.CreateUserReplication,
        in_envelope("user-replications", {"user-id": ANN, "service": "cronkite"}),
    ),
    (onboarding_requests.CreateOnboardingRequest, an_onboarding()),
    (
        onboarding_requests.CreateOnboardingRequest,
        an_onboarding(**{"provider-roles": ["org.admin"], "notifications": []}),
    ),
]

REFUSED = [
    (individuals.ShareIndividual, {"with": {"type": "user", "id": ANN}}, "/operation", "missing"),
    (individuals.ShareIndividual, {"with": {"type": "group", "id": ANN}}, "/with/type", "literal_error"),
    (
        individuals.CreateIndividual,
        in_envelope("individuals", {"owner-id": ANN}),
        f"{ATTRIBUTES}/individual-id",
        "missing",
    ),
    (
        user_replications.CreateUserReplication,
        in_envelope("user-replications", {"user-id": ANN, "service": "A b"}),
        f"{ATTRIBUTES}/service",
        "string_pattern_mismatch",
    ),
    (
        onboarding_requests.CreateOnboardingRequest,
        in_envelope("onboarding-requests", {"organization": ANN}),
        f"{ATTRIBUTES}/patient-email",
        "missing",
    ),
    (
        onboarding_requests.CreateOnboardingRequest,
        an_onboarding(**{"auto-sign-up": True}),
        f"{ATTRIBUTES}/password",
        "missing",
    ),
    (
        onboarding_requests.CreateOnboardingRequest,
        an_onboarding(notifications=["fax"]),
        f"{ATTRIBUTES}/notifications/0",
        "literal_error",
    ),
]


def test_groups_of_both_onboarding_attributes_are_one_set() -> None:
    body = an_onboarding(**{"individual-group-id": ANN, "individual-group-ids": [BOB, ANN]})
    onboarding = onboarding_requests.CreateOnboardingRequest.model_validate(body)
    assert onboarding.attributes.all_group_ids == (uuid.UUID(ANN), uuid.UUID(BOB))
