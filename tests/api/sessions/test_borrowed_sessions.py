"""Sessions in which staff or a service acts as the user end themselves only (semantics 4, ruling K131)."""

import pytest

from domain.core.principal import SessionKind
from tests.support.world.product import a_world


@pytest.mark.parametrize("kind", ["impersonated", "synthetic"])
async def test_a_borrowed_session_ends_itself_and_no_other(database_url: str, kind: SessionKind) -> None:
    async with a_world(database_url) as world:
        person = await world.provider(await world.organization())
        acting = await world.borrowed(person, kind)
        own, another = (world.tokens.verify(each.token).session_id for each in (acting, person))
        somebodys = world.tokens.verify(world.system.token).session_id
        for session_id, status in ((somebodys, 404), (another, 403), (own, 204), (own, 401)):
            answer = await world.client.delete(f"/v1/sessions/{session_id}/", headers=acting.bearer)
            assert answer.status_code == status, (session_id, answer.text)
            if status == 403:
                assert [error["code"] for error in answer.json()["errors"]] == ["impersonation-not-allowed"]
        await world.get(f"/v1/sessions/{another}/", person)
        assert (await world.client.delete(f"/v1/sessions/{another}/", headers=person.bearer)).status_code == 204
