from uuid import UUID, uuid4

import pytest

from domain.access.roles import Role, role_id
from domain.core.errors import DomainError, NotFound
from domain.groups.groups import Group, system_group_id
from domain.organizations.organizations import OPERATOR_ID, Organization, Organizations, SystemAdminsOnly
from domain.organizations.themes import Theme, ThemeFields
from tests.support.doubles import MemoryStore
from tests.support.world.principals import EVERYTHING, SYSTEM, a_principal


async def a_founded(store: MemoryStore, name: str = "clinic") -> Organization:
    organization, _ = await Organizations(store, EVERYTHING).create(SYSTEM, name)
    return organization


def refused_arguments(error: DomainError) -> list[str | None]:
    return [each.argument for each in (error, *error.others)]


async def test_a_new_organization_has_a_role_and_computed_groups() -> None:
    store = MemoryStore()
    organization, position = await Organizations(store, EVERYTHING).create(SYSTEM, "clinic")
    assert (organization.details.name, organization.details.display_name) == ("clinic", "clinic")
    assert (organization.details.classification, organization.details.provider_type, organization.details.timezone) == (
        "customer",
        "coach",
        "UTC",
    )
    assert (organization.authorization_type, organization.active) == ("restricted", True)
    assert organization.details.theme_id is None
    role = await store.get(Role, role_id(organization.id, "org.admin"))
    assert (role.organization_id, role.holders) == (organization.id, {})
    everybody = await store.get(Group, system_group_id(organization.id, "all_participants"))
    nowhere = await store.get(Group, system_group_id(organization.id, "unassigned"))
    assert (everybody.name, nowhere.name) == ("All participants", "Unassigned")
    assert position == len(store.events) == 4


async def test_a_change_to_the_same_values_records_nothing() -> None:
    store = MemoryStore()
    organization = await a_founded(store)
    changes = {"name": "clinic", "theme_id": None, "is_active": True, "authorization_type": "restricted"}
    _, position = await Organizations(store, EVERYTHING).change(SYSTEM, organization.id, changes)
    assert position == 4


async def test_a_system_administrator_changes_everything() -> None:
    store = MemoryStore()
    theme = Theme.create(ThemeFields("care.example.org", "help@example.org"))
    await store.save(theme)
    organization = await a_founded(store)
    changes = {
        "name": "other",
        "display_name": "Other",
        "classification": "customer_test",
        "provider_type": "nurse",
        "timezone": "Europe/Vienna",
        "theme_id": theme.id,
        "authorization_type": "open",
        "is_active": False,
    }
    await Organizations(store, EVERYTHING).change(SYSTEM, organization.id, changes)
    changed = await store.get(Organization, organization.id)
    values = {**vars(changed.details), "authorization_type": changed.authorization_type, "is_active": changed.active}
    assert {name: values[name] for name in changes} == changes
    await Organizations(store, EVERYTHING).change(SYSTEM, organization.id, {"is_active": True, "theme_id": None})
    changed = await store.get(Organization, organization.id)
    assert (changed.active, changed.details.theme_id, changed.details.name) == (True, None, "other")


async def test_its_own_administrators_change_display_name_and_time_zone() -> None:
    store = MemoryStore()
    organization = await a_founded(store)
    changes = {"display_name": "The clinic", "timezone": "Europe/Vienna"}
    changed, _ = await Organizations(store, EVERYTHING).change(a_principal(), organization.id, changes)
    assert (changed.details.display_name, changed.details.timezone) == ("The clinic", "Europe/Vienna")


async def test_each_forbidden_attribute_is_refused_even_with_the_value_it_has() -> None:
    store = MemoryStore()
    organization = await a_founded(store)
    changes = {"name": "clinic", "display_name": "New", "is_active": True, "theme_id": None}
    with pytest.raises(SystemAdminsOnly) as refused:
        await Organizations(store, EVERYTHING).change(a_principal(), organization.id, changes)
    assert refused_arguments(refused.value) == [
        "name",
        "is_active",
        "theme_id",
    ]
    assert (await store.get(Organization, organization.id)).details.display_name == "clinic"


async def test_an_unknown_organization_is_not_found() -> None:
    with pytest.raises(NotFound):
        await Organizations(MemoryStore(), EVERYTHING).change(SYSTEM, uuid4(), {})


@pytest.mark.parametrize(
    ("organization_id", "classification", "staffed"),
    [(uuid4(), "customer", False), (uuid4(), "carium", True), (OPERATOR_ID, "customer", True)],
)
def test_staff_work_in_organizations_with_the_operators_classification(
    organization_id: UUID, classification: str, *, staffed: bool
) -> None:
    organization = Organization.create(
        organization_id,
        "clinic",
        display_name="Clinic",
        classification=classification,
        provider_type="coach",
        timezone="UTC",
    )
    assert organization.staffed is staffed
