"""Bodies about organizations and who belongs to them."""

from typing import Any

import pytest

from api.documents.access import role_users
from api.documents.organizations import organizations
from tests.api.documents.violations import ANN, BOB, complaints, in_envelope

ATTRIBUTES = "/data/attributes"


def an_organization(**more: Any) -> dict[str, Any]:
    return in_envelope("organizations", {"name": "clinic"} | more)


def a_changed_organization(**more: Any) -> dict[str, Any]:
    return in_envelope("organizations", more, id=ANN)


TAKEN = [
    (organizations.CreateOrganization, an_organization()),
    (organizations.UpdateOrganization, a_changed_organization(**{"theme-id": None, "is-active": False})),
    (organizations.UpdateOrganization, a_changed_organization(**{"authorization-type": "open", "theme-id": ANN})),
    (organizations.AddOrganizationUser, in_envelope("organizations", {"email": "a@x.org", "role-id": ANN})),
    (role_users.CreateRoleUser, in_envelope("role-users", {"user-id": ANN, "role-id": BOB})),
]

REFUSED = [
    (organizations.CreateOrganization, an_organization(name="Clinic"), f"{ATTRIBUTES}/name", "string_pattern_mismatch"),
    (organizations.CreateOrganization, an_organization(timezone="CET/x"), f"{ATTRIBUTES}/timezone", "timezone"),
    (
        organizations.UpdateOrganization,
        a_changed_organization(**{"authorization-type": "closed"}),
        f"{ATTRIBUTES}/authorization-type",
        "literal_error",
    ),
    (organizations.AddOrganizationUser, in_envelope("organizations", {}), f"{ATTRIBUTES}/user-id", "missing"),
    (
        organizations.RemoveOrganizationUser,
        in_envelope("organizations", {"email": "a@x.org", "user-id": ANN}),
        f"{ATTRIBUTES}/email",
        "both",
    ),
    (role_users.CreateRoleUser, in_envelope("role-users", {"user-id": ANN}), f"{ATTRIBUTES}/role-id", "missing"),
]


@pytest.mark.parametrize(("model", "body"), TAKEN)
def test_a_good_body_is_taken(model: Any, body: Any) -> None:
    assert complaints(model, body) == []


@pytest.mark.parametrize(("model", "body", "pointer", "kind"), REFUSED)
def test_a_bad_body_is_refused_where_it_is_wrong(model: Any, body: Any, pointer: str, kind: str) -> None:
    assert complaints(model, body) == [(pointer, kind)]


def test_theme_null_and_theme_not_given_differ() -> None:
    cleared = organizations.UpdateOrganization.model_validate(a_changed_organization(**{"theme-id": None}))
    untouched = organizations.UpdateOrganization.model_validate(a_changed_organization())
    assert cleared.attributes.given() == {"theme_id": None}
    assert untouched.attributes.given() == {}
