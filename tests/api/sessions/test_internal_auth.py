"""Service accounts getting in."""

import hashlib
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from domain.sessions.service_accounts import ServiceName
from tests.adapters.security.test_token_reviewers import a_cluster
from tests.support.world.product import SERVICE, World, a_world
from workers.running.bootstrap import bootstrap

NAMESPACE, NAME, TOKEN = SERVICE
FIRST, SECOND = "first-token-of-the-application", "second-token-of-the-application"
HASH = hashlib.sha512(TOKEN.encode()).hexdigest()


def proof(**changes: Any) -> dict[str, Any]:
    return {"namespace": NAMESPACE, "sa-name": NAME, "sa-token-sha512": HASH, **changes}


async def enter(world: World, body: dict[str, Any], status: int = 201) -> Any:
    answer = await world.client.post("/v1/internal-auth/", json=body)
    assert answer.status_code == status, answer.text
    assert "x-position" not in answer.headers
    return answer.json()


async def enter_v2(world: World, token: str, status: int = 201) -> Any:
    body = {"data": {"type": "internal-auths", "attributes": {"token": token}}}
    answer = await world.client.post("/v2/internal-auth/", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_the_hash_of_a_token_opens(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        for spelling in (HASH, HASH.upper()):
            known = await enter(world, proof(**{"sa-token-sha512": spelling}))
            assert (known["token-type"], known["expires-in"], known["username"]) == (
                "Bearer",
                3600,
                f"{NAMESPACE}/{NAME}",
            )
            assert (known["refresh-token"], known["id-token"], known["email"]) == (None, None, None)
            assert known["user-id"] == str(ServiceName(NAMESPACE, NAME).user_id)
            bearer = {"Authorization": f"Bearer {known['access-token']}"}
            assert (await world.client.post("/v1/authenticate/", headers=bearer)).status_code == 201


async def test_the_token_itself_opens_too(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        document = (await enter_v2(world, TOKEN))["data"]
        bearer = {"Authorization": f"Bearer {document['attributes']['access-token']}"}
        known = (await world.client.post("/v1/authenticate/", headers=bearer)).json()["data"]
        assert known["session-id"] == document["id"]
        assert UUID(known["user-id"]) == ServiceName(NAMESPACE, NAME).user_id


async def test_every_failure_looks_alike(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        refusals = [
            await enter(world, proof(**change), 401)
            for change in (
                {"sa-name": "nobody"},
                {"namespace": "elsewhere"},
                {"sa-token-sha512": "0" * 128},
                {"sa-token-sha512": "no hex"},
                {"sa-token-sha512": ""},
                {"sa-token-sha512": TOKEN},
                {"sa-token-sha512": f"{HASH[:2]} {HASH[2:]}"},
            )
        ]
        refusals += [await enter_v2(world, token, 401) for token in ("", "wrong", HASH)]
        assert all(refusal == refusals[0] for refusal in refusals)
        assert refusals[0]["errors"][0]["code"] == "not-authenticated"


@pytest.mark.parametrize("spelling", [FIRST, SECOND])
async def test_an_account_may_have_two_tokens(database_url: str, spelling: str) -> None:
    accounts = f"apps/records:{TOKEN},apps/drow:{FIRST},apps/drow:{SECOND}"
    async with a_world(database_url, projecting=False, service_accounts=accounts) as world:
        hashed = hashlib.sha512(spelling.encode()).hexdigest()
        assert await enter(world, proof(**{"sa-name": "drow", "sa-token-sha512": hashed}))
        await enter(world, proof(**{"sa-token-sha512": hashed}), 401)


async def test_an_account_that_left_the_setting_is_out_at_once(database_url: str) -> None:
    async with a_world(database_url, projecting=False) as world:
        await bootstrap(world.settings.model_copy(update={"service_accounts": ()}))
        refused = await world.client.post("/v1/authenticate/", headers=world.service.bearer)
        assert refused.status_code == 401
        assert refused.json()["errors"][0]["code"] == "session-revoked"
        await enter(world, proof(), 401)  # this process still knows the token, but the account is not live


async def test_a_cluster_reviews_tokens(database_url: str, tmp_path: Path) -> None:
    credential = tmp_path / "token"
    credential.write_text("our-own")
    async with a_cluster(vouched_for(NAMESPACE, NAME)) as cluster:
        reviewing = {"token_review_url": cluster.url, "token_review_credential": credential}
        async with a_world(database_url, projecting=False, **reviewing) as world:
            document = (await enter_v2(world, "from-the-cluster"))["data"]
            bearer = {"Authorization": f"Bearer {document['attributes']['access-token']}"}
            known = (await world.client.post("/v1/authenticate/", headers=bearer)).json()["data"]
            assert UUID(known["user-id"]) == ServiceName(NAMESPACE, NAME).user_id
            await enter(world, proof())  # by the hash that the setting knows
            cluster.status = vouched_for(NAMESPACE, "not-in-the-setting")
            unknown = await enter_v2(world, "from-the-cluster", 401)
            cluster.status = {"authenticated": False}
            assert await enter_v2(world, "from-the-cluster", 401) == unknown


def vouched_for(namespace: str, name: str) -> dict[str, Any]:
    user = {"username": f"system:serviceaccount:{namespace}:{name}"}
    return {"authenticated": True, "user": user, "audiences": ["rollbook"]}
