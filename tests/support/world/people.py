"""Builders of users and individuals for the tests of the domain."""

from uuid import UUID, uuid4

from domain.organizations.organizations import Organization, Organizations
from domain.people.individuals import Individual
from domain.people.user_state import STAFF
from domain.people.users import User
from tests.support.doubles import MemoryStore
from tests.support.world.principals import EVERYTHING, SYSTEM


def a_user(*, live: bool = True, kind: str = "person", email: str | None = None, staff: bool = False) -> User:
    """Return a user with a confirmed account, or a provisional one unless `live`; a customer unless `staff`."""
    user = User.create(
        uuid4(),
        classification=STAFF if staff else "customer",
        individual_id=None if kind == "service" else uuid4(),
        kind="service" if kind == "service" else "person",
        email=email,
    )
    if live:
        user.set_password("hashed")
        user.confirm(email_verified=email is not None)
    return user


def an_individual(owner: User | Organization) -> Individual:
    owner_type = "user" if isinstance(owner, User) else "organization"
    return Individual.create(uuid4(), "user" if owner_type == "user" else "organization", owner.id)


async def a_person(store: MemoryStore, **kwargs: object) -> User:
    """Return a saved user with one individual of their own."""
    user = a_user(**kwargs)  # type: ignore[arg-type]  # the builder's own keywords
    await store.save(user, Individual.create(user.individual_id or uuid4(), "user", user.id))
    return user


async def an_organization(store: MemoryStore, name: str = "clinic") -> UUID:
    organization, _ = await Organizations(store, EVERYTHING).create(SYSTEM, name)
    return organization.id
