"""A command that is repeated changes nothing the second time, records nothing and succeeds (semantics 0.8)."""

import httpx2
import pytest

from tests.api.edge.permission_matrix import Row, families
from tests.support.world.named import Ward, a_ward

pytestmark = pytest.mark.slow

ANEW = {
    "POST /v1/individual-groups/", "POST /v1/organizations/", "POST /v1/onboarding-requests/",
    "POST /v1/individual-groups/{id}/move-group/", "POST /v1/impersonation-requests/",
    "POST /v1/anonymous-accesses/", "POST /v1/onboarding-requests/{id}/email/",
}  # fmt: skip
"""Each call makes a group, an organization (whose name is then taken), a request, an access, a message or a task."""
GONE = {"DELETE /v1/mfa-totp/{id}/"}
"""A second call does not find the configuration (ruling K121)."""
RECORDS = (
    "organization-email-templates", "organization-general-messages", "organization-sms-templates",
    "organization-codes", "organization-themes", "service-documents",
)  # fmt: skip
"""Creating one again is refused because its key is taken, deleting one again because it is gone (semantics 12)."""


def commands(family: str) -> list[Row]:
    return [row for row in families()[family] if row.operation.changes and idempotent(row) and row.allowed()]


def idempotent(row: Row) -> bool:
    """Whether it succeeds again without a key."""
    created_or_deleted = row.operation.path.split("/")[2] in RECORDS and row.operation.method != "PATCH"
    return row.operation.title not in ANEW | GONE and not created_or_deleted


async def repeated(ward: Ward, row: Row) -> tuple[httpx2.Response, httpx2.Response, bool]:
    """Two answers, and whether anything was recorded between them."""
    name = row.allowed()[0]
    request = {**await row.request(ward, name), "headers": ward.people[name].bearer}
    first = await ward.world.client.request(**request)
    head = await ward.world.identity.store.save()
    second = await ward.world.client.request(**request)
    ward.forget()
    return first, second, await ward.world.identity.store.save() != head


@pytest.mark.parametrize("family", [family for family in families() if commands(family)])
async def test_a_repeated_command_records_nothing_and_succeeds(database_url: str, family: str) -> None:
    """Ruling K140."""
    async with a_ward(database_url) as ward:
        for row in commands(family):
            first, second, recorded = await repeated(ward, row)
            assert first.is_success, f"{row.title}: {first.text}"
            assert (second.status_code, recorded) == (first.status_code, False), f"{row.title}: {second.text}"
            assert second.text == first.text, row.title
