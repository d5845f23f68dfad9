"""Service accounts follow the setting."""

from domain.people.users import User
from domain.sessions.service_accounts import ServiceAccounts, ServiceName
from tests.support.doubles import MemoryStore

DROW, SKED = ServiceName("care", "drow"), ServiceName("care", "sked")


async def test_accounts_come_go_and_come_back_with_the_same_id() -> None:
    store = MemoryStore()
    accounts = ServiceAccounts(store)

    async def live(account: ServiceName) -> bool:
        return (await store.get(User, account.user_id)).live

    await accounts.sync([DROW])
    assert await live(DROW)
    await accounts.sync([SKED])
    assert (await live(DROW), await live(SKED)) == (False, True)
    await accounts.sync([DROW, SKED, SKED])
    assert (await live(DROW), await live(SKED)) == (True, True)
    await accounts.sync([])
    assert (await live(DROW), await live(SKED)) == (False, False)


async def test_repeating_records_nothing() -> None:
    store = MemoryStore()
    await ServiceAccounts(store).sync([DROW])
    recorded = len(store.events)
    await ServiceAccounts(store).sync([DROW])
    assert len(store.events) == recorded


async def test_a_service_has_no_password_and_no_individual() -> None:
    store = MemoryStore()
    await ServiceAccounts(store).sync([DROW])
    user = await store.get(User, DROW.user_id)
    assert (user.kind, user.individual_id, user.password_hash, user.login_name) == ("service", None, None, "care/drow")
