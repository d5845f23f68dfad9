"""Accessors: the users who may do something on all of some resources (semantics, 6.3)."""

from collections.abc import Sequence
from uuid import UUID

from psycopg import AsyncCursor

from domain.core.ports import Operation
from projections.access.pages import PAGE, Ids, Slice, page_of
from projections.access.policy import POLICIES

# Not those who may do everything by what they are, nor those who may do nothing at present.
_ACCESSORS = """mine AS MATERIALIZED (
    SELECT u.user_id AS id
    FROM (SELECT granted.user_id
          FROM unnest(%(resources)s::uuid[]) AS asked(id)
          CROSS JOIN LATERAL (SELECT DISTINCT g.user_id FROM ({grants}) g WHERE g.resource_id = asked.id) granted
          GROUP BY granted.user_id HAVING count(*) = cardinality(%(resources)s::uuid[])) every
    JOIN access_users u USING (user_id)
    WHERE u.live AND NOT u.staff AND u.service_name IS NULL {provider})"""

_PROVIDER = """AND EXISTS (
    SELECT FROM organization_users p
    WHERE p.user_id = u.user_id AND p.organization_id = %(organization)s AND p.provider)"""


async def accessors(
    cursor: AsyncCursor,
    resource_type: str,
    resource_ids: Sequence[UUID],
    operation: Operation,
    page: Slice,
    *,
    organization_id: UUID | None = None,
) -> Ids:
    """Users, in the order of their ids, for whom the operation is true on each of the resources.

    `organization_id` keeps only its providers. An unknown resource has no accessors.
    """
    mine = _ACCESSORS.format(
        grants=POLICIES[resource_type, operation].grants, provider=_PROVIDER if organization_id else ""
    )
    parameters = {"resources": list(resource_ids), "organization": organization_id, **page._asdict()}
    return await page_of(cursor, PAGE.format(collected=mine), parameters)
