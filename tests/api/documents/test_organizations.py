"""Bodies about organizations and who belongs to them."""

from typing import Any

from api.documents.access import role_users
from api.documents.organizations import organizations
from tests.api.documents.violations import ANN, BOB, in_envelope

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


def test_theme_null_and_theme_not_given_differ() -> None:
    cleared = organizations.UpdateOrganization.model_validate(a_changed_organization(**{"theme-id": None}))
    untouched = organizations.UpdateOrganization.model_validate(a_changed_organization())
    assert cleared.attributes.given() == {"theme_id": None}
    assert untouched.attributes.given() == {}
