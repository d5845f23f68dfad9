"""Who is staff, whether or not they may use their rights at present (ruling O4)."""

from domain.core.ports import Store
from domain.organizations.organizations import Organization
from domain.people.user_state import STAFF
from domain.people.users import User


async def is_staff(store: Store, user: User) -> bool:
    """Return whether the user is classified as staff and a provider of an organization of staff.

    A disabled user is staff too. Whoever kept the classification after they left the last such organization is not.
    """
    if user.classification != STAFF:
        return False
    organizations = await store.get_many(Organization, user.organizations)
    return any(organization.staffed for organization in organizations.values())


async def is_privileged(store: Store, user: User) -> bool:
    """Return whether the user is staff or a service account: nobody may act as them."""
    return user.kind == "service" or await is_staff(store, user)
