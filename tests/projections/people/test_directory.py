"""Who is behind a group: never stale."""

from uuid import uuid4

from domain.groups.rosters import RosterEntry
from domain.organizations.organizations import Organizations
from domain.people.individuals import Individual
from tests.projections.people.test_identifiers import a_book
from tests.support.world.people import a_user
from tests.support.world.principals import EVERYTHING, SYSTEM


async def test_places_are_known_as_soon_as_they_are_taken(database_url: str) -> None:
    async with a_book(database_url) as book:
        organization, _ = await Organizations(book.store, EVERYTHING).create(SYSTEM, "north")
        doc, group, other = a_user(), uuid4(), uuid4()
        doc.join(organization.id)
        record = Individual.create(uuid4(), "organization", organization.id)
        led = RosterEntry.add(group, organization.id, "leader", doc.id)
        belongs = RosterEntry.add(other, organization.id, "member", doc.id)
        placed = RosterEntry.add(group, organization.id, "individual", record.id)
        await book.store.save(doc, record, led, belongs, placed)
        assert set(await book.directory.entries(doc.id, organization.id)) == {(group, "leader"), (other, "member")}
        assert await book.directory.leaders(group) == [doc.id]
        assert await book.directory.leaders(other) == []
        assert await book.directory.placements(record.id, organization.id) == [group]
        placed.remove()
        led.remove()
        await book.store.save(placed, led)
        assert await book.directory.placements(record.id, organization.id) == []
        assert await book.directory.entries(doc.id, organization.id) == [(other, "member")]
