"""A sealed value that does not open is an alarm, never an erased person (ruling O18)."""

import psycopg
import pytest
from structlog.testing import capture_logs

from domain.people.users import User
from tests.support.world.product import a_world
from workers.following.projector import NotCaughtUpError

EMAIL = "ann@people.test"
DAMAGE = r"""
UPDATE events SET state = convert_to(
    regexp_replace(convert_from(state, 'UTF8'), '("email":{[^}]*"sealed":")....', '\1AAAA'), 'UTF8')
WHERE originator_id = %s AND topic = 'user.created'
"""


async def test_a_damaged_value_fails_requests_and_projections_and_is_kept(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        await world.catch_up()
        clinic = await world.organization()
        ann = await world.provider(clinic, EMAIL)
        path = f"/v1/sessions/{world.tokens.verify(ann.bearer['Authorization'].split()[1]).session_id}/"
        asked = {"include-login-info": "true"}
        await world.get(path, ann, 200, **asked)
        with psycopg.connect(database_url) as connection:
            assert connection.execute(DAMAGE, [ann.user_id]).rowcount == 1
        with capture_logs() as said:
            answer = await world.client.get(path, params=asked, headers=ann.bearer)
        assert answer.status_code == 500
        assert EMAIL not in answer.text
        (alarm,) = [line for line in said if line["event"] == "sealed-value-damaged"]
        assert alarm["place"] == f"names/email of user.created at {ann.user_id}/1"
        with pytest.raises(NotCaughtUpError):
            await world.catch_up()
        rows = (await world.get("/v1/replicators/", world.system))["data"]
        failed = [row["attributes"] for row in rows if row["attributes"]["state"] == "failed"]
        assert [each["classpath"].rpartition(".")[2] for each in failed] == ["UsersProjection"]
        assert "SealedValueDamaged" in failed[0]["error"]
        with psycopg.connect(database_url) as connection:
            connection.execute("INSERT INTO data_keys (subject) VALUES (%s) ON CONFLICT (subject) DO UPDATE SET"
                               " wrapped = NULL, destroyed_at = now()", [ann.user_id])  # fmt: skip
        assert (await world.identity.store.get(User, ann.user_id)).names.email is not None
        await world.catch_up()
