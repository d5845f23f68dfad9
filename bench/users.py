"""11. How long does a search or a page of users take among twenty times as many users as the world has?"""

from collections.abc import Iterator
from urllib.parse import urlencode

from psycopg import AsyncConnection

from bench import limits
from bench.bench import Bench, Serving
from bench.figures import Figure, Limit, milliseconds
from bench.http import connect, request

CLIENTS = 1
TIMES = 20
PAGE = 100
P99_AIM = 50.0  # milliseconds
FIRST_NAMES = 500

# Written to the tables of the read model, because a search reads nothing else. Every second user is a provider of the
# organization, the others of none.
FILL = """
WITH named AS (
    SELECT n, 'given' || n % {first_names} AS first, 'family' || n AS last FROM generate_series(1, {users}) n
), filled AS (
    INSERT INTO users (user_id, classification, account_type, individual_id, email, username, first_name, last_name,
                       username_key, email_key, email_text, first_name_key, last_name_key, email_verified, registered,
                       confirmed, organization_ids, created_at, modified_at)
    SELECT gen_random_uuid(), 'customer', 'provider', gen_random_uuid(), last || '@p.test', last || '@p.test', first,
           last, last || '@p.test', last || '@p.test', last || '@p.test', first, last, true, true,
           true, CASE WHEN n % 2 = 0 THEN ARRAY['{organization}'::uuid] ELSE '{{}}' END, now(), now()
    FROM named
    RETURNING *
)
INSERT INTO organization_people (organization_id, user_id, provider, participant, listed, archived, enabled,
                                 email_verified, classification, registration_invite, modified_at, email_text,
                                 first_name_key, last_name_key)
SELECT '{organization}', user_id, true, false, true, false, true, true, classification, 'none', modified_at, email_text,
       first_name_key, last_name_key
FROM filled WHERE organization_ids <> '{{}}'
"""


async def measure(bench: Bench) -> list[Figure]:
    number = TIMES * bench.world.size.users
    await _fill(bench, number)
    beside = [limits.median_of(await limits.bare_requests(bench, CLIENTS), CLIENTS)]
    async with bench.serving() as serving:
        return [await _measure(serving, name, searches, beside) for name, searches in _searches(bench, number)]


def _searches(bench: Bench, number: int) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield what is searched for, with queries that are sent in turn."""
    places = [place * 7919 % number + 1 for place in range(200)]
    inside = {"organization-id": str(bench.world.large.id)}
    yield "the user with an e-mail address", [{"email": f"FAMILY{place}@p.test"} for place in places]
    both = [{"text": f"given{place % FIRST_NAMES} family{place}"} for place in places]
    yield "text with both names", both
    yield "text with both names, in an organization", [query | inside for query in both]
    yield "text with a first name", [{"text": f"given{place % FIRST_NAMES} "} for place in places]
    every = {"text": "g", "sort-by": "last-name"}
    yield "text that every name begins with, by last name", [every]
    yield "text that every name begins with, by last name, in an organization", [every | inside]
    for key in ("id", "-email", "last-name"):
        yield f"all users, by {key}, middle page", [{"sort-by": key, "page[offset]": str(number // 2)}]


async def _measure(serving: Serving, name: str, searches: list[dict[str, str]], beside: list[Limit]) -> Figure:
    token = await serving.bench.token()
    usual = {"filter[include-participants]": "true", "page[limit]": str(PAGE)}
    requests = [request("GET", f"/v1/users/?{urlencode(usual | search)}", token) for search in searches]
    connection = await connect(serving.server.port)
    total = int((await connection.ask(requests[0])).json()["meta"]["page[total]"])
    connection.close()
    run, processor = await serving.load(requests, clients=CLIENTS, status=200)
    times = milliseconds(run.latencies)
    more = {"p50 ms": times["p50 ms"], "of": float(total)} | processor
    return Figure(f"users: {name}, p99", times["p99 ms"], "ms", beside, P99_AIM, more)


async def _fill(bench: Bench, number: int) -> None:
    async with await AsyncConnection.connect(bench.settings.owner_dsn(), autocommit=True) as connection:
        fill = FILL.format(users=number, first_names=FIRST_NAMES, organization=bench.world.large.id)
        await connection.execute(fill.encode())
        await connection.execute("VACUUM (ANALYZE, PARALLEL 0) users, organization_people")
