from uuid import uuid4

import pytest

from domain.people.user_replications import UserReplications
from domain.people.users import UserNotFound
from tests.support.doubles import MemoryStore
from tests.support.world.people import a_person
from tests.support.world.principals import SERVICE


async def test_a_user_is_marked_once_per_service() -> None:
    store = MemoryStore()
    ann = await a_person(store)
    mark, position = await UserReplications(store).create(SERVICE, ann.id, "caredb")
    assert (mark.user_id, mark.service) == (ann.id, "caredb")
    assert await UserReplications(store).create(SERVICE, ann.id, "caredb") == (mark, position)
    other, _ = await UserReplications(store).create(SERVICE, ann.id, "courier")
    assert other.id != mark.id


async def test_two_concurrent_marks_record_one() -> None:
    store = MemoryStore()
    ann = await a_person(store)

    async def meanwhile() -> None:
        await UserReplications(store).create(SERVICE, ann.id, "caredb")

    store.meanwhile = meanwhile
    await UserReplications(store).create(SERVICE, ann.id, "caredb")
    assert len([event for event in store.events if type(event).__qualname__ == "UserReplication.Created"]) == 1


async def test_an_unknown_user_is_not_found() -> None:
    with pytest.raises(UserNotFound):
        await UserReplications(MemoryStore()).create(SERVICE, uuid4(), "caredb")
