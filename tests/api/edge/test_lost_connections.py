"""A connection to the database that is lost at any one statement costs no request (ruling O26)."""

import pytest

from tests.api.edge.permission_matrix import Row, families
from tests.support.authenticators import a_recorded_authenticator
from tests.support.proxy import Proxy, a_proxy
from tests.support.world.named import Ward, a_ward
from tests.support.world.product import UNLIMITED

pytestmark = pytest.mark.slow

CONNECTIONS = {"rollbook-api", "rollbook-writer", "rollbook-idempotency"}
MAX_STATEMENTS = 60
"""No operation has more."""


@pytest.mark.parametrize("family", families())
async def test_no_operation_fails_when_a_statement_loses_its_connection(database_url: str, family: str) -> None:
    wrong: list[str] = []
    async with a_proxy(database_url) as proxy, a_ward(proxy.dsn, **UNLIMITED) as ward:
        for row in first_rows(family):
            wrong += [f"{row.title}: {problem}" for problem in await failures(ward, proxy, row)]
    assert not wrong, "\n".join(wrong)


def first_rows(family: str) -> list[Row]:
    """One of each operation, with an answer that is no refusal."""
    rows = [row for row in families()[family] if row.allowed()]
    return list({row.operation.title: row for row in reversed(rows)}.values())


async def failures(ward: Ward, proxy: Proxy, row: Row) -> list[str]:
    """What was lost where the caller with the fewest rights got another answer than without the loss."""
    found: list[str] = []
    name = row.allowed()[0]
    for place in range(1, MAX_STATEMENTS):
        ward.forget()
        await replace_what_is_used_up(ward, row, name)
        status, lost = await sent_and_lost(ward, proxy, row, name, place)
        if status != row.statuses[name]:
            found.append(f"{status} without {lost!r:.120}")
        if lost is None:
            return found
    raise AssertionError(f"{row.title} never ends")


async def replace_what_is_used_up(ward: Ward, row: Row, name: str) -> None:
    """Give the caller room for another TOTP configuration, or another session that a switch may end."""
    caller = ward.people[name]
    if row.operation.title == "POST /v1/mfa-totp/":
        await a_recorded_authenticator(ward.world, caller.user_id, enabled=False)
    elif row.operation.path.endswith("/switch-organization/"):
        ward.people[name] = await ward.world.as_(caller.user_id)


async def sent_and_lost(ward: Ward, proxy: Proxy, row: Row, name: str, place: int) -> tuple[int, str | None]:
    """The answer's status, and the statement that was lost, if there were that many."""
    request = await row.request(ward, name)
    headers = ward.people[name].bearer | {"X-At-Least-Position": str(await ward.world.identity.store.save())}
    if row.operation.method == "POST":
        headers["Idempotency-Key"] = f"{row.title} {place}".replace(" ", "-")[:255]
    proxy.lose(place, CONNECTIONS)
    answer = await ward.world.client.request(**request, headers=headers)
    proxy.keep()
    return answer.status_code, proxy.lost
