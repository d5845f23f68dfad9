from domain.people.user_replications import UserReplications
from projections.people import user_replications
from tests.support.world.principals import SERVICE
from tests.support.world.read_models import read_models


async def test_marks_are_listed_oldest_first_in_pages(database_url: str) -> None:
    async with read_models(database_url) as world:
        ann, bob = await world.participant(), await world.participant()
        marks = [
            (await UserReplications(world.store).create(SERVICE, ann, service))[0]
            for service in ("sked", "caredb", "drow")
        ]
        await UserReplications(world.store).create(SERVICE, bob, "sked")
        await world.catch_up()
        rows, total = await user_replications.user_replications(world.cursor, ann, limit=2, offset=1)
        assert total == 3
        assert [(row.replication_id, row.service) for row in rows] == [(each.id, each.service) for each in marks[1:]]
        assert rows[0].created_at == marks[1].modified_on
