"""What the look-up of required service documents reads among a hundred thousand of them (ruling K112)."""

from hashlib import md5
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from adapters.postgres.session_settings import session_dsn
from projections.onboarding.agreements import LATEST_DOCUMENTS, latest_documents
from tests.support.plans import fetched, touched

pytestmark = pytest.mark.slow

# 20,000 organizations with two types of documents in two versions, twenty documents for all, and 50,000 users, each a
# provider of one organization with an individual that is shared with the next one, who agreed to two documents
FILL = """
INSERT INTO access_organizations (organization_id, open, touched_at, authorization_at)
SELECT md5('clinic' || n)::uuid, false, now(), now() FROM generate_series(1, 20000) n;
INSERT INTO service_documents (id, type, version, locale, organization_id, titles, html, created_at, modified_at)
SELECT md5(type || version || n)::uuid, type, version, 'en_US', md5('clinic' || n)::uuid, '{}', '{}',
       now() + version * interval '1 hour', now()
FROM generate_series(1, 20000) n, unnest(ARRAY['privacy', 'terms']) type, generate_series(1, 2) version;
INSERT INTO service_documents (id, type, version, locale, titles, html, created_at, modified_at)
SELECT md5(type || version)::uuid, type, version, 'en_US', '{}', '{}', now() + version * interval '1 hour', now()
FROM unnest(ARRAY['privacy', 'terms']) type, generate_series(1, 10) version;
INSERT INTO organization_users (user_id, organization_id, provider, admin)
SELECT md5('user' || n)::uuid, md5('clinic' || (n % 20000 + 1))::uuid, true, false FROM generate_series(1, 50000) n;
INSERT INTO access_individuals SELECT md5('individual' || n)::uuid, md5('user' || n)::uuid, now()
FROM generate_series(1, 50000) n;
INSERT INTO individual_organizations (individual_id, organization_id, owned, shared)
SELECT md5('individual' || n)::uuid, md5('clinic' || (n % 20000 + 2))::uuid, false, true
FROM generate_series(1, 50000) n;
INSERT INTO service_document_agreements
SELECT md5('user' || n)::uuid, md5(type || 10)::uuid, now()
FROM generate_series(1, 50000) n, unnest(ARRAY['privacy', 'terms']) type;
"""


def a_uuid(name: str) -> UUID:
    return UUID(md5(name.encode()).hexdigest())


async def test_required_documents_are_looked_up_in_indexes(database_url: str) -> None:
    dsn = session_dsn(database_url, "maintain")
    async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(FILL.encode())
        await connection.execute("VACUUM ANALYZE")
        cursor = connection.cursor()
        user, sent = a_uuid("user5"), [a_uuid("terms29"), a_uuid("terms19")]
        async with connection.transaction():
            found = await latest_documents(cursor, user, [], sent)
            assert await fetched(cursor) < 300
        assert {(each.id, each.required, each.agreed) for each in found} == {
            (a_uuid("privacy10"), True, True),
            (a_uuid("terms10"), True, True),
            *((a_uuid(f"{kind}2{clinic}"), True, False) for kind in ("privacy", "terms") for clinic in (6, 7)),
            (a_uuid("terms29"), False, False),
        }
        parameters = {"user": user, "organizations": [a_uuid("clinic3")], "sent": sent}
        assert await touched(cursor, LATEST_DOCUMENTS, parameters) < 500
