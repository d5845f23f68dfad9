"""Who may read whom (semantics 4, ruling E3), from the tables that every append keeps."""

from collections.abc import Iterable
from uuid import UUID, uuid4

from domain.organizations.organizations import Organizations
from domain.people.individuals import Individual
from domain.people.users import User
from domain.sessions.service_accounts import ServiceAccounts, ServiceName
from projections.core.visibility import readable_users
from tests.projections.people.test_identifiers import Book, a_book
from tests.support.stores import a_pool
from tests.support.world.people import a_user
from tests.support.world.principals import EVERYTHING, SYSTEM


async def readable(database_url: str, caller: UUID, users: Iterable[User]) -> set[UUID]:
    async with a_pool(database_url) as pool, pool.connection() as connection:
        return await readable_users(connection.cursor(), caller, [user.id for user in users])


async def a_provider(book: Book, *organizations: UUID) -> User:
    user = a_user()
    for organization in organizations:
        user.join(organization)
    await book.store.save(user)
    return user


async def test_colleagues_and_those_who_share_with_the_organization(database_url: str) -> None:
    async with a_book(database_url) as book:
        north, _ = await Organizations(book.store, EVERYTHING).create(SYSTEM, "north")
        south, _ = await Organizations(book.store, EVERYTHING).create(SYSTEM, "south")
        doc, colleague = await a_provider(book, north.id), await a_provider(book, north.id)
        stranger, patient = await a_provider(book, south.id), a_user()
        record = Individual.create(patient.individual_id or uuid4(), "user", patient.id)
        record.share("organization", north.id)
        await book.store.save(patient, record)
        everybody = [doc, colleague, stranger, patient]
        assert await readable(database_url, doc.id, everybody) == {doc.id, colleague.id, patient.id}
        assert await readable(database_url, patient.id, everybody) == {patient.id}
        assert await readable(database_url, stranger.id, everybody) == {stranger.id}
        record.unshare("organization", north.id)
        colleague.leave(north.id)
        await book.store.save(record, colleague)
        assert await readable(database_url, doc.id, everybody) == {doc.id}


async def test_disabled_and_unknown_callers_read_no_user(database_url: str) -> None:
    async with a_book(database_url) as book:
        north, _ = await Organizations(book.store, EVERYTHING).create(SYSTEM, "north")
        doc, colleague = await a_provider(book, north.id), await a_provider(book, north.id)
        colleague.disable()
        await book.store.save(colleague)
        assert await readable(database_url, colleague.id, [doc, colleague]) == set()
        assert await readable(database_url, uuid4(), [doc, colleague]) == set()
        assert await readable(database_url, doc.id, [doc, colleague]) == {doc.id, colleague.id}


async def test_staff_and_services_read_all_people_and_no_service(database_url: str) -> None:
    async with a_book(database_url) as book:
        staff = User.create(uuid4(), classification="carium", individual_id=uuid4())
        staff.confirm()
        operator, _ = await Organizations(book.store, EVERYTHING).create(SYSTEM, "operator", classification="carium")
        staff.join(operator.id)
        doc, name = a_user(), ServiceName("care", "drow")
        await book.store.save(staff, doc)
        await ServiceAccounts(book.store).sync([name, ServiceName("care", "sked")])
        service = await book.store.get(User, name.user_id)
        other = await book.store.get(User, ServiceName("care", "sked").user_id)
        assert await readable(database_url, staff.id, [staff, doc, service]) == {staff.id, doc.id}
        assert await readable(database_url, service.id, [staff, doc, service, other]) == {staff.id, doc.id, service.id}


async def test_an_inactive_organization_shows_no_user(database_url: str) -> None:
    async with a_book(database_url) as book:
        organizations = Organizations(book.store, EVERYTHING)
        north, _ = await organizations.create(SYSTEM, "north")
        doc, colleague = await a_provider(book, north.id), await a_provider(book, north.id)
        await organizations.change(SYSTEM, north.id, {"is_active": False})
        assert await readable(database_url, doc.id, [doc, colleague]) == {doc.id}
